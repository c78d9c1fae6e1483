/**
 * Simulated time and chance: everything that happens, in one order that follows from a seed.
 *
 * Invariant: events run in the order of their times, those of one time in the order in which they were scheduled; after
 * each event all promises that it settled run before the next.
 */
import { Prng } from "./prng.ts";

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Turns of the queue of promises after each event: more than any chain of them in the product is long. */
const promiseTurns = 24;

async function promisesSettled(): Promise<void> {
  for (let turn = 0; turn < promiseTurns; turn++) await undefined;
}

export class World {
  /** Milliseconds. */
  now = 0;
  readonly random: Prng;
  /** Events that have run. */
  events = 0;
  readonly #heap: Scheduled[] = [];
  readonly #settle: () => Promise<void>;
  #order = 0;
  /** Hears of whatever is scheduled. */
  onSchedule: () => void = () => {};

  /** @param settle resolves after all that an event has caused at once */
  constructor(seed: number, settle: () => Promise<void> = promisesSettled) {
    this.random = new Prng(seed);
    this.#settle = settle;
  }

  /** True if something is due now. */
  get isDue(): boolean {
    return this.#heap[0] !== undefined && this.#heap[0].at <= this.now;
  }

  /** Runs `run` after `ms`; gives what cancels it. */
  after(ms: number, run: () => void): () => void {
    const scheduled: Scheduled = { at: this.now + Math.max(0, ms), order: ++this.#order, run, isCancelled: false };
    this.#push(scheduled);
    this.onSchedule();
    return () => {
      scheduled.isCancelled = true;
    };
  }

  /** Lets time pass until `until`, or until `isOver`. */
  async run(until: number, isOver: () => boolean = () => false): Promise<void> {
    for (let first = this.#heap[0]; first !== undefined && first.at <= until; first = this.#heap[0]) {
      this.#pop();
      if (first.isCancelled) continue;
      this.now = Math.max(this.now, first.at);
      this.events++;
      first.run();
      await this.#settle();
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
