/**
 * What this member has proposed and not yet seen ordered.
 *
 * All txns of one turn of the loop share an entry. Invariant: own entries come back in the order in which they were
 * proposed, each at most once; whoever proposed a txn is told its result exactly when it is applied here.
 */
import { type Applied, decodeTxns, encodeEntry, encodeTxn, type Txn } from "@copse/tree";
import type { Order } from "./order.ts";

export type Settle = (applied: Applied) => void;

interface Proposal {
  readonly txn: Txn;
  readonly settle: Settle;
}

/** Txns in one entry, and the UTF-16 units of their text at which an entry is closed. */
const entryTxnsMax = 4_096;
const entryUnitsMax = 4_194_304;

export class Proposals {
  readonly #order: Order;
  #gathered: Proposal[] = [];
  #texts: string[] = [];
  #units = 0;
  readonly #inFlight: { readonly payload: string; readonly proposals: readonly Proposal[] }[] = [];

  constructor(order: Order) {
    this.#order = order;
  }

  /** Txns that wait for their result. */
  get size(): number {
    return this.#inFlight.reduce((sum, { proposals }) => sum + proposals.length, this.#gathered.length);
  }

  add(txn: Txn, settle: Settle): void {
    const text = encodeTxn(txn);
    this.#gathered.push({ txn, settle });
    this.#texts.push(text);
    this.#units += text.length;
    if (this.#gathered.length >= entryTxnsMax || this.#units >= entryUnitsMax) this.flush();
  }

  /** Proposes what the turn has gathered, as one entry. */
  flush(): void {
    if (this.#gathered.length === 0) return;
    const payload = encodeEntry(this.#texts);
    this.#inFlight.push({ payload, proposals: this.#gathered });
    this.#gathered = [];
    this.#texts = [];
    this.#units = 0;
    this.#order.propose(payload);
  }

  /** The txns of an entry, with who waits for them if they are this member's own. */
  take(payload: string): readonly { readonly txn: Txn; readonly settle: Settle | null }[] {
    if (this.#inFlight[0]?.payload === payload) return this.#inFlight.shift()!.proposals;
    return decodeTxns(payload).map((txn) => ({ txn, settle: null }));
  }
}
