/**
 * A leader: gives proposals their places, replicates them, and keeps proving that it leads (paper, sections 5.3, 5.4 and 8).
 */
import type { Core, Role, StepResult } from "../core.ts";
import { type MembershipChange, nobody, type Proposal } from "../entry.ts";
import type { Message } from "../message.ts";
import { leavesJoint } from "../quorum/membership.ts";
import type { Progress } from "../quorum/progress.ts";
import { jointVoteResult, votersOf } from "../quorum/quorum.ts";
import { broadcastAppend, broadcastHeartbeat, maybeSendAppend, sendAppend } from "./replication.ts";

export const leader: Role = { step, tick };

function tick(core: Core): void {
  const { electionTicks, heartbeatTicks, checksQuorum } = core.options;
  core.heartbeatElapsed++;
  core.electionElapsed++;
  if (core.electionElapsed >= electionTicks) {
    core.electionElapsed = 0;
    if (checksQuorum) checkQuorum(core);
    // A transfer that took an election's time has failed.
    if (core.role === "leader") core.transferee = nobody;
  }
  if (core.role !== "leader" || core.heartbeatElapsed < heartbeatTicks) return;
  core.heartbeatElapsed = 0;
  broadcastHeartbeat(core, core.readIndex.newest);
}

/** A leader that a quorum does not hear steps down, so that its clients look elsewhere (dissertation, section 6.2). */
function checkQuorum(core: Core): void {
  const active = new Map([...core.members.progress].map(([member, { isActive }]) => [member, isActive || member === core.id]));
  if (jointVoteResult(core.members.voters, active) !== "won") core.becomeFollower(core.term, nobody);
  for (const [member, progress] of core.members.progress) if (member !== core.id) progress.isActive = false;
}

function step(core: Core, received: Message): StepResult {
  switch (received.kind) {
    case "beat":
      broadcastHeartbeat(core, core.readIndex.newest);
      return "done";
    case "check-quorum":
      checkQuorum(core);
      return "done";
    case "propose":
      return propose(core, received.proposals);
    case "read-index":
      readIndex(core, received);
      return "done";
    default: {
      const progress = core.progress(received.from);
      if (progress !== undefined) stepPeer(core, received, progress);
      return "done";
    }
  }
}

function propose(core: Core, proposals: readonly Proposal[]): StepResult {
  if (core.progress(core.id) === undefined || core.transferee !== nobody) return "dropped";
  const kept = proposals.map((proposal, at) => {
    if (proposal.change === null) return proposal;
    if (!core.options.skipsChangeValidation && !mayChange(core, proposal.change)) return refusedChange;
    core.pendingChangeIndex = core.log.lastIndex + at + 1;
    return proposal;
  });
  if (!core.append(kept)) return "dropped";
  broadcastAppend(core);
  return "done";
}

/** What stands in the log in place of a membership change that was not allowed. */
const refusedChange: Proposal = { kind: "normal", payload: "", change: null };

/** One at a time, and a joint configuration is left before anything else. */
function mayChange(core: Core, change: MembershipChange): boolean {
  if (core.pendingChangeIndex > core.log.applied) return false;
  return core.isJoint === leavesJoint(change);
}

function stepPeer(core: Core, received: Message, progress: Progress): void {
  switch (received.kind) {
    case "append-reply":
      progress.isActive = true;
      if (received.isRejected) takeRejection(core, received, progress);
      else takeAcknowledgement(core, received, progress);
      return;
    case "heartbeat-reply":
      return takeHeartbeatReply(core, received, progress);
    case "snapshot-status":
      if (progress.state !== "snapshot") return;
      if (received.isRejected) progress.pendingSnapshot = 0;
      progress.becomeProbe();
      // The next append waits for the follower's word, or for a heartbeat.
      progress.isFlowPaused = true;
      return;
    case "unreachable":
      if (progress.state === "replicate") progress.becomeProbe();
      return;
    case "transfer-leader":
      return transfer(core, received, progress);
    default:
      return;
  }
}

function takeRejection(core: Core, { from, index, hint, logTerm }: Message, progress: Progress): void {
  const probe = logTerm > 0 ? core.log.findConflict(hint, logTerm).index : hint;
  if (!progress.decrease(index, probe)) return;
  if (progress.state === "replicate") progress.becomeProbe();
  sendAppend(core, from);
}

function takeAcknowledgement(core: Core, { from, index }: Message, progress: Progress): void {
  const { log } = core;
  if (!progress.update(index) && !(progress.match === index && progress.state === "probe")) return;
  if (progress.state === "probe") progress.becomeReplicate();
  else if (progress.state === "snapshot" && progress.match + 1 >= log.firstIndex) {
    // It has caught up far enough for the log to take over.
    progress.becomeProbe();
    progress.becomeReplicate();
  } else if (progress.state === "replicate") progress.inflights.free(index);
  if (core.maybeCommit()) {
    releaseWaitingReads(core);
    broadcastAppend(core);
  } else if (from !== core.id && progress.canBumpCommit(log.committed)) sendAppend(core, from);
  if (from === core.id) return;
  while (maybeSendAppend(core, from, false));
  if (from === core.transferee && progress.match === log.lastIndex) core.send("timeout-now", from);
}

function takeHeartbeatReply(core: Core, received: Message, progress: Progress): void {
  const { from, context } = received;
  progress.isActive = true;
  progress.isFlowPaused = false;
  if (progress.match < core.log.lastIndex || progress.state === "probe") sendAppend(core, from);
  if (core.options.reads !== "safe" || context === "") return;
  if (jointVoteResult(core.members.voters, core.readIndex.acknowledge(from, context)) !== "won") return;
  for (const { request, index } of core.readIndex.release(context)) answerRead(core, request, index);
}

function transfer(core: Core, { from }: Message, progress: Progress): void {
  if (progress.isLearner || core.transferee === from) return;
  core.transferee = nobody;
  if (from === core.id) return;
  // It has one election timeout to succeed.
  core.electionElapsed = 0;
  core.transferee = from;
  if (progress.match === core.log.lastIndex) core.send("timeout-now", from);
  else sendAppend(core, from);
}

function readIndex(core: Core, request: Message): void {
  // Before an entry of its own term is committed a leader does not know what is (paper, section 8), be it alone: it may have
  // started again with entries that it acknowledged and has not found committed yet.
  if (core.log.term(core.log.committed) !== core.term) {
    core.waitingReads.push(request);
    return;
  }
  askQuorum(core, request);
}

function askQuorum(core: Core, request: Message): void {
  const voters = votersOf(core.members.voters);
  const isAlone = voters.length === 1 && voters[0] === core.id;
  if (isAlone || core.options.reads === "lease") return answerRead(core, request, core.log.committed);
  core.readIndex.add(request, core.log.committed, core.id);
  broadcastHeartbeat(core, request.context);
}

function releaseWaitingReads(core: Core): void {
  if (core.waitingReads.length === 0 || core.log.term(core.log.committed) !== core.term) return;
  const waiting = core.waitingReads;
  core.waitingReads = [];
  for (const request of waiting) askQuorum(core, request);
}

function answerRead(core: Core, { from, context }: Message, index: number): void {
  if (from === nobody || from === core.id) core.readStates.push({ index, context });
  else core.send("read-index-reply", from, { index, context });
}
