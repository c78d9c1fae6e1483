/**
 * What happens in the whole tree: one recursive watch at the root, which brings no data and no state.
 *
 * Invariants: it keeps the newest changes alone; how many happen in a second is counted whether they are kept or not.
 */
import type { Copse, WatchEvent } from "@copse/client";

export interface LoggedChange {
  readonly kind: WatchEvent["event"];
  readonly path: string;
  readonly zxid: number;
  /** When this page heard of it, in milliseconds since the epoch. */
  readonly at: number;
}

/** Changes that are kept. */
const keptMax = 2_000;

export class ChangeLog {
  /** The newest last. */
  #kept: LoggedChange[] = [];
  readonly #listeners: Set<(change: LoggedChange) => void> = new Set();
  #total = 0;
  /** Changes of the present second and of the one before. */
  #second = { at: 0, count: 0, before: 0 };

  constructor(copse: Copse) {
    // A watch that the server refuses leaves the log as it is; everything else in the page goes on.
    this.#follow(copse).catch(() => {});
  }

  get kept(): readonly LoggedChange[] {
    return this.#kept;
  }

  /** All that were heard of. */
  get total(): number {
    return this.#total;
  }

  /** Changes a second, over the newest whole second. */
  get rate(): number {
    this.#turn(Math.floor(performance.now() / 1_000));
    return Math.max(this.#second.before, this.#second.count);
  }

  /** Calls `listener` at each change; gives what stops that. */
  listen(listener: (change: LoggedChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #follow(copse: Copse): Promise<void> {
    for await (const { event, path, zxid } of copse.watch("/", { mode: "recursive" })) {
      const change = { kind: event, path, zxid, at: Date.now() };
      this.#turn(Math.floor(performance.now() / 1_000));
      this.#second.count++;
      this.#total++;
      this.#kept.push(change);
      if (this.#kept.length >= 2 * keptMax) this.#kept = this.#kept.slice(-keptMax);
      for (const listener of this.#listeners) listener(change);
    }
  }

  #turn(second: number): void {
    if (second === this.#second.at) return;
    this.#second = { at: second, count: 0, before: second === this.#second.at + 1 ? this.#second.count : 0 };
  }
}
