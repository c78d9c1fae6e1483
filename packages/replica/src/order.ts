/**
 * The port to whatever puts entries in order: a single member's own log, raft, or an engine that already runs.
 *
 * Contract (test/contracts/order). An entry proposed on any member comes back on every member, stamped with a time,
 * in the same order; a proposal may be lost, and then whoever made it proposes it again. A barrier is confirmed once this
 * member has been given every entry that was committed anywhere when the barrier was asked for. Everything comes back as
 * an event, later, never from within the call.
 */
export interface Order {
  propose(payload: string): void;
  barrier(ticket: number): void;
  /** The state behind entry `index` is in a durable snapshot: what is older may go. */
  trim(index: number): void;
}

export interface OrderedEntry {
  readonly index: number;
  readonly term: number;
  /** Milliseconds since the epoch, by the coordinator's clock. */
  readonly time: number;
  readonly payload: string;
}

export type OrderEvent =
  | { readonly kind: "entries"; readonly entries: readonly OrderedEntry[] }
  | { readonly kind: "confirmed"; readonly ticket: number }
  /** Who decides expiry and reaping from now on. */
  | { readonly kind: "coordinator"; readonly isHere: boolean; readonly term: number };
