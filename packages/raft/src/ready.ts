/**
 * One Ready: everything that a member wants done, at once (the order in which it may be done is its host's duty).
 *
 * `messages` may leave at once; `messagesAfterStore` speak of what this very Ready stores, and leave only once the hard
 * state, the entries and the snapshot are durable. `committed` may be applied at any time after the Readys before.
 */
import type { ReadState, RoleName } from "./core.ts";
import type { Entry, HardState, MemberId, SnapshotHead } from "./entry.ts";
import type { Message } from "./message.ts";

export interface Ready {
  /** Counts up from 1. */
  readonly number: number;
  /** Who leads, and what this member is, where that has changed. Not to be stored. */
  readonly soft: { readonly lead: MemberId; readonly role: RoleName } | null;
  readonly hardState: HardState | null;
  readonly reads: readonly ReadState[];
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotHead | null;
  readonly committed: readonly Entry[];
  readonly messages: readonly Message[];
  readonly messagesAfterStore: readonly Message[];
  /** Something has to be durable: a commit index alone does not. */
  readonly mustStore: boolean;
}

export function mustStore(now: HardState, before: HardState, entries: number): boolean {
  return entries > 0 || now.vote !== before.vote || now.term !== before.term;
}
