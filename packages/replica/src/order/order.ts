/**
 * The port to whatever puts entries in order: raft, or an engine that already runs.
 *
 * Contract (test/contracts/order). An entry proposed on any member comes back on every member, stamped with a time,
 * in the same order; a proposal may be lost or come back twice, and the member that made it proposes it again if it seems lost. A
 * barrier is confirmed once this member has been given every entry that was committed anywhere when the barrier was asked
 * for, and the coordinator has counted the sessions named with it. Everything comes back as an event, later, never from
 * within the call.
 */
import type { Configuration, Payload } from "@copse/raft";

export interface Order {
  propose(payload: Payload): void;
  /** @param touched ids of sessions that have shown that they live */
  barrier(ticket: number, touched: readonly string[]): void;
  /** The state after entry `index` is in a durable snapshot: what is older may go. */
  trim(index: number): void;
  /** Who was a member after entry `index`: a snapshot of the state there carries it. */
  configuration(index: number): Configuration;
}

export interface OrderedEntry {
  readonly index: number;
  readonly term: number;
  /** Milliseconds since the epoch, by the coordinator's clock. */
  readonly time: number;
  /** Empty where the entry concerns the engine alone. */
  readonly payload: Payload;
}

export type OrderEvent =
  | { readonly kind: "entries"; readonly entries: readonly OrderedEntry[] }
  | { readonly kind: "confirmed"; readonly ticket: number }
  /** Who decides expiry and reaping from now on; null while there is nobody. */
  | { readonly kind: "coordinator"; readonly member: string | null; readonly isHere: boolean; readonly term: number }
  /** This member was too far behind: `install` puts the state of a snapshot in place of its own. */
  | { readonly kind: "restored"; readonly index: number; readonly term: number; readonly install: () => void };
