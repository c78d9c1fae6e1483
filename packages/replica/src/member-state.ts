/**
 * The state of a member, and what orders and keeps it: a log on disk under consensus, or, for an edge, nothing but what its feeder says.
 *
 * Invariant: what stands above the order's port is the same for both.
 */
import { type Recovered, SnapshotStore, Wal } from "@copse/log";
import type { Tree } from "@copse/tree";
import { LiveSnapshots } from "./edges/live-snapshots.ts";
import { EdgeOrder } from "./edges/order-edge.ts";
import type { PeerMessage } from "./ensemble/peer-message.ts";
import type { Tally } from "./figures/tally.ts";
import { History } from "./following/history.ts";
import type { MemberOptions } from "./member-options.ts";
import { Applier } from "./order/applier.ts";
import type { Engine } from "./order/engine.ts";
import type { OrderEvent } from "./order/order.ts";
import { RaftOrder, type RaftOrderOptions } from "./order/order-raft.ts";
import { startOf } from "./order/raft-settings.ts";
import { StateTime } from "./order/state-time.ts";
import { Compaction } from "./snapshots/compaction.ts";
import { recoverState } from "./snapshots/recovered-state.ts";
import { SnapshotRestorer } from "./snapshots/restorer.ts";
import type { Restorer } from "./snapshots/snapshot-receiving.ts";
import type { Snapshots } from "./snapshots/snapshots.ts";

export interface MemberState {
  readonly tree: Tree;
  readonly history: History;
  readonly time: StateTime;
  readonly applier: Applier;
  readonly order: Engine;
  readonly snapshots: Snapshots;
  /** Those that are made as they are read: for edges. */
  readonly live: LiveSnapshots;
  /** On disk; null for an edge. */
  readonly compaction: Compaction | null;
  /** What start-up found in the data directory. */
  readonly recovered: Pick<Recovered, "snapshot" | "tornBytes" | "damaged"> & { readonly entries: number };
  readonly walCounts: Readonly<Wal["counts"]>;
}

/** What the state calls back into the loop. */
export interface MemberLoop extends Pick<RaftOrderOptions, "deliver" | "defer" | "touch"> {
  readonly deliver: (event: OrderEvent) => void;
  readonly send: (to: string, message: PeerMessage) => void;
  readonly isReadable: NonNullable<RaftOrderOptions["isReadable"]>;
  readonly tally: Tally;
  /** Measures a piece of work that holds the loop. */
  readonly measure: <T>(work: () => T) => T;
}

/** Recovers the state from the disk. @throws CorruptLogError where the files can't be believed */
export function openState(options: MemberOptions, loop: MemberLoop): MemberState {
  const { disk, directory, clock, limits, member, trace, isEdge = false } = options;
  const newHistory = (): History => new History(limits.historyChanges, options.historyBytes);
  const { tree, history, recovered } = recoverState(disk, directory, newHistory);
  const time = new StateTime(clock, tree);
  const applier = new Applier(tree, history, recovered.snapshot.term, trace);
  const restorer = (): Restorer => {
    const fresh = newHistory();
    const pieces = new SnapshotRestorer(fresh);
    return {
      take: (piece) => pieces.take(piece),
      install: () => {
        tree.adopt(pieces.finish()!);
        history.adopt(fresh);
      },
    };
  };
  const { snapshot, tornBytes, damaged, entries } = recovered;
  const state = { tree, history, time, applier, recovered: { snapshot, tornBytes, damaged, entries: entries.length } };
  const { onFatal, segmentBytes } = options;
  const lastIndex = snapshot.index + entries.length;
  const settings = { directory, segmentBytesMax: segmentBytes, nextIndex: lastIndex + 1, onError: onFatal };
  const wal = new Wal(disk, recovered.segments, recovered.segmentBytes, settings);
  const common = { ...loop, clock, time, restorer, boot: options.boot };
  const liveOf = (order: Engine): LiveSnapshots => new LiveSnapshots({ codec: disk, directory, tree, history, applier, order });
  if (isEdge) {
    const order = new EdgeOrder({ ...common, id: member, zxid: () => tree.zxid });
    const live = liveOf(order);
    return { ...state, order, snapshots: live, live, compaction: null, walCounts: wal.counts };
  }
  const start = startOf(recovered, Number(member));
  const newest = recovered.snapshotNames.length === 0 ? null : { ...start.base, configuration: start.configuration };
  const store = new SnapshotStore(disk, recovered.snapshotNames, newest, directory, onFatal);
  const { times, sizes, chance: random } = options;
  const order: RaftOrder = new RaftOrder(
    {
      ...common,
      id: Number(member),
      times,
      sizes,
      wal,
      store,
      random,
      send: (to, message) => loop.send(String(to), message),
      takeSnapshot: () => compaction.take(),
      trace,
    },
    start,
  );
  const { measure } = loop;
  const compaction: Compaction = new Compaction({
    ...{ store, order, tree, history, applier, measure, trace },
    logBytesMin: options.snapshotLogBytes,
    replayedIndex: lastIndex,
    newestTime: tree.time,
  });
  return { ...state, order, snapshots: compaction, live: liveOf(order), compaction, walCounts: wal.counts };
}
