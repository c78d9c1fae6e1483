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

export class StateTimeCheck {
  /**
   * The latest that the time may be at a moment of the world; null while it may begin anew. What was stamped in an older term may stand in a
   * log since before it did, and be committed yet.
   */
  #bound: { readonly time: number; readonly at: number; readonly term: number } | null = null;

  /** Looks at who knows the time: each quorum has to have one of them, or the time may begin anew. */
  look({ nodes }: SimulatedEnsemble, now: number): void {
    const up = nodes.filter(({ isUp }) => isUp).map(({ id, member }) => ({ id: Number(id), member: member! }));
    const knowing = up.filter(({ member }) => member.time.isKnown);
    const isLost = (group: readonly number[]): boolean => {
      const quorum = Math.floor(group.length / 2) + 1;
      return group.length > 0 && group.filter((id) => knowing.some((one) => one.id === id)).length + quorum <= group.length;
    };
    const views = up.map(({ member }) => member.order.members);
    if (views.some(({ voters, outgoing }) => isLost(voters) || isLost(outgoing))) this.#bound = null;
    else if (knowing.length > 0)
      this.#bound ??= {
        time: Math.max(...knowing.map(({ member }) => member.time.peek())) + gainMsMax,
        at: now,
        term: Math.max(...knowing.map(({ member }) => member.term)),
      };
  }

  /** @returns by how many milliseconds the time of a new entry is too late, or 0 */
  excess({ time, term }: { readonly time: number; readonly term: number }, now: number): number {
    if (this.#bound === null) return 0;
    const excess = Math.max(0, time - this.#bound.time - (now - this.#bound.at) * rateMax);
    if (excess === 0 || term >= this.#bound.term) return excess;
    // The time goes on from what is applied.
    this.#bound = { ...this.#bound, time: time + gainMsMax, at: now };
    return 0;
  }
}
