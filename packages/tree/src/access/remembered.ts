/**
 * Results that are remembered by a text, in bounded memory.
 *
 * Invariant: what is held never weighs more than `bytesMax`; where one more would, all go at once, so looking one up costs nothing besides.
 */
export class Remembered<T> {
  readonly #bytesMax: number;
  readonly #byText: Map<string, T> = new Map();
  #bytes = 0;

  /** @param bytesMax of keys and values, by the estimate that comes with each */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#byText.size;
  }

  get(text: string): T | undefined {
    return this.#byText.get(text);
  }

  /** Remembers a value that is not remembered yet. @param bytes that the value takes, about */
  add(text: string, value: T, bytes: number): void {
    const more = text.length * 2 + bytes;
    if (this.#bytes + more > this.#bytesMax) {
      this.#byText.clear();
      this.#bytes = 0;
    }
    if (more > this.#bytesMax) return;
    this.#byText.set(text, value);
    this.#bytes += more;
  }
}
