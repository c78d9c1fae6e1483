export type { RaftOptions, ReadState, Role, RoleName, StepResult } from "./core.ts";
export * from "./entry.ts";
export { isLocal, isReply, type Message, type MessageKind, message } from "./message.ts";
export * from "./quorum/membership.ts";
export { Progress, type ProgressState } from "./quorum/progress.ts";
export * from "./quorum/quorum.ts";
export { emptyStart, Raft, type RaftStart } from "./raft.ts";
export type { RaftLog } from "./raft-log.ts";
export type { Ready } from "./ready.ts";
