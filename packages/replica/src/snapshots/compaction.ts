/**
 * Snapshots of the state, so that the log need not grow for ever, and the way back from one.
 *
 * A snapshot begins once the log has grown by `logBytesMin`, and by at least the last snapshot's size, so that
 * writing snapshots never costs more than writing the log. Later would be cheaper, but what the log holds is in memory, too. Its pieces are the tree's, then the history's. Invariant: the log
 * is trimmed only after a snapshot that is durable.
 */
import type { SnapshotReading, SnapshotStore } from "@copse/log";
import type { Configuration } from "@copse/raft";
import { SnapshotLoader, SnapshotWriter, snapshotFormatOf, type Tree } from "@copse/tree";
import type { History } from "../following/history.ts";
import type { Applier } from "../order/applier.ts";
import type { Order, OrderedEntry } from "../order/order.ts";
import type { Trace } from "../trace.ts";

/** UTF-16 units of one piece: half a millisecond of work, and below the size from which the collector of garbage holds a text apart. */
export const pieceUnits = 114_688;

export interface CompactionOptions {
  readonly store: SnapshotStore;
  readonly order: Order;
  readonly tree: Tree;
  readonly history: History;
  readonly applier: Applier;
  /** UTF-16 units of entries after which a snapshot is worth its cost. */
  readonly logBytesMin: number;
  /** Entries up to here were in the log at start: they come fast, and a snapshot between them would be old at once. */
  readonly replayedIndex: number;
  /** The time of the state in the snapshot that was found at start, or 0. */
  readonly newestTime: number;
  /** Measures a piece of work that holds the loop. */
  readonly measure: <T>(work: () => T) => T;
  readonly trace?: Trace | null;
}

export class Compaction {
  readonly #options: CompactionOptions;
  /** Who wait for a snapshot that holds what they see now. */
  #asked: (() => void)[] = [];
  #logBytes = 0;
  #snapshotBytes = 0;
  /** Snapshots written since start, for metrics. */
  snapshots = 0;
  /** The time of the state in the newest snapshot, in milliseconds since the epoch; 0 for none. */
  newestTime: number;

  constructor(options: CompactionOptions) {
    this.#options = options;
    this.newestTime = options.newestTime;
  }

  /** An entry was applied: perhaps it is time. */
  note(entry: OrderedEntry): void {
    this.#logBytes += entry.payload.length;
    if (entry.index >= this.#options.replayedIndex) this.#look();
  }

  #look(): void {
    const { store, logBytesMin } = this.#options;
    if (this.#logBytes >= Math.max(logBytesMin, this.#snapshotBytes) && !store.isWriting) this.#begin();
  }

  /**
   * Takes a snapshot now, unless one is under way.
   * @param configuration of the members, where the engine does not know it yet
   */
  take(configuration?: Configuration, done?: () => void): void {
    if (!this.#options.store.isWriting) this.#begin(configuration, done);
  }

  /** The heap is nearly full: the log in memory goes once a snapshot has it, and half of the history at once. */
  relieve(): void {
    this.#options.history.shed();
    this.take();
  }

  /**
   * Opens a snapshot of the state as it is now, or newer, once it stands on disk.
   * @param open gets it in a callback of the disk, and closes it
   */
  fresh(open: (reading: SnapshotReading) => void): void {
    const { store, tree } = this.#options;
    if (!store.isWriting && store.newest?.index === tree.index) return open(store.open());
    this.#asked.push(() => open(store.open()));
    if (!store.isWriting) this.#begin();
  }

  #begin(given?: Configuration, done?: () => void): void {
    const { store, order, tree, history, applier, measure } = this.#options;
    this.#logBytes = 0;
    const asked = this.#asked;
    this.#asked = [];
    const writer = new SnapshotWriter(tree);
    const lines = history.lines(snapshotFormatOf(tree));
    const { index, time } = tree;
    const { term } = applier;
    const configuration = given ?? order.configuration(index);
    const nextPiece = (): string | null => {
      const piece = writer.piece(pieceUnits);
      return piece === null ? historyPiece(lines) : `T${piece}`;
    };
    const measuredPiece = (): string | null => measure(nextPiece);
    store.write({ index, term, configuration }, measuredPiece, (bytes) => {
      writer.close();
      this.#snapshotBytes = bytes;
      this.snapshots++;
      this.#options.trace?.tell({ kind: "snapshot-taken", index });
      this.newestTime = time;
      if (done === undefined) order.trim(index);
      else done();
      for (const next of asked) next();
      if (this.#asked.length > 0 && !store.isWriting) this.#begin();
      else this.#look();
    });
  }
}

function historyPiece(lines: Iterator<string, undefined>): string | null {
  const piece: string[] = [];
  for (let units = 0; units < pieceUnits; ) {
    const next = lines.next();
    if (next.done) break;
    piece.push(next.value);
    units += next.value.length;
  }
  return piece.length === 0 ? null : `H${piece.join("\n")}`;
}

/** Takes the pieces of a snapshot back. */
export class SnapshotRestorer {
  readonly #loader: SnapshotLoader = new SnapshotLoader();
  readonly #history: History;
  #isEmpty = true;

  constructor(history: History) {
    this.#history = history;
  }

  take(piece: string): void {
    this.#isEmpty = false;
    const text = piece.slice(1);
    if (piece.startsWith("T")) this.#loader.take(text);
    else for (const line of text.split("\n")) this.#history.restore(line);
  }

  /** The tree of the snapshot, or null if there was none. @throws Error where the state is incomplete */
  finish(): Tree | null {
    return this.#isEmpty ? null : this.#loader.finish();
  }
}
