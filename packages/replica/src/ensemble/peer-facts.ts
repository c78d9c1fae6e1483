/** What members say of themselves when they meet, and why one does not speak with another. */

/** What members tell each other when they meet. */
export interface PeerFacts {
  readonly member: string;
  /** The URL that it tells clients. */
  readonly url: string;
  /** Where its peers reach it, HOST:PORT, or "" where it does not listen for any. */
  readonly peer: string;
  /** The address for peers that it was started with, as far as it was told. */
  readonly startPeer?: string;
  /** The id of its data directory. */
  readonly directory: string;
  /** The cluster's id, or "" where it does not know. */
  readonly cluster: string;
  readonly isFounded: boolean;
  /** The newest entry of its log; builds of before don't say it. */
  readonly lastIndex?: number;
  /** Version of the ensemble's table, as far as it knows. */
  readonly version: number;
  /** Ids of those who are to found the ensemble with it, in order; of no meaning once it is founded. */
  readonly founders: readonly string[];
  /** The newest format of txns that it reads; the handshake says it. */
  readonly reads?: number;
  /** The state's time, in milliseconds since the epoch; 0 where it does not know it. */
  readonly time: number;
  /** True for one that is no member: it follows, and others may follow it. */
  readonly isEdge?: boolean;
}

/** Why a member does not speak with a peer; its host has the words. */
export type PeerRefusal =
  | {
      readonly kind: "own-id" | "replaying" | "not-a-founder" | "other-directory" | "empty-directory" | "older-edge" | "too-many-edges";
      readonly member: string;
    }
  /** `version`: of the table that lacks it. */
  | { readonly kind: "not-a-member"; readonly member: string; readonly version: number }
  /** `acknowledged`: the newest entry that it is known to have held; `lastIndex`: where its log ends. */
  | { readonly kind: "older-copy"; readonly member: string; readonly acknowledged: number; readonly lastIndex: number }
  | { readonly kind: "other-cluster"; readonly member: string; readonly cluster: string; readonly own: string }
  /** `founders`, `own`: ids, separated by commas. */
  | { readonly kind: "other-founders"; readonly member: string; readonly founders: string; readonly own: string };

/** A member that this one is linked with, and how far it has said it is. */
export interface Peer {
  readonly facts: PeerFacts;
  zxid: number;
  /** What its newest status said when it was sent, on its clock, and when that came, on this member's: in microseconds. */
  sent: number;
  heardAt: number;
  isPressed: boolean;
  /** The newest round trip, in microseconds; null before the first. */
  rttUs: number | null;
}
