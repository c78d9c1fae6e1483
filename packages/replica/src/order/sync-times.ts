/** How long the newest writes to the log took, syncs included: for operators, who see a disk grow slow before it fails. */

/** Writes whose time is kept. */
const kept = 512;

export class SyncTimes {
  /** In milliseconds, in no order. */
  readonly #ms: number[] = [];
  #count = 0;

  note(ms: number): void {
    this.#ms[this.#count++ % kept] = ms;
  }

  /** What 99 of 100 stayed below, in milliseconds; null where there were none. */
  p99(): number | null {
    const sorted = [...this.#ms].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? null;
  }
}
