/**
 * A candidate, or one who first asks whether it could win (paper, section 5.2; dissertation, section 9.6).
 */

import type { Core, Role, StepResult } from "../core.ts";
import { nobody } from "../entry.ts";
import type { Message } from "../message.ts";
import { stand } from "./campaign.ts";
import { takeFromLeader, tickElection } from "./follower.ts";
import { broadcastAppend } from "./replication.ts";

export const candidate: Role = { step, tick: tickElection };

function step(core: Core, received: Message): StepResult {
  switch (received.kind) {
    case "propose":
      return "dropped";
    case "append":
    case "heartbeat":
    case "snapshot":
      // Somebody has won this term.
      core.becomeFollower(received.term, received.from);
      takeFromLeader(core, received);
      return "done";
    case "vote-reply":
      if (core.role === "candidate") count(core, received);
      return "done";
    case "pre-vote-reply":
      if (core.role === "pre-candidate") count(core, received);
      return "done";
    default:
      return "done";
  }
}

function count(core: Core, { from, isRejected, commit, logTerm }: Message): void {
  // What one member has committed is committed; where the entry is the same, so is all before it (R2).
  if (isRejected && commit > core.log.committed && core.log.term(commit) === logTerm) core.log.commitTo(commit);
  const result = core.countVote(from, !isRejected);
  if (result === "lost") core.becomeFollower(core.term, nobody);
  if (result !== "won") return;
  if (core.role === "pre-candidate") return stand(core, "election");
  core.becomeLeader();
  broadcastAppend(core);
}
