/**
 * What happens to a member that an operator, a test or the simulator may want to follow: typed, and told as it happens.
 *
 * Nothing is decided by it. A member's host makes lines of a log of it.
 */
export type TraceEvent =
  /** This member leads from now on, another does, or none that it knows of. */
  | { readonly kind: "elected" | "stepped-down" | "quorum-lost"; readonly term: number }
  | { readonly kind: "following"; readonly term: number; readonly leader: string }
  | { readonly kind: "founded"; readonly voters: readonly string[] }
  | { readonly kind: "member-added" | "member-removed"; readonly id: string; readonly version: number }
  | { readonly kind: "session-opened" | "session-expired" | "session-closed"; readonly session: string; readonly zxid: number }
  | { readonly kind: "snapshot-taken" | "snapshot-installed"; readonly index: number }
  /** This member sent a snapshot to a peer that lagged too far, or failed to. */
  | { readonly kind: "snapshot-sent" | "snapshot-lost"; readonly peer: string }
  /** A client was refused, or its connection closed, because a budget was used up. */
  | { readonly kind: "over-budget"; readonly budget: string }
  /** A peer's tree hashed to something else than this member's, at the same zxid. */
  | { readonly kind: "members-differ"; readonly peer: string; readonly zxid: number }
  /** Txns of this member's clients that seemed lost. */
  | { readonly kind: "proposed-again"; readonly txns: number }
  /** A write of the log, or a piece of our own work, took long. */
  | { readonly kind: "slow-sync" | "slow-turn"; readonly ms: number }
  /** A write, by its name in the whole ensemble: session and id. Told only where `follows`. */
  | { readonly kind: "proposed"; readonly session: string; readonly id: number; readonly op: string }
  | {
      readonly kind: "applied";
      readonly session: string;
      readonly id: number;
      readonly op: string;
      readonly zxid: number;
      readonly outcome: string;
    };

export interface Trace {
  /** True while each single write is followed, which costs. */
  readonly follows: boolean;
  readonly tell: (event: TraceEvent) => void;
}

/** Longer than these are slow, in milliseconds. */
export const slowSyncMs = 500;
export const slowTurnMs = 200;
