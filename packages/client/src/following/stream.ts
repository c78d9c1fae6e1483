/**
 * A bounded queue read as an AsyncIterable. Only the client knows streams: on the wire each is a subscription or a watch.
 *
 * Invariant: it never holds more than `itemsMax` items; past that it is emptied and holds one `resync` item instead, so a
 * slow loop learns that it has missed something and never grows the memory. Leaving the loop stops the source.
 */
/// <reference lib="esnext.disposable" preserve="true" />
export class Stream<T> implements AsyncIterableIterator<T, undefined> {
  #items: T[] = [];
  readonly #waiting: ((result: IteratorResult<T, undefined>) => void)[] = [];
  readonly #failing: ((error: unknown) => void)[] = [];
  readonly #itemsMax: number;
  readonly #resync: () => T;
  #end: { readonly error: unknown } | "done" | null = null;
  #stop: (() => void) | null = null;

  constructor(itemsMax: number, resync: () => T) {
    this.#itemsMax = itemsMax;
    this.#resync = resync;
  }

  /** Says how to stop the source, and which signal does so. */
  attach(stop: () => void, signal: AbortSignal | undefined): this {
    const abort = (): void => this.fail(signal?.reason);
    this.#stop = () => {
      signal?.removeEventListener("abort", abort);
      stop();
    };
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    return this;
  }

  push(item: T): void {
    if (this.#end !== null) return;
    const resolve = this.#waiting.shift();
    if (resolve !== undefined) {
      this.#failing.shift();
      resolve({ value: item, done: false });
    } else if (this.#items.length >= this.#itemsMax) this.#items = [this.#resync()];
    else this.#items.push(item);
  }

  /** Ends the stream with an error, after what it holds. */
  fail(error: unknown): void {
    if (this.#end !== null) return;
    this.#end = { error };
    this.#halt();
    for (const reject of this.#failing.splice(0)) reject(error);
    this.#waiting.length = 0;
  }

  /** Ends the stream after what it holds. */
  end(): void {
    if (this.#end !== null) return;
    this.#end = "done";
    this.#halt();
    for (const resolve of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
    this.#failing.length = 0;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#items.length > 0) return Promise.resolve({ value: this.#items.shift()!, done: false });
    if (this.#end === "done") return Promise.resolve({ value: undefined, done: true });
    if (this.#end !== null) {
      const { error } = this.#end;
      this.#end = "done";
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      this.#failing.push(reject);
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.end();
    this.#items = [];
    this.#end = "done";
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #halt(): void {
    const stop = this.#stop;
    this.#stop = null;
    stop?.();
  }
}
