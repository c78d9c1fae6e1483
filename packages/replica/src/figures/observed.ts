/** What operators see of a member: its figures, now and over the last hour, and the newest changes with who made them. */
import type { MemberSample, MemberStats } from "@copse/protocol";
import type { Tree } from "@copse/tree";
import { RecentChanges } from "../following/recent-changes.ts";
import type { Coordinator } from "../order/coordinator.ts";
import type { Clock } from "../ports.ts";
import { FigureHistory, sampleEveryMs } from "./figure-history.ts";
import { type Figures, statsOf } from "./figures.ts";
import type { Tally } from "./tally.ts";

export interface ObservedState {
  readonly tree: Tree;
  readonly clock: Clock;
  readonly tally: Tally;
  readonly snapshots: { readonly newestTime: number };
  readonly committed: () => number;
  readonly syncMsP99: () => number | null;
  readonly figures: () => Figures;
  readonly nameOf: (session: string) => string;
  readonly member: string;
  readonly coordinator: Coordinator;
  readonly role: () => string;
}

export class Observed {
  readonly recent: RecentChanges;
  readonly #state: ObservedState;
  readonly #history: FigureHistory;

  constructor(state: ObservedState) {
    this.#state = state;
    this.recent = new RecentChanges(state.tree, state.nameOf);
    this.#history = new FigureHistory(state.tally);
  }

  stats(): MemberStats {
    const { figures, member, coordinator, role, committed, snapshots, syncMsP99 } = this.#state;
    const own = { member, role: role(), leader: coordinator.member, term: coordinator.term };
    return statsOf(figures(), own, { committed: committed(), snapshotTime: snapshots.newestTime, syncMsP99: syncMsP99() });
  }

  /** The samples that were taken after a time, oldest first. */
  history(after: number): { readonly everyMs: number; readonly samples: readonly MemberSample[] } {
    return { everyMs: sampleEveryMs, samples: this.#history.after(after) };
  }

  tick(): void {
    const { clock, figures } = this.#state;
    if (this.#history.isDue(clock.now())) this.#history.note(figures(), clock.now(), clock.wall());
  }
}
