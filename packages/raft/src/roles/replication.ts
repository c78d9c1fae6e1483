/**
 * A leader's sending: appends, snapshots, heartbeats; and what a new configuration means for it (paper, sections 5.3 and 7).
 *
 * Invariant: what is sent next to a follower follows from its progress alone, and its progress notes what was sent.
 */
import type { Core } from "../core.ts";
import { type Configuration, type MemberId, nobody, type SnapshotHead } from "../entry.ts";
import type { Members } from "../quorum/membership.ts";
import type { Progress } from "../quorum/progress.ts";

/** Sends an append, an empty one too, if the follower's progress allows any. */
export function sendAppend(core: Core, to: MemberId): void {
  maybeSendAppend(core, to, true);
}

/** True if something was sent. */
export function maybeSendAppend(core: Core, to: MemberId, evenEmpty: boolean): boolean {
  const progress = core.progress(to)!;
  if (progress.isPaused) return false;
  const { log, options } = core;
  const index = progress.next - 1;
  const logTerm = log.term(index);
  if (logTerm === null) return maybeSendSnapshot(core, to, progress);
  const mayCarry = progress.state !== "replicate" || !progress.inflights.isFull;
  const entries = mayCarry ? log.slice(progress.next, undefined, options.appendBytesMax) : [];
  if (entries.length === 0 && !evenEmpty) return false;
  core.send("append", to, { index, logTerm, entries, commit: log.committed });
  progress.sent(
    entries.length,
    entries.reduce((sum, { payload }) => sum + payload.length, 0),
  );
  progress.sentCommit = log.committed;
  return true;
}

function maybeSendSnapshot(core: Core, to: MemberId, progress: Progress): boolean {
  // A member that is not heard of would not take it: wait until it is.
  if (!progress.isActive) return false;
  const snapshot: SnapshotHead = core.options.snapshot();
  progress.becomeSnapshot(snapshot.index);
  core.send("snapshot", to, { snapshot });
  return true;
}

export function broadcastAppend(core: Core): void {
  for (const member of core.members.progress.keys()) if (member !== core.id) sendAppend(core, member);
}

export function broadcastHeartbeat(core: Core, context: string): void {
  for (const [member, progress] of core.members.progress) {
    if (member === core.id) continue;
    const commit = Math.min(progress.match, core.log.committed);
    core.send("heartbeat", member, { commit, context });
    progress.sentCommit = commit;
  }
}

/** Takes a new configuration. Gives it as snapshots carry it. */
export function switchMembers(core: Core, members: Members): Configuration {
  core.members = members;
  const { configuration } = core;
  const own = core.progress(core.id);
  if ((own === undefined || own.isLearner) && core.role === "leader") {
    if (core.options.stepsDownOnRemoval) core.becomeFollower(core.term, nobody);
    return configuration;
  }
  if (core.role !== "leader" || configuration.voters.length === 0) return configuration;
  if (core.maybeCommit()) broadcastAppend(core);
  else for (const member of members.progress.keys()) if (member !== core.id) maybeSendAppend(core, member, false);
  const isVoter = members.voters[0].has(core.transferee) || members.voters[1].has(core.transferee);
  if (!isVoter) core.transferee = nobody;
  return configuration;
}
