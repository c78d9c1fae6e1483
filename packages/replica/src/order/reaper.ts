/**
 * Containers and TTL znodes that are due: the coordinator looks for them and proposes their removal.
 *
 * Invariant: it only proposes; whether a znode is still due is judged again where the txn is applied, by the entry's time.
 * A look takes at most `proposalsMax` at once; the rest wait for the next.
 */
import { isReapable, pathOf, type Tree } from "@copse/tree";
import type { Clock } from "../ports.ts";
import type { Proposals } from "./proposals.ts";
import type { StateTime } from "./state-time.ts";

const proposalsMax = 1_000;

interface ReaperState {
  readonly tree: Tree;
  readonly proposals: Proposals;
  readonly clock: Clock;
  readonly time: StateTime;
}

export class Reaper {
  readonly #state: ReaperState;
  readonly #everyMs: number;
  #nextAt: number;

  /** @param everyMs how often it looks */
  constructor(state: ReaperState, everyMs: number) {
    this.#state = state;
    this.#everyMs = everyMs;
    this.#nextAt = state.clock.now() + everyMs;
  }

  /** Looks, if it is time. To be called by the coordinator alone. */
  tick(): void {
    const { tree, proposals, clock, time } = this.#state;
    if (clock.now() < this.#nextAt) return;
    this.#nextAt = clock.now() + this.#everyMs;
    const now = time.now();
    let proposed = 0;
    for (const znode of tree.reapable) {
      if (!isReapable(znode, now)) continue;
      if (++proposed > proposalsMax) return;
      proposals.add({ kind: "reap", path: pathOf(znode), czxid: znode.czxid }, () => {});
    }
  }
}
