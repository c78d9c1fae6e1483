/**
 * What must hold of the state's time (S22): whatever wall clocks are set to, it runs at most a tenth faster than monotonic clocks do.
 *
 * It may begin anew at a wall clock only where nobody was left to tell it: then the check begins anew, too.
 */
import type { SimulatedEnsemble } from "@copse/testing/simulation";

/** Clocks run at most ten percent fast, and the time ten percent faster. */
const rateMax = 1.1 * 1.1;
/** What it may gain besides, as members hear of it with a delay, in milliseconds. */
const gainMsMax = 1_000;
/** Entries show late: those of so long after a new beginning say where it is, in milliseconds. */
const beginningMs = 3_000;

export class StateTimeCheck {
  /** The latest that the time may be at a moment of the world; null where it may begin anew. */
  #bound: { readonly time: number; readonly at: number; readonly begunAt: number } | null = null;

  /** Looks at who knows the time: any quorum has to meet one of them, or it may begin anew. */
  look({ nodes }: SimulatedEnsemble): void {
    const knowing = nodes.filter(({ isUp, member }) => isUp && member!.time.isKnown);
    const quorum = Math.floor(nodes.length / 2) + 1;
    if (knowing.length + quorum <= nodes.length) this.#bound = null;
  }

  /** @returns by how many milliseconds the time of a new entry is too late, or 0 */
  excess(time: number, now: number): number {
    if (time === 0) return 0;
    const { time: before, at, begunAt } = this.#bound ?? { time: 0, at: now, begunAt: now };
    const most = before + (now - at) * rateMax;
    if (now - begunAt <= beginningMs) {
      this.#bound = { time: Math.max(most, time + gainMsMax), at: now, begunAt };
      return 0;
    }
    this.#bound = { time: most, at: now, begunAt };
    return Math.max(0, time - most);
  }
}
