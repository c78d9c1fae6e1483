/**
 * A follower: takes what its leader sends, and stands for election when it hears of none (paper, sections 5.1 to 5.3).
 */

import type { Core, Role, StepResult } from "../core.ts";
import { nobody, type SnapshotHead } from "../entry.ts";
import type { Message } from "../message.ts";
import { restoreMembers } from "../quorum/membership.ts";
import { hup } from "./campaign.ts";
import { switchMembers } from "./replication.ts";

export const follower: Role = { step, tick: tickElection };

/** Counts towards an election: the tick of everyone but the leader. */
export function tickElection(core: Core): void {
  core.electionElapsed++;
  if (!core.isPromotable || core.electionElapsed < core.electionTimeout) return;
  core.electionElapsed = 0;
  hup(core, core.options.preVotes ? "pre-election" : "election");
}

function step(core: Core, received: Message): StepResult {
  switch (received.kind) {
    case "propose":
      if (core.lead === nobody) return "dropped";
      core.forward(received, core.lead);
      return "done";
    case "append":
    case "heartbeat":
    case "snapshot":
      core.electionElapsed = 0;
      core.lead = received.from;
      takeFromLeader(core, received);
      return "done";
    case "transfer-leader":
      if (core.lead !== nobody) core.forward({ ...received, term: core.term }, core.lead);
      return "done";
    case "forget-leader":
      // With lease reads a leader counts on not being forgotten.
      if (core.options.reads !== "lease") core.lead = nobody;
      return "done";
    case "timeout-now":
      // The leader has asked for it, so there is no one to ask first.
      hup(core, "transfer");
      return "done";
    case "read-index":
      if (core.lead !== nobody) core.forward(received, core.lead);
      return "done";
    case "read-index-reply":
      core.readStates.push({ index: received.index, context: received.context });
      return "done";
    default:
      return "done";
  }
}

/** An append, a heartbeat or a snapshot of this term's leader. */
export function takeFromLeader(core: Core, received: Message): void {
  if (received.kind === "append") takeAppend(core, received);
  else if (received.kind === "snapshot") takeSnapshot(core, received);
  else {
    core.log.commitTo(received.commit);
    core.send("heartbeat-reply", received.from, { context: received.context });
  }
}

function takeAppend(core: Core, { from, index, logTerm, entries, commit }: Message): void {
  const { log } = core;
  if (index < log.committed) return core.send("append-reply", from, { index: log.committed });
  const last = log.maybeAppend(logTerm, index, entries, commit);
  if (last !== null) return core.send("append-reply", from, { index: last });
  // The hint spares the leader a probe for each entry of a term that it does not have.
  const hint = log.findConflict(Math.min(index, log.lastIndex), logTerm);
  core.send("append-reply", from, { index, isRejected: true, hint: hint.index, logTerm: hint.term });
}

function takeSnapshot(core: Core, { from, snapshot }: Message): void {
  const isTaken = snapshot !== null && restore(core, snapshot);
  core.send("append-reply", from, { index: isTaken ? core.log.lastIndex : core.log.committed });
}

/** False where the snapshot brings nothing new, or is not for this member. */
function restore(core: Core, snapshot: SnapshotHead): boolean {
  const { log, id, options } = core;
  const { index, term, configuration } = snapshot;
  if (index <= log.committed) return false;
  const known = [...configuration.voters, ...configuration.learners, ...configuration.outgoing];
  if (!known.includes(id)) return false;
  if (log.matches(term, index)) {
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  switchMembers(core, restoreMembers(configuration, log.lastIndex, options.window));
  return true;
}
