/**
 * Appends on their way to one follower: a window that bounds how far a leader runs ahead.
 *
 * Invariant: the indexes ascend; the window is full at `countMax` messages or once it holds `bytesMax`.
 */
export class Inflights {
  readonly #countMax: number;
  readonly #bytesMax: number;
  #items: { readonly index: number; readonly bytes: number }[] = [];
  #bytes = 0;

  /** @param bytesMax 0 for no bound */
  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#items.length;
  }

  get isFull(): boolean {
    return this.#items.length >= this.#countMax || (this.#bytesMax > 0 && this.#bytes >= this.#bytesMax);
  }

  /** Notes an append whose last entry is `index`. */
  add(index: number, bytes: number): void {
    if (this.isFull) throw new Error("the window is full");
    this.#items.push({ index, bytes });
    this.#bytes += bytes;
  }

  /** Frees all appends up to `index`. */
  free(index: number): void {
    let freed = 0;
    while (freed < this.#items.length && this.#items[freed]!.index <= index) this.#bytes -= this.#items[freed++]!.bytes;
    if (freed > 0) this.#items = this.#items.slice(freed);
  }

  reset(): void {
    this.#items = [];
    this.#bytes = 0;
  }
}
