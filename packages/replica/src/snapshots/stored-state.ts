/**
 * A state that nobody serves: read from a snapshot or a data directory, made the beginning of another cluster, and written.
 *
 * Invariants of a new beginning: what had been handed out as a fencing token stays below what will be; passwords prove what they proved;
 * sequence numbers go on; sessions, and with them ephemerals, are over.
 */
import { type Disk, loadSnapshot, type Place, type Recovered, readOnly, type SnapshotRecord, SnapshotStore } from "@copse/log";
import { emptyConfiguration, type MemberId } from "@copse/raft";
import { apply, decodeTxns, SnapshotWriter, type Tree } from "@copse/tree";
import { History } from "../following/history.ts";
import { txnsOf } from "../order/proposals.ts";
import { orderedEntry } from "../order/stamp.ts";
import { pieceUnits } from "./pieces.ts";
import { recoverState } from "./recovered-state.ts";
import { SnapshotRestorer } from "./restorer.ts";

/** How far the zxid of a new beginning is above the old one: more writes than a cluster makes between a snapshot and its loss. */
export const zxidStep = 1_000_000_000;

export interface StoredState {
  readonly tree: Tree;
  /** The last entry in it. */
  readonly place: Place;
}

/** @throws Error saying what is wrong where the file is damaged, incomplete, or of another format */
export function readSnapshot(disk: Disk, name: string): StoredState & { readonly head: SnapshotRecord } {
  const restorer = new SnapshotRestorer(new History(0, 0));
  const head = loadSnapshot(disk, name, null, (piece) => restorer.take(piece));
  const tree = restorer.finish();
  if (tree === null) throw new Error(`${name} holds no state`);
  return { tree, place: { index: head.index, term: head.term }, head };
}

export interface DirectoryState extends StoredState {
  readonly recovered: Recovered;
  /** Entries at the end of the log of which this directory does not know that a majority holds them. */
  readonly uncommitted: number;
}

/**
 * Reads a data directory as a start would, and changes nothing. Everything in the log counts, as only a majority could tell what does not.
 * @throws CorruptLogError
 */
export function readDirectory(disk: Disk, directory: string): DirectoryState {
  const { tree, recovered } = recoverState(readOnly(disk), directory, () => new History(0, 0));
  const { snapshot, entries, hardState } = recovered;
  for (const entry of entries) {
    const { payload, time, term } = orderedEntry(entry);
    if (payload !== "") for (const txn of decodeTxns(txnsOf(payload))) apply(tree, txn, time, term);
    tree.index = entry.index;
  }
  const index = snapshot.index + entries.length;
  const term = Math.max(hardState.term, entries[entries.length - 1]?.term ?? snapshot.term);
  return { tree, place: { index, term }, recovered, uncommitted: Math.max(0, index - Math.max(hardState.commit, snapshot.index)) };
}

/**
 * Makes a state the beginning of another cluster.
 * @returns how many sessions it ended
 */
export function beginAnew({ tree, place }: StoredState, cluster: string): number {
  const sessions = [...tree.sessions.values()].map(({ id, generation }) => ({ session: id, generation }));
  for (const session of sessions) apply(tree, { kind: "close", ...session }, tree.time, place.term);
  const { salt, cluster: old, version } = tree.ensemble;
  tree.zxid += zxidStep;
  tree.ensemble = { cluster, salt: salt ?? old, version: version + 1, leader: "", isSettled: true, members: [] };
  return sessions.length;
}

/** Writes a state as the snapshot that a member, the only one, starts from. `done` hears of an error, or of none once it stands. */
export function writeState(
  disk: Disk,
  directory: string,
  { tree, place }: StoredState,
  member: MemberId,
  done: (error: Error | null) => void,
): void {
  const store = new SnapshotStore(disk, [], null, directory, done);
  const writer = new SnapshotWriter(tree);
  const configuration = { ...emptyConfiguration, voters: [member] };
  const nextPiece = (): string | null => {
    const piece = writer.piece(pieceUnits);
    return piece === null ? null : `T${piece}`;
  };
  store.write({ index: place.index, term: place.term + 1, configuration }, nextPiece, () => done(null));
}
