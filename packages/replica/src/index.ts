export { txnFormats } from "@copse/tree";
export type { Audit, AuditRecord } from "./audit.ts";
export { accountKey, type BudgetLimits, openBudgets } from "./budgets.ts";
export type { EnsembleOptions, PeerFacts } from "./ensemble.ts";
export type { Input } from "./input.ts";
export { Member, type MemberOptions } from "./member.ts";
export type { Order, OrderEvent, OrderedEntry } from "./order.ts";
export {
  defaultElectionTimes,
  defaultRaftSizes,
  type ElectionTimes,
  orderedEntry,
  RaftOrder,
  type RaftOrderOptions,
  type RaftSizes,
} from "./order-raft.ts";
export { deliveriesMaxDefault } from "./outbox.ts";
export { decodePeerMessages, encodePeerMessages, type PeerMessage } from "./peer-message.ts";
export {
  backlogBytesHigh,
  backlogBytesLow,
  type Clock,
  type Gateway,
  type Hash,
  type Mesh,
  type PeerAddress,
  type Random,
} from "./ports.ts";
export type { Proof } from "./proof.ts";
export { StateTime } from "./state-time.ts";
