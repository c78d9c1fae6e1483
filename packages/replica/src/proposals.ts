/**
 * What this member has proposed and not yet seen ordered.
 *
 * All txns of one turn of the loop share an entry. Invariant: own entries come back in the order in which they were
 * proposed, each at most once; whoever proposed a txn is told its result exactly when it is applied here.
 */
import { type Applied, decodeTxns, encodeTxns, type Txn } from "@copse/tree";
import type { Order } from "./order.ts";

export type Settle = (applied: Applied) => void;

interface Proposal {
  readonly txn: Txn;
  readonly settle: Settle;
}

/** Txns in one entry, and the bytes of data at which an entry is closed. */
const entryTxnsMax = 4_096;
const entryBytesMax = 4_194_304;

export class Proposals {
  readonly #order: Order;
  #gathered: Proposal[] = [];
  #gatheredBytes = 0;
  readonly #inFlight: { readonly payload: string; readonly proposals: readonly Proposal[] }[] = [];

  constructor(order: Order) {
    this.#order = order;
  }

  /** Txns that wait for their result. */
  get size(): number {
    return this.#inFlight.reduce((sum, { proposals }) => sum + proposals.length, this.#gathered.length);
  }

  add(txn: Txn, settle: Settle): void {
    this.#gathered.push({ txn, settle });
    this.#gatheredBytes += bytesOf(txn);
    if (this.#gathered.length >= entryTxnsMax || this.#gatheredBytes >= entryBytesMax) this.flush();
  }

  /** Proposes what the turn has gathered, as one entry. */
  flush(): void {
    if (this.#gathered.length === 0) return;
    const proposals = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    const payload = encodeTxns(proposals.map(({ txn }) => txn));
    this.#inFlight.push({ payload, proposals });
    this.#order.propose(payload);
  }

  /** The txns of an entry, with who waits for them if they are this member's own. */
  take(payload: string): readonly { readonly txn: Txn; readonly settle: Settle | null }[] {
    if (this.#inFlight[0]?.payload === payload) return this.#inFlight.shift()!.proposals;
    return decodeTxns(payload).map((txn) => ({ txn, settle: null }));
  }
}

function bytesOf(txn: Txn): number {
  if (txn.kind !== "write") return 0;
  const { write } = txn;
  if (write.op === "multi") return write.ops.reduce((sum, op) => sum + ("value" in op ? (op.value?.bytes ?? 0) : 0), 0);
  return "value" in write ? (write.value?.bytes ?? 0) : 0;
}
