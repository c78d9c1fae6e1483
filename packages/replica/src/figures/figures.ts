/**
 * What a member counts of itself, for metrics and for operators.
 */
import type { MemberStats } from "@copse/protocol";
import type { Tree } from "@copse/tree";
import type { Budgets } from "../connections/budgets.ts";
import type { StateTime } from "../order/state-time.ts";

export interface Figures {
  readonly connections: number;
  readonly sessions: number;
  readonly znodes: number;
  readonly watches: number;
  readonly subscriptions: number;
  readonly zxid: number;
  readonly index: number;
  readonly pending: number;
  /** Txns that were proposed again because they seemed lost. */
  readonly proposedAgain: number;
  /** How long the oldest of those that are pending has been the oldest, in milliseconds. */
  readonly stalledMs: number;
  /** The state's time, in milliseconds since the epoch, and how far this machine's wall clock is ahead of it. */
  readonly time: number;
  readonly wallOffsetMs: number;
  /** Quotas past one of their soft bounds. */
  readonly quotasOverSoftBound: number;
  readonly snapshots: number;
  /** The state's time in the newest snapshot, in milliseconds since the epoch; 0 for none. */
  readonly snapshotTime: number;
  readonly requests: ReadonlyMap<string, number>;
  /** By error code. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Bytes of unanswered requests, and of what waits to be sent. */
  readonly receivedBytes: number;
  readonly unsentBytes: number;
  /** Bytes of watches and subscriptions. */
  readonly followedBytes: number;
  /** Bytes that are kept for whoever reads an older state. */
  readonly asideBytes: number;
  /** Bytes of the different ACLs of all znodes. */
  readonly aclBytes: number;
  /** What was refused or closed because a budget was used up, by the budget's name. */
  readonly overBudget: ReadonlyMap<string, number>;
  /** What is nearly full. */
  readonly pressures: readonly string[];
}

/** What its ordering engine counts. */
export interface OrderFigures {
  /** True while this member coordinates. */
  readonly coordinates: boolean;
  /** The term of the newest leader that it knows of. */
  readonly term: number;
  /** The newest log entry that it knows to be committed. */
  readonly committed: number;
  /** Proposals of other members that were dropped because they can't be read. */
  readonly unreadable: number;
}

/** What the figures are taken from. */
export interface Counted {
  readonly tree: Tree;
  readonly time: StateTime;
  readonly snapshots: { readonly snapshots: number; readonly newestTime: number };
  /** How many. */
  readonly connections: number;
  readonly watches: { readonly size: number };
  readonly subscriptions: { readonly size: number };
  readonly proposals: { readonly size: number; readonly proposedAgain: number; readonly stalledMs: number };
  readonly requests: { readonly counts: ReadonlyMap<string, number>; readonly refusals: ReadonlyMap<string, number> };
  readonly budgets: Budgets;
}

export function figuresOf(counted: Counted): Figures {
  const { tree, time, snapshots, connections, watches, subscriptions, proposals, requests, budgets } = counted;
  return {
    connections,
    sessions: tree.sessions.size,
    znodes: tree.root.descendants + 1,
    watches: watches.size,
    subscriptions: subscriptions.size,
    zxid: tree.zxid,
    index: tree.index,
    pending: proposals.size,
    proposedAgain: proposals.proposedAgain,
    stalledMs: proposals.stalledMs,
    time: Math.floor(time.peek()),
    wallOffsetMs: Math.round(time.wallOffsetMs),
    get quotasOverSoftBound() {
      return tree.quotas.overSoftBound;
    },
    snapshots: snapshots.snapshots,
    snapshotTime: snapshots.newestTime,
    requests: requests.counts,
    refusals: requests.refusals,
    receivedBytes: budgets.receivedBytes,
    unsentBytes: budgets.unsentBytes,
    followedBytes: budgets.followedBytes,
    asideBytes: tree.asideBytes,
    aclBytes: tree.acls.bytes,
    overBudget: budgets.refusals,
    pressures: [...budgets.pressures],
  };
}

/** What `stats` answers: of the figures, those that the contract names (SPEC I5). */
export function statsOf(
  figures: Figures,
  own: Pick<MemberStats, "member" | "role" | "leader" | "term">,
  log: Pick<MemberStats, "committed" | "syncMsP99"> & { readonly snapshotTime: number },
): MemberStats {
  const { zxid, index, time, wallOffsetMs, connections, sessions, znodes, watches, subscriptions, pending, snapshots } = figures;
  const { receivedBytes, unsentBytes, followedBytes, asideBytes, aclBytes } = figures;
  return {
    ...own,
    zxid,
    index,
    committed: log.committed,
    time,
    wallOffsetMs,
    connections,
    sessions,
    znodes,
    watches,
    subscriptions,
    pendingTxns: pending,
    receivedBytes,
    unsentBytes,
    followedBytes,
    asideBytes,
    aclBytes,
    snapshots,
    snapshotAgeMs: log.snapshotTime === 0 ? null : Math.max(0, time - log.snapshotTime),
    syncMsP99: log.syncMsP99,
    pressures: figures.pressures,
    requests: Object.fromEntries(figures.requests),
    refusals: Object.fromEntries(figures.refusals),
    overBudget: Object.fromEntries(figures.overBudget),
  };
}
