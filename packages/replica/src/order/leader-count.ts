/** Counts the changes of the leader that a member sees, and the elections in which it stands: for metrics. */
import { type MemberId, nobody, type Raft } from "@copse/raft";
import type { Tally } from "../figures/tally.ts";

export class LeaderCount {
  readonly #tally: Pick<Tally, "leaderChanges" | "elections"> | undefined;
  /** The last leader that was known, and the newest term in which this member stood. */
  #ledBy: MemberId = nobody;
  #stoodIn = 0;

  constructor(tally: Pick<Tally, "leaderChanges" | "elections"> | undefined) {
    this.#tally = tally;
  }

  note({ lead, term, role }: Pick<Raft, "lead" | "term" | "role">): void {
    if (this.#tally === undefined) return;
    if (lead !== nobody && lead !== this.#ledBy) {
      this.#tally.leaderChanges++;
      this.#ledBy = lead;
    }
    if ((role === "candidate" || role === "leader") && term > this.#stoodIn) {
      this.#tally.elections++;
      this.#stoodIn = term;
    }
  }
}
