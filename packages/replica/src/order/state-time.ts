/**
 * The state's time: what entries are stamped with, and with it ctime, mtime and TTLs.
 *
 * It follows the wall clock, but never jumps with it: it runs at 0.9 to 1.1 times the monotonic clock until the two meet. So a wall
 * clock that jumps an hour ahead makes no TTL come due early, and one that jumps back does not hold time still. Invariants: while a
 * member of the ensemble knows the state's time, the others learn it from that member, with its vote if not before; only where nobody knows
 * it, as after a start of all of them, does it begin at the wall clock. It is never before the time of the newest entry that was applied.
 */
import type { Clock } from "../ports.ts";

/** How much slower or faster than the monotonic clock the state's time may run. */
const slew = 0.1;

export class StateTime {
  readonly #clock: Clock;
  readonly #tree: { readonly time: number };
  /** What the time was at a moment of the monotonic clock; null while this member does not know it. */
  #known: { readonly time: number; readonly at: number } | null = null;

  /** @param tree the state, whose `time` is that of its newest entry */
  constructor(clock: Clock, tree: { readonly time: number }) {
    this.#clock = clock;
    this.#tree = tree;
  }

  /** The time of an entry that is stamped now, in whole milliseconds since the epoch. It begins at the wall clock where nobody knows better. */
  now(): number {
    const time = this.peek();
    this.#known = { time, at: this.#clock.now() };
    return Math.floor(time);
  }

  /** False while this member has neither heard the time nor begun it. */
  get isKnown(): boolean {
    return this.#known !== null;
  }

  /** The time as this member tells it to others, or 0 while it does not know it. */
  get told(): number {
    return this.isKnown ? this.now() : 0;
  }

  /** How far the wall clock is ahead of the state's time, in milliseconds; below 0 where it is behind. */
  get wallOffsetMs(): number {
    return this.#clock.wall() - this.peek();
  }

  /** The coordinator says what the time is. */
  follow(time: number): void {
    if (time > 0) this.#known = { time, at: this.#clock.now() };
  }

  /** Another member says what the time is: it counts where this one does not know. */
  learn(time: number): void {
    if (!this.isKnown) this.follow(time);
  }

  /** The time as it would be now. Looking begins nothing. */
  peek(): number {
    const wall = this.#clock.wall();
    if (this.#known === null) return Math.max(wall, this.#tree.time);
    const { time, at } = this.#known;
    const elapsed = this.#clock.now() - at;
    const least = Math.max(time + elapsed * (1 - slew), this.#tree.time);
    const most = Math.max(time + elapsed * (1 + slew), least);
    return Math.min(Math.max(wall, least), most);
  }
}
