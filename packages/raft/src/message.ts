/**
 * What members say to each other, and what a member is told by its own host (paper, figure 2; dissertation, chapters 3 and 6).
 *
 * Invariant: a message that is built here carries every field, so that all have one shape; 0, "" and null mean nothing.
 */
import { type Entry, type MemberId, nobody, type Proposal, type SnapshotHead } from "./entry.ts";

export type MessageKind =
  | "hup"
  | "beat"
  | "propose"
  | "append"
  | "append-reply"
  | "vote"
  | "vote-reply"
  | "pre-vote"
  | "pre-vote-reply"
  | "snapshot"
  | "heartbeat"
  | "heartbeat-reply"
  | "unreachable"
  | "snapshot-status"
  | "check-quorum"
  | "transfer-leader"
  | "timeout-now"
  | "read-index"
  | "read-index-reply"
  | "forget-leader";

export interface Message {
  readonly kind: MessageKind;
  readonly from: MemberId;
  readonly to: MemberId;
  readonly term: number;
  /** Of the entry before those that are sent, or what the kind says. */
  readonly index: number;
  readonly logTerm: number;
  readonly entries: readonly Entry[];
  readonly proposals: readonly Proposal[];
  readonly commit: number;
  readonly isRejected: boolean;
  /** Where the sender's log may agree, with a rejection. */
  readonly hint: number;
  readonly snapshot: SnapshotHead | null;
  /** Of a read, or "transfer" on a vote that a leader asked for. */
  readonly context: string;
}

const none: readonly never[] = [];

/** A message with these fields; what is not given is zero, empty or nobody. */
export function message(kind: MessageKind, given: Partial<Message> = {}): Message {
  return {
    kind,
    from: given.from ?? nobody,
    to: given.to ?? nobody,
    term: given.term ?? 0,
    index: given.index ?? 0,
    logTerm: given.logTerm ?? 0,
    entries: given.entries ?? none,
    proposals: given.proposals ?? none,
    commit: given.commit ?? 0,
    isRejected: given.isRejected ?? false,
    hint: given.hint ?? 0,
    snapshot: given.snapshot ?? null,
    context: given.context ?? "",
  };
}

/** The context of a vote that does not ask whether there is a leader: one that the leader itself has asked for. */
export const transferContext = "transfer";

const replies: readonly MessageKind[] = [
  "append-reply",
  "vote-reply",
  "pre-vote-reply",
  "heartbeat-reply",
  "unreachable",
  "snapshot-status",
  "read-index-reply",
];
const local: readonly MessageKind[] = ["hup", "beat", "unreachable", "snapshot-status", "check-quorum"];

export function isReply(kind: MessageKind): boolean {
  return replies.includes(kind);
}

/** Messages that only a member's own host may step. */
export function isLocal(kind: MessageKind): boolean {
  return local.includes(kind);
}
