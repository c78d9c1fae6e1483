export { adminIdentity, type Proof, txnFormats } from "@copse/tree";
export { accountKey, type BudgetLimits, openBudgets } from "./connections/budgets.ts";
export { deliveriesMaxDefault } from "./connections/deliveries.ts";
export { type ClassBudget, type ClassBudgets, type IdentityClass, openClassBudget, openClassBudgets } from "./connections/holders.ts";
export type { AuthOutcome } from "./connections/proof.ts";
export { nothingRelayed } from "./edges/edge-message.ts";
export { Feeder } from "./edges/feeder.ts";
export { EdgeOrder } from "./edges/order-edge.ts";
export type { EnsembleOptions, FoundingRule } from "./ensemble/ensemble-options.ts";
export type { PeerFacts, PeerRefusal } from "./ensemble/peer-facts.ts";
export { decodePeerMessages, encodePeerMessages, type PeerMessage } from "./ensemble/peer-message.ts";
export type { Check } from "./figures/readiness.ts";
export { type Histogram, histogramBoundsMs, type Tally } from "./figures/tally.ts";
export type { Input } from "./input.ts";
export { Member } from "./member.ts";
export type { MemberOptions } from "./member-options.ts";
export type { Order, OrderEvent, OrderedEntry } from "./order/order.ts";
export { RaftOrder, type RaftOrderOptions } from "./order/order-raft.ts";
export { txnsOf } from "./order/proposals.ts";
export { defaultElectionTimes, defaultRaftSizes, type ElectionTimes, type RaftSizes } from "./order/raft-settings.ts";
export { orderedEntry } from "./order/stamp.ts";
export { StateTime } from "./order/state-time.ts";
export {
  backlogBytesHigh,
  backlogBytesLow,
  type Clock,
  type Gateway,
  type Hash,
  type Mesh,
  type PeerAddress,
  type PeerPlace,
  type Random,
} from "./ports.ts";
export type { Audit, AuditRecord, Denial } from "./requests/audit.ts";
export { type Anonymous, openPolicy, type PolicySettings, retentionMsDefault } from "./sessions/policy.ts";
export {
  beginAnew,
  type DirectoryState,
  readDirectory,
  readSnapshot,
  type StoredState,
  writeState,
  zxidStep,
} from "./snapshots/stored-state.ts";
export type { Trace, TraceEvent } from "./trace.ts";
