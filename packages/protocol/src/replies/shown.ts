/**
 * What operators are shown (SPEC I): members, sessions, queues, watchers, figures, quotas. Times are milliseconds.
 */
import type { Identity } from "../acl.ts";

/** A member as `ensemble` shows it. */
export interface ShownMember {
  readonly id: string;
  readonly role: "leader" | "follower" | "observer";
  /** Where its clients reach it; "" where it tells none. */
  readonly url: string;
  readonly state: "up" | "down";
  /** The newest zxid that it is known to have applied; 0 where the member that answers has not heard of any. */
  readonly zxid: number;
  /** Where other members reach it, HOST:PORT; for admins alone. */
  readonly peer?: string;
  /** It takes no clients, and does not lead, until it is undrained. */
  readonly drained?: true;
  /** What its tree hashed to at `comparedAt`; null where it has not said so in time. Where that was asked for. */
  readonly hash?: string | null;
}

/** One that serves clients from a copy: it has no vote and no disk. */
export interface ShownEdge {
  readonly id: string;
  /** Where its clients reach it; "" where it tells none. */
  readonly url: string;
  /** Whom it follows: a member, or another edge. */
  readonly of: string;
  /** The newest zxid that it has said it has applied. */
  readonly zxid: number;
}

export interface ShownEnsemble {
  /** Those that the answering member has heard of; absent where there are none. */
  readonly edges?: readonly ShownEdge[];
  readonly members: readonly ShownMember[];
  /** The id of the member that leads, or "". */
  readonly leader: string;
  /** Grows with each change of the members: what `reconfig` compares its `version` with. */
  readonly version: number;
  /** What passwords are salted with: ACLs that name `scrypt` identities fit clusters of the same salt alone. */
  readonly salt?: string;
  /** The zxid at which the members' trees were compared. */
  readonly comparedAt?: number;
}

export interface ShownSession {
  readonly id: string;
  readonly timeout: number;
  readonly ephemerals: number;
  readonly identities: readonly Pick<Identity, "scheme" | "id">[];
  readonly connection: {
    readonly address: string;
    /** What the client calls itself, where it says so: its word alone. */
    readonly name?: string;
    readonly ageMs: number;
    readonly silentMs: number;
    readonly watches: number;
    readonly subscriptions: number;
    readonly queueBytes: number;
  } | null;
}

export interface ShownQueue {
  readonly path: string;
  readonly size: number;
  /**
   * In their order; `czxid` is the fencing token, `ctime` when the place was taken, `client` what the session's client calls itself, where it
   * is connected to the member that answers and says so.
   */
  readonly places: readonly {
    readonly name: string;
    readonly session: string;
    readonly client?: string;
    readonly czxid: number;
    readonly ctime: number;
  }[];
}

export interface ShownWatcher {
  readonly session: string | null;
  readonly address: string;
  readonly kinds: readonly string[];
}

export interface MemberStats {
  readonly member: string;
  readonly role: string;
  readonly leader: string | null;
  readonly term: number;
  readonly zxid: number;
  /** The newest log entry that this member has applied, and that it knows to be committed. */
  readonly index: number;
  readonly committed: number;
  /** The state's time, in milliseconds since the epoch, and how far the member's wall clock is ahead of it. */
  readonly time: number;
  readonly wallOffsetMs: number;
  readonly connections: number;
  readonly sessions: number;
  readonly znodes: number;
  readonly watches: number;
  readonly subscriptions: number;
  readonly pendingTxns: number;
  /** Bytes of unanswered requests, of what waits to be sent, and of watches and subscriptions. */
  readonly receivedBytes: number;
  readonly unsentBytes: number;
  readonly followedBytes: number;
  /** Bytes that are kept for whoever reads an older state, and of the different ACLs of all znodes. */
  readonly asideBytes: number;
  readonly aclBytes: number;
  readonly snapshots: number;
  /** How old the state in the newest snapshot is; null without one. */
  readonly snapshotAgeMs: number | null;
  readonly syncMsP99: number | null;
  /** What is nearly full, so that requests that need more of it are refused: heap, disk. */
  readonly pressures: readonly string[];
  /** Since the member's start. */
  readonly requests: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
  /** What was refused or closed because a budget was used up, by the budget's name. */
  readonly overBudget: Readonly<Record<string, number>>;
}

/** A member's figures over ten seconds; `time` is when they ended, by its wall clock, in milliseconds since the epoch. */
export interface MemberSample {
  readonly time: number;
  /** Requests and txns a second; txns are those of the whole ensemble. */
  readonly requests: number;
  readonly txns: number;
  /** Means: from a request's arrival until its answer, and one write of the log with its sync. */
  readonly answerMs: number;
  readonly syncMs: number;
  /** At its end. */
  readonly connections: number;
  readonly sessions: number;
  readonly pending: number;
}

/** A change, and who made it. `time` is the state's. */
export interface ShownChange {
  readonly zxid: number;
  readonly time: number;
  readonly kind: "created" | "changed" | "deleted" | "acl";
  readonly path: string;
  /** The request, or what the ensemble did by itself: expire, reap, close, configure. */
  readonly op: string;
  readonly session: string | null;
  readonly address: string | null;
  /** What the session's client calls itself, where it was connected to the member that answers. */
  readonly name?: string;
  readonly identities: readonly Pick<Identity, "scheme" | "id">[];
}

/** A bound on a subtree, and what is used of it: znodes, the path itself included, and bytes of data. Soft bounds only tell. */
export interface ShownQuota {
  readonly path: string;
  readonly count?: number;
  readonly bytes?: number;
  readonly softCount?: number;
  readonly softBytes?: number;
  readonly used: { readonly count: number; readonly bytes: number };
}
