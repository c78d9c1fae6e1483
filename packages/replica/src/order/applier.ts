/**
 * Applies ordered entries, and tells everyone whom it concerns, in the order that the contract promises.
 *
 * Invariant: for each txn, first the tree, then the history, then watch events and subscription changes, then the session
 * table's timers, then the reply. So an event is sent before every reply that shows its change.
 */
import { type Applied, apply, type Tree, type Txn } from "@copse/tree";
import type { History } from "../following/history.ts";
import type { Subscriptions } from "../following/subscriptions.ts";
import type { WatchTable } from "../following/watch-table.ts";
import type { Queues } from "../requests/queues.ts";
import type { Trace } from "../trace.ts";
import type { OrderedEntry } from "./order.ts";
import type { Proposals, Taken } from "./proposals.ts";

const nothing: Taken = { proposals: [], settle: null };

export class Applier {
  readonly #tree: Tree;
  readonly #history: History;
  readonly #trace: Trace | null;
  /** Term of the last entry applied. */
  term: number;

  /** @param trace is told of each write that is applied, while it follows them */
  constructor(tree: Tree, history: History, term: number, trace: Trace | null = null) {
    this.#trace = trace;
    this.#tree = tree;
    this.#history = history;
    this.term = term;
  }

  /** Applies one entry; `told` is absent while the log is replayed, when nobody is connected. */
  apply(
    entry: OrderedEntry,
    proposals: Pick<Proposals, "take">,
    told: {
      readonly watches: WatchTable;
      readonly subscriptions: Subscriptions;
      readonly queues: Queues;
      readonly onApplied: (txn: Txn, applied: Applied) => void;
    } | null,
  ): void {
    const { proposals: ordered, settle } = entry.payload === "" ? nothing : proposals.take(entry.payload);
    for (let at = 0; at < ordered.length; at++) {
      const { txn } = ordered[at]!;
      const applied = apply(this.#tree, txn, entry.time, entry.term);
      this.#history.add(applied.zxid, applied.changes);
      if (this.#trace?.follows === true && txn.kind === "write") {
        const { session, id, write } = txn;
        this.#trace.tell({ kind: "applied", session, id, op: write.op, zxid: applied.zxid, outcome: applied.code ?? applied.outcome });
      }
      if (told !== null) {
        told.queues.note(applied.changes);
        told.watches.fire(applied.changes, applied.zxid);
        told.subscriptions.publish(applied.changes, applied.zxid);
        told.onApplied(txn, applied);
      }
      settle?.(at, applied);
    }
    this.#tree.index = entry.index;
    this.term = entry.term;
  }
}
