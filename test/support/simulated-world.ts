/** Time that moves when the test says so, and timers on it: a twin of the host's clock, for code that takes one as a port. */
export class SimulatedTime {
  #now = 1_000;
  readonly #timers: { readonly at: number; readonly run: () => void }[] = [];

  now = (): number => this.#now;

  after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      const at = this.#timers.indexOf(timer);
      if (at >= 0) this.#timers.splice(at, 1);
    };
  };

  /** Moves time on, running the timers that are due in their order; between two of them, what they caused. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await settled();
      const due = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.splice(this.#timers.indexOf(due), 1);
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = until;
    await settled();
  }

  /** Time passes and no timer runs, as in a page or a process that was frozen. */
  freeze(ms: number): void {
    this.#now += ms;
  }
}

/** Resolves behind all that is under way in this process's turns. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
