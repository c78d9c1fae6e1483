/**
 * Snapshots of the state on disk, so that the log need not grow for ever.
 *
 * A snapshot begins once the log has grown by `logBytesMin`, and by at least the last snapshot's size, so that writing snapshots never costs
 * more than writing the log. Later would be cheaper, but what the log holds is in memory, too. Invariant: the log is trimmed only after a
 * snapshot that is durable.
 */
import type { SnapshotReading, SnapshotStore } from "@copse/log";
import type { Configuration } from "@copse/raft";
import type { Tree } from "@copse/tree";
import type { History } from "../following/history.ts";
import type { Applier } from "../order/applier.ts";
import type { Order, OrderedEntry } from "../order/order.ts";
import type { Trace } from "../trace.ts";
import { piecesOf } from "./pieces.ts";
import type { Snapshots } from "./snapshots.ts";

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

export class Compaction implements Snapshots {
  readonly #options: CompactionOptions;
  /** Who wait for a snapshot that holds what they see now. */
  #asked: (() => void)[] = [];
  #logBytes = 0;
  #snapshotBytes = 0;
  snapshots = 0;
  newestTime: number;

  constructor(options: CompactionOptions) {
    this.#options = options;
    this.newestTime = options.newestTime;
  }

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

  /** The log in memory goes once a snapshot has it, and half of the history at once. */
  relieve(): void {
    this.#options.history.shed();
    this.take();
  }

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
    const pieces = piecesOf(tree, history);
    const { index, time } = tree;
    const { term } = applier;
    const configuration = given ?? order.configuration(index);
    const measuredPiece = (): string | null => measure(pieces.next);
    store.write({ index, term, configuration }, measuredPiece, (bytes) => {
      pieces.close();
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
