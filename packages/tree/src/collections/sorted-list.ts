/**
 * A list kept in order, two levels deep: an array of chunks of at most `chunkItemsMax` items.
 *
 * Invariants: no chunk is empty; items ascend strictly by `compare`. A look-up is two binary searches, an insertion
 * moves at most one chunk and the array of chunks, so a million siblings cost no more than a few microseconds each.
 * While there are few items there is one chunk: a small array.
 */
export class SortedList<T> {
  readonly #chunks: T[][] = [];
  readonly #compare: (key: string, item: T) => number;
  #size = 0;

  /** @param compare negative where `key` stands before `item`, zero where it names it */
  constructor(compare: (key: string, item: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): T | undefined {
    const chunk = this.#chunks[this.#chunkFor(key)];
    if (chunk === undefined) return undefined;
    const at = this.#lowerBound(chunk, key);
    const item = chunk[at];
    return item !== undefined && this.#compare(key, item) === 0 ? item : undefined;
  }

  /** Adds an item under its key. The caller makes sure that the key is not there yet. */
  insert(key: string, item: T): void {
    this.#size++;
    const where = this.#chunkFor(key);
    const chunk = this.#chunks[where];
    if (chunk === undefined) {
      this.#chunks.push([item]);
      return;
    }
    const at = this.#lowerBound(chunk, key);
    if (chunk.length < chunkItemsMax) chunk.splice(at, 0, item);
    else if (at === chunk.length) this.#chunks.splice(where + 1, 0, [item]);
    else {
      const upper = chunk.splice(chunkItemsMax / 2);
      this.#chunks.splice(where + 1, 0, upper);
      if (at <= chunk.length) chunk.splice(at, 0, item);
      else upper.splice(at - chunk.length, 0, item);
    }
  }

  /** Removes the item of this key; false if there is none. */
  delete(key: string): boolean {
    const where = this.#chunkFor(key);
    const chunk = this.#chunks[where];
    if (chunk === undefined) return false;
    const at = this.#lowerBound(chunk, key);
    const item = chunk[at];
    if (item === undefined || this.#compare(key, item) !== 0) return false;
    this.#size--;
    chunk.splice(at, 1);
    if (chunk.length === 0) this.#chunks.splice(where, 1);
    return true;
  }

  /** The items after `key`, or all for null, in order. The list must not change meanwhile. */
  *after(key: string | null): Generator<T, undefined> {
    let where = key === null ? 0 : this.#chunkFor(key);
    let at = 0;
    const start = this.#chunks[where];
    if (key !== null && start !== undefined) {
      at = this.#lowerBound(start, key);
      const item = start[at];
      if (item !== undefined && this.#compare(key, item) === 0) at++;
    }
    for (; where < this.#chunks.length; where++) {
      const chunk = this.#chunks[where]!;
      for (; at < chunk.length; at++) yield chunk[at]!;
      at = 0;
    }
  }

  /** The chunk in which `key` is or would be: the last whose first item is not after it. */
  #chunkFor(key: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#compare(key, this.#chunks[middle]![0]!) < 0) high = middle - 1;
      else low = middle;
    }
    return low;
  }

  /** The first position in `chunk` whose item is not before `key`. */
  #lowerBound(chunk: readonly T[], key: string): number {
    let low = 0;
    let high = chunk.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(key, chunk[middle]!) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const chunkItemsMax = 512;

/** A sorted list of plain strings, in code-unit order. */
export function sortedStrings(): SortedList<string> {
  return new SortedList((key, item) => (key < item ? -1 : key === item ? 0 : 1));
}
