/** What a member knows of its ensemble at start, and what the ensemble stands on. */
import type { AclItem } from "@copse/protocol";
import type { Configuration, MemberChange, MemberId } from "@copse/raft";
import type { Tree, TreeLimits } from "@copse/tree";
import type { Pressure } from "../connections/growth.ts";
import type { Relayed } from "../edges/edge-message.ts";
import type { KnownEdges } from "../edges/known-edges.ts";
import type { Tally } from "../figures/tally.ts";
import type { Coordinator } from "../order/coordinator.ts";
import type { Proposals } from "../order/proposals.ts";
import type { StateTime } from "../order/state-time.ts";
import type { Clock, PeerAddress, Random } from "../ports.ts";
import type { Trace } from "../trace.ts";
import type { PeerMessage } from "./peer-message.ts";

/**
 * Who may found an ensemble: all its members together, once each is linked and says that it is empty; a majority of them, where an operator
 * vouches for the others being empty too; or not this member, which others take in.
 */
export type FoundingRule = "all" | "majority" | "never";

export interface EnsembleOptions {
  readonly member: string;
  /** It is no member: it follows one, or another edge. */
  readonly isEdge?: boolean;
  /** The one that it follows has started it, to carry that one's clients. */
  readonly isLocalEdge?: boolean;
  readonly url: string;
  /** Where peers reach this member, HOST:PORT; "" leaves it to the table. */
  readonly peer: string;
  readonly directory: string;
  /** The cluster that this data directory was born with; null where the ensemble agrees on one. */
  readonly cluster: string | null;
  /** All members at first, this one included; nobody else for a hub alone. Later, further addresses at which they may be reached. */
  readonly founders: readonly PeerAddress[];
  readonly founding: FoundingRule;
  readonly limits: TreeLimits;
  /** How often the coordinator has all members compare their trees, in milliseconds. */
  readonly compareMs: number;
  /** The ACL of the root of a cluster that this member founds; null leaves it open to everyone. */
  readonly rootAcl: readonly AclItem[] | null;
}

/** What the upkeep needs of consensus. */
export interface Consensus {
  readonly isFounded: boolean;
  /** The members that consensus counts. */
  readonly members: Configuration;
  /** True while a member that has nothing would be given entries instead of a snapshot. */
  readonly needsSnapshot: boolean;
  isCaughtUp(member: MemberId): boolean;
  /** The newest committed entry that a member has said it holds durably; 0 where this member does not lead. */
  acknowledged(member: MemberId): number;
  /** What an edge's feeder says of the ensemble. */
  readonly relayed: Relayed;
  /** The newest entry of this member's log. */
  readonly lastIndex: number;
  /** The newest entry that this member knew as committed when it started. */
  readonly committedAtStart: number;
  change(changes: readonly MemberChange[]): void;
  /** Hands over to that one of these voters, or of all, that lacks least. */
  handOver(to?: readonly MemberId[]): void;
}

export interface EnsembleState {
  readonly tree: Tree;
  readonly consensus: Consensus;
  readonly coordinator: Coordinator;
  readonly proposals: Proposals;
  readonly clock: Clock;
  readonly time: StateTime;
  readonly random: Random;
  readonly tally: Tally;
  /** What there is hardly any left of; that of whoever leads is noted here. */
  readonly pressures: Set<Pressure>;
  readonly trace: Trace | null;
  /** Says it to every peer. */
  readonly tellPeers: (message: PeerMessage) => void;
  readonly takeSnapshot: () => void;
  /** Those that follow members, or each other. */
  readonly edges: Pick<KnownEdges, "all" | "urls" | "someUrls">;
  /** Founds the ensemble with these members. */
  readonly found: (voters: readonly MemberId[]) => void;
}
