/**
 * Messages, entries, Readys and progress in the words of etcd's interaction scripts, which are the oracle.
 */

const messageNames = {
  hup: "MsgHup",
  beat: "MsgBeat",
  propose: "MsgProp",
  append: "MsgApp",
  "append-reply": "MsgAppResp",
  vote: "MsgVote",
  "vote-reply": "MsgVoteResp",
  "pre-vote": "MsgPreVote",
  "pre-vote-reply": "MsgPreVoteResp",
  snapshot: "MsgSnap",
  heartbeat: "MsgHeartbeat",
  "heartbeat-reply": "MsgHeartbeatResp",
  unreachable: "MsgUnreachable",
  "snapshot-status": "MsgSnapStatus",
  "check-quorum": "MsgCheckQuorum",
  "transfer-leader": "MsgTransferLeader",
  "timeout-now": "MsgTimeoutNow",
  "read-index": "MsgReadIndex",
  "read-index-reply": "MsgReadIndexResp",
  "forget-leader": "MsgForgetLeader",
};
export const roleNames = {
  follower: "StateFollower",
  "pre-candidate": "StatePreCandidate",
  candidate: "StateCandidate",
  leader: "StateLeader",
};
const progressNames = { probe: "StateProbe", replicate: "StateReplicate", snapshot: "StateSnapshot" };
const changeLetters = { "add-voter": "v", "add-learner": "l", remove: "r", update: "u" };

export function messageName(kind) {
  return messageNames[kind];
}

export function describeChanges(changes) {
  return changes.map(({ kind, member }) => changeLetters[kind] + member).join(" ");
}

export function describeEntry({ term = 0, index = 0, kind, payload, change }) {
  const name = { normal: "EntryNormal", "simple-change": "EntryConfChange", change: "EntryConfChangeV2" }[kind];
  const content = kind === "normal" ? JSON.stringify(payload) : describeChanges(change.changes);
  return `${term}/${index} ${name}${content === "" ? "" : ` ${content}`}`;
}

export function describeSnapshot({ index, term, configuration }) {
  const list = (members) => `[${members.join(" ")}]`;
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration;
  return `Index:${index} Term:${term} ConfState:Voters:${list(voters)} VotersOutgoing:${list(outgoing)} Learners:${list(learners)} LearnersNext:${list(learnersNext)} AutoLeave:${autoLeave}`;
}

export function describeMessage(message) {
  const { kind, from, to, term, logTerm, index, isRejected, hint, commit, snapshot } = message;
  const entries = kind === "propose" ? message.proposals : message.entries;
  let text = `${from}->${to} ${messageNames[kind]} Term:${term} Log:${logTerm}/${index}`;
  if (isRejected) text += ` Rejected (Hint: ${hint})`;
  if (commit !== 0) text += ` Commit:${commit}`;
  if (entries.length === 1) text += ` Entries:[${describeEntry(entries[0])}]`;
  else if (entries.length > 1) text += ` Entries:[${entries.map((entry) => `\n  ${describeEntry(entry)}`).join("")}\n]`;
  if (snapshot !== null) text += `\n  Snapshot: ${describeSnapshot(snapshot)}`;
  return text;
}

export function describeReady({ soft, hardState, reads, entries, snapshot, committed, messages, messagesAfterStore, mustStore }) {
  const lines = [`Ready MustSync=${mustStore}:`];
  if (soft !== null) lines.push(`Lead:${soft.lead} State:${roleNames[soft.role]}`);
  if (hardState !== null) {
    const { term, vote, commit } = hardState;
    lines.push(`HardState Term:${term}${vote === 0 ? "" : ` Vote:${vote}`} Commit:${commit}`);
  }
  if (reads.length > 0)
    lines.push(`ReadStates [${reads.map(({ index, context }) => `{${index} [${[...Buffer.from(context)].join(" ")}]}`).join(" ")}]`);
  if (entries.length > 0) lines.push("Entries:", ...entries.map(describeEntry));
  if (snapshot !== null) lines.push(`Snapshot ${describeSnapshot(snapshot)}`);
  if (committed.length > 0) lines.push("CommittedEntries:", ...committed.map(describeEntry));
  const all = [...messages, ...messagesAfterStore];
  if (all.length > 0) lines.push("Messages:", ...all.map(describeMessage));
  return lines.length === 1 && !mustStore ? "<empty Ready>" : lines.join("\n");
}

export function describeProgress(progress) {
  const { state, match, next, isLearner, isPaused, pendingSnapshot, isActive, inflights } = progress;
  let text = `${progressNames[state]} match=${match} next=${next}`;
  if (isLearner) text += " learner";
  if (isPaused) text += " paused";
  if (pendingSnapshot > 0) text += ` pendingSnap=${pendingSnapshot}`;
  if (!isActive) text += " inactive";
  if (inflights.count > 0) text += ` inflight=${inflights.count}${inflights.isFull ? "[full]" : ""}`;
  return text;
}

export function describeAllProgress(members) {
  return [...members.progress].map(([member, progress]) => `${member}: ${describeProgress(progress)}`).join("\n");
}

export function describeMembers({ voters, learners, learnersNext, autoLeave }) {
  const list = (members) => `(${[...members].sort((a, b) => a - b).join(" ")})`;
  let text = `voters=${list(voters[0])}${voters[1].size > 0 ? `&&${list(voters[1])}` : ""}`;
  if (learners.size > 0) text += ` learners=${list(learners)}`;
  if (learnersNext.size > 0) text += ` learners_next=${list(learnersNext)}`;
  return autoLeave ? `${text} autoleave` : text;
}
