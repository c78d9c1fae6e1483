/**
 * The newest entries, for edges that lack only those.
 *
 * Invariants: they follow each other without a gap, and end with the newest; they weigh at most `unitsMax`, apart from the newest.
 */
import type { OrderedEntry } from "../order/order.ts";

export class RecentEntries {
  readonly #unitsMax: number;
  #entries: OrderedEntry[] = [];
  /** Entries before it were let go: they are cut off once they are many. */
  #head = 0;
  #units = 0;

  /** @param unitsMax UTF-16 units of payloads */
  constructor(unitsMax: number) {
    this.#unitsMax = unitsMax;
  }

  add(entry: OrderedEntry): void {
    this.#entries.push(entry);
    this.#units += entry.payload.length;
    while (this.#units > this.#unitsMax && this.#head < this.#entries.length - 1) this.#dropOldest();
    if (this.#head > this.#entries.length / 2) this.#cut();
  }

  /** True if everything after entry `index`, which is not newer than the newest, is here. */
  follows(index: number): boolean {
    const first = this.#entries[this.#head];
    return first !== undefined && first.index <= index + 1;
  }

  /** The entries after `index`, in order, about `unitsMax` of them, and one at least where there is one. `follows(index)` holds. */
  after(index: number, unitsMax: number): readonly OrderedEntry[] {
    const start = this.#head + (index + 1 - this.#entries[this.#head]!.index);
    let end = start;
    for (let units = 0; end < this.#entries.length && units < unitsMax; end++) units += this.#entries[end]!.payload.length;
    return this.#entries.slice(start, end);
  }

  /** Nobody needs them, or the state has jumped ahead. */
  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#units = 0;
  }

  #dropOldest(): void {
    this.#units -= this.#entries[this.#head++]!.payload.length;
  }

  #cut(): void {
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}
