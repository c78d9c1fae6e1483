/**
 * The loop of one member: takes inputs, turns the core, performs the effects. The same in production and in simulation.
 *
 * A turn takes all inputs that have gathered (up to its budget), then proposes, then sends: one append, one frame for each
 * connection. Invariant: nothing is sent that a write behind it in the same turn could contradict, because replies to
 * writes come only with their ordered entry.
 */
import { type Disk, type Recovered, recover, SnapshotStore, Wal } from "@copse/log";
import type { Chunk } from "@copse/protocol";
import { decodeTxns, Tree } from "@copse/tree";
import { Applier } from "./applier.ts";
import { Compaction, SnapshotRestorer } from "./compaction.ts";
import type { Effect } from "./effect.ts";
import { History } from "./history.ts";
import type { Input } from "./input.ts";
import { orderedEntry, SingleOrder } from "./order-single.ts";
import type { Gateway } from "./ports.ts";
import { type Figures, Replica, type ReplicaOptions } from "./replica.ts";

export interface MemberOptions extends ReplicaOptions {
  readonly disk: Disk;
  /** The id of the data directory. */
  readonly directory: string;
  readonly gateway: Gateway;
  /** Calls `run` soon, behind what is happening now. */
  readonly schedule: (run: () => void) => void;
  /** The disk has failed: nothing more will be acknowledged, and the process has to end. */
  readonly onFatal: (error: Error) => void;
  /** Bytes of data that the history holds at most. */
  readonly historyBytes: number;
  /** Bytes of log behind which a snapshot is taken. */
  readonly snapshotLogBytes: number;
  /** Bytes of a segment of the log. */
  readonly segmentBytes: number;
}

/** A turn takes inputs for so long, then lets the host breathe, in milliseconds. */
const turnMsMax = 8;
/** Inputs between two looks at the clock. */
const inputsPerLook = 64;

export class Member {
  readonly #options: MemberOptions;
  readonly #replica: Replica;
  readonly #order: SingleOrder;
  readonly #wal: Wal;
  readonly #tree: Tree;
  /** What start-up found in the data directory. */
  readonly recovered: Pick<Recovered, "snapshot" | "tornBytes"> & { readonly entries: number };
  #queue: Input[] = [];
  #isScheduled = false;
  #longestTurnMs = 0;

  /** Recovers the state from the disk. @throws CorruptLogError where the files can't be believed */
  constructor(options: MemberOptions) {
    this.#options = options;
    const { disk, directory, onFatal, clock, limits } = options;
    const history = new History(limits.historyChanges, options.historyBytes);
    const restorer = new SnapshotRestorer(history);
    const recovered = recover(disk, directory, (piece) => restorer.take(piece));
    const tree = restorer.finish() ?? new Tree();
    const applier = new Applier(tree, history, recovered.snapshot.term);
    const replayed = { take: (payload: string) => decodeTxns(payload).map((txn) => ({ txn, settle: null })) };
    for (const entry of recovered.entries) applier.apply(orderedEntry(entry), replayed, null);
    this.recovered = { snapshot: recovered.snapshot, tornBytes: recovered.tornBytes, entries: recovered.entries.length };
    this.#tree = tree;
    this.#wal = new Wal(disk, recovered.segments, recovered.segmentBytes, {
      directory,
      segmentBytesMax: options.segmentBytes,
      onError: onFatal,
    });
    this.#order = new SingleOrder({
      wal: this.#wal,
      clock,
      member: options.member,
      lastIndex: tree.index,
      hardState: recovered.hardState,
      deliver: (event) => this.submit({ kind: "ordered", event }),
    });
    const store = new SnapshotStore(disk, recovered.snapshotNames, directory, onFatal);
    const compaction = new Compaction({
      store,
      order: this.#order,
      tree,
      history,
      applier,
      logBytesMin: options.snapshotLogBytes,
      measure: (work) => this.#measure(work),
      logBytesReplayed: recovered.entries.reduce((sum, { payload }) => sum + payload.length, 0),
    });
    this.#replica = new Replica(options, { tree, history, applier, order: this.#order, compaction });
  }

  /** Begins to coordinate. */
  start(): void {
    this.#order.start();
  }

  /** Takes an input; it is looked at in a turn of its own, soon. */
  submit(input: Input): void {
    this.#queue.push(input);
    this.#wake();
  }

  /** Closes every connection. What was proposed still becomes durable. */
  dismiss(): void {
    this.#replica.dismiss();
    this.#perform(this.#replica.endTurn());
  }

  get figures(): Figures & { readonly wal: Readonly<Wal["counts"]> } {
    return { ...this.#replica.figures, wal: this.#wal.counts };
  }

  /** The longest that one piece of our own work has held the loop since the last call, garbage collection within it included, in milliseconds. */
  takeLongestTurnMs(): number {
    const longest = this.#longestTurnMs;
    this.#longestTurnMs = 0;
    return longest;
  }

  /** The state, for tests and tools that compare members. Read only. */
  get tree(): Tree {
    return this.#tree;
  }

  #wake(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.schedule(() => {
      this.#isScheduled = false;
      this.#measure(() => this.#turn());
    });
  }

  #measure<T>(work: () => T): T {
    const startedAt = this.#options.clock.now();
    const result = work();
    this.#longestTurnMs = Math.max(this.#longestTurnMs, this.#options.clock.now() - startedAt);
    return result;
  }

  #turn(): void {
    const { clock } = this.#options;
    const startedAt = clock.now();
    let effects: readonly Effect[] = [];
    do {
      const inputs = this.#queue;
      this.#queue = [];
      let taken = 0;
      while (taken < inputs.length && (taken % inputsPerLook !== 0 || clock.now() - startedAt < turnMsMax)) {
        this.#replica.receive(inputs[taken++]!);
      }
      if (taken < inputs.length) this.#queue = [...inputs.slice(taken), ...this.#queue];
      const more = this.#replica.endTurn();
      effects = effects.length === 0 ? more : [...effects, ...more];
    } while (this.#queue.length > 0 && clock.now() - startedAt < turnMsMax);
    this.#perform(effects);
    if (this.#queue.length > 0 || this.#replica.hasWork) this.#wake();
  }

  #perform(effects: readonly Effect[]): void {
    const { gateway } = this.#options;
    const chunks = new Map<number, Chunk[]>();
    for (const effect of effects) {
      if (effect.kind === "authenticate") gateway.authenticate(effect.connection, effect.ticket, effect.credentials);
      else if (effect.kind === "send") {
        const list = chunks.get(effect.connection);
        if (list === undefined) chunks.set(effect.connection, [effect.chunk]);
        else list.push(effect.chunk);
      }
    }
    for (const [connection, list] of chunks) this.#replica.backlog(connection, gateway.deliver(connection, list));
    for (const effect of effects) if (effect.kind === "close") gateway.close(effect.connection, effect.code, effect.reason);
    // A backlog that turned out small may have let waiting replies go: they leave in a turn of their own.
    const more = this.#replica.endTurn();
    if (more.length > 0) this.#perform(more);
  }
}
