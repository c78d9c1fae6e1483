/**
 * One turn of the loop: how long it may still go on, and which connections go on in the next.
 *
 * Invariant: work of many steps asks between two of them whether the turn is over; if it is, the rest is done in a later turn.
 */
import type { Clock } from "../ports.ts";

export class Turn {
  readonly #clock: Clock;
  #until = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A turn begins, or goes on, and is over after so many milliseconds. */
  begin(ms: number): void {
    this.#until = this.#clock.now() + ms;
  }

  /** True if the turn is over at this time of the member's clock. */
  isOverAt(now: number): boolean {
    return now >= this.#until;
  }

  get isOver(): boolean {
    return this.#clock.now() >= this.#until;
  }
}
