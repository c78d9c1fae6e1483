/**
 * Simulated time and chance: everything that happens, in one order that follows from a seed.
 *
 * Invariant: events run in the order of their times, those of one time in the order in which they were scheduled; behind
 * each event all promises that it settled run before the next.
 */

/** Numbers that look random and follow from a seed (the sfc32 generator). */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = (seed / 2 ** 32) | 0;
    this.#c = 0x9e3779b9;
    for (let round = 0; round < 15; round++) this.next();
  }

  /** In [0, 1). */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Turns of the queue of promises behind each event: more than any chain of them in the product is long. */
const promiseTurns = 24;

export class World {
  /** Milliseconds. */
  now = 0;
  readonly random: Prng;
  /** Events that have run. */
  events = 0;
  readonly #heap: Scheduled[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = new Prng(seed);
  }

  /** Runs `run` after `ms`; gives what cancels it. */
  after(ms: number, run: () => void): () => void {
    const scheduled: Scheduled = { at: this.now + Math.max(0, ms), order: ++this.#order, run, isCancelled: false };
    this.#push(scheduled);
    return () => {
      scheduled.isCancelled = true;
    };
  }

  /** Lets time pass until `until`, or until `isOver`. */
  async run(until: number, isOver: () => boolean = () => false): Promise<void> {
    for (let first = this.#heap[0]; first !== undefined && first.at <= until; first = this.#heap[0]) {
      this.#pop();
      if (first.isCancelled) continue;
      this.now = first.at;
      this.events++;
      first.run();
      for (let turn = 0; turn < promiseTurns; turn++) await undefined;
      if (isOver()) return;
    }
    this.now = Math.max(this.now, until);
  }

  #isBefore(a: Scheduled, b: Scheduled): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  #push(item: Scheduled): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#isBefore(heap[at]!, heap[above]!)) return;
      [heap[at], heap[above]] = [heap[above]!, heap[at]!];
      at = above;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < heap.length && this.#isBefore(heap[child]!, heap[least]!)) least = child;
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }
}
