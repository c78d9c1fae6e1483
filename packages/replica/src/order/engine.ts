/** An engine of order, as the loop of a member drives it: raft, or an edge's feeder. */
import type { SnapshotPlace } from "@copse/log";
import type { Consensus } from "../ensemble/ensemble-options.ts";
import type { PeerFacts } from "../ensemble/peer-facts.ts";
import type { PeerMessage } from "../ensemble/peer-message.ts";
import type { Order } from "./order.ts";
import type { SyncTimes } from "./sync-times.ts";

export interface Engine extends Order, Consensus {
  /** The term that it is in, and the newest entry that it knows to be committed. */
  readonly term: number;
  readonly committed: number;
  /** True if this member decides expiry. */
  readonly coordinates: boolean;
  /** Proposals of others that were dropped because they can't be read: for metrics. */
  readonly unreadable: number;
  readonly syncTimes: SyncTimes;
  /** Begins from a first state that all founders share. */
  found(place: SnapshotPlace): void;
  /** A link stands, or is gone. */
  linked(facts: PeerFacts): void;
  lost(peer: string): void;
  receive(peer: string, message: PeerMessage): void;
  tick(): void;
  /** Does all that is ready. To be called at the end of each turn. */
  flush(): void;
}
