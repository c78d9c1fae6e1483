/** A line in which keys take turns: one that has many items waiting holds up no other. */
export class Turns<T> {
  /** The first key has its turn next. */
  readonly #items: Map<string, T[]> = new Map();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many items of a key wait. */
  sizeOf(key: string): number {
    return this.#items.get(key)?.length ?? 0;
  }

  add(key: string, item: T): void {
    this.#size++;
    const items = this.#items.get(key);
    if (items === undefined) this.#items.set(key, [item]);
    else items.push(item);
  }

  /** The next item, whose key goes to the end; null where nothing waits. */
  take(): T | null {
    const [first] = this.#items;
    if (first === undefined) return null;
    const [key, items] = first;
    const item = items.shift()!;
    this.#size--;
    this.#items.delete(key);
    if (items.length > 0) this.#items.set(key, items);
    return item;
  }
}
