/**
 * How often something may happen: so many at once, and so many a second from then on.
 */
import { performance } from "node:perf_hooks";

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #filledAt: number = performance.now();

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  /** True where there is none. */
  get isEmpty(): boolean {
    this.#fill();
    return this.#tokens < 1;
  }

  /** Takes one; false where there is none. */
  take(): boolean {
    if (this.isEmpty) return false;
    this.#tokens--;
    return true;
  }

  #fill(): void {
    const now = performance.now();
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1_000) * perSecond);
    this.#filledAt = now;
  }
}
