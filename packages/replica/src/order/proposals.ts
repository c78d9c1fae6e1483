/**
 * What this member has proposed and not yet seen ordered.
 *
 * All txns of one turn of the loop share an entry, which carries the member's name and a number. Invariants: the
 * proposer of a txn is told its result when it is applied here, once; what seems lost (another coordinator, a gap, too long
 * without the oldest) is proposed again in the order in which it was first proposed, and the state drops the second copy of
 * what was not lost after all.
 */
import { Parts, type Payload, partsOf, payloadText } from "@copse/raft";
import {
  type Applied,
  decodeTxns,
  encodeEntry,
  encodeLargeEntry,
  encodeLargeTxn,
  encodeTxn,
  formatOf,
  isLarge,
  type LargeTxn,
  type Txn,
} from "@copse/tree";
import type { Clock } from "../ports.ts";
import type { Trace } from "../trace.ts";
import type { Order } from "./order.ts";

/** A txn on its way, and what waits for it. */
export interface PendingTxn {
  readonly txn: Txn;
  settle(applied: Applied): void;
  /** False once it is not worth proposing again: its connection is gone, its coordinator is another. */
  isWanted(): boolean;
  /** Nobody will be told what became of it: it may still happen. */
  lost(): void;
}

/** The txns of an entry that was ordered. */
export interface Taken {
  readonly proposals: readonly Pick<PendingTxn, "txn">[];
  /** Settles the txn at a place of `proposals`; null if nothing here waits for any of them. */
  readonly settle: ((at: number, applied: Applied) => void) | null;
}

/**
 * Txns in one entry, and the UTF-16 units of their text at which an entry is closed: a text that the collector of garbage has to hold apart
 * (over 128 KiB) takes a hundred times as long to make as two of half its length.
 */
const entryTxnsMax = 4_096;
const entryUnitsMax = 65_536;
/** How long the oldest may take until everything is proposed again, in milliseconds; it doubles each time. */
const patienceMsMin = 1_000;
const patienceMsMax = 16_000;

/** Entries of other members that were read when they came, and are kept until they are applied. */
const readAheadMax = 1_024;

const always = (): boolean => true;
const nobodyMinds = (): void => {};

export class Proposals {
  readonly #order: Order;
  readonly #clock: Clock;
  readonly #prefix: string;
  readonly #trace: Trace | null;
  #gathered: PendingTxn[] = [];
  /** Of what is gathered. What is in flight keeps none: it is encoded anew where it has to be proposed again. */
  #texts: string[] = [];
  #units = 0;
  #format = 1;
  #count = 0;
  /** Txns in flight, by the number of their entry, ascending. */
  readonly #inFlight: Map<number, readonly PendingTxn[]> = new Map();
  /** What other members' entries hold, as far as it was read before they were appended. */
  readonly #readAhead: Map<Payload, readonly Txn[]> = new Map();
  #size = 0;
  #isAgain = false;
  /** Since when the oldest of those that wait has been the oldest, on the member's clock; null where none waits. */
  #oldestAt: number | null = null;
  /** The same, or when everything was proposed again last. */
  #triedAt = 0;
  #patienceMs = patienceMsMin;

  /** @param author differs from every other member's, and from this member's before it started again */
  constructor(order: Order, clock: Clock, author: string, trace: Trace | null = null) {
    this.#trace = trace;
    this.#order = order;
    this.#clock = clock;
    this.#prefix = `#${author}:`;
  }

  /** Txns that were proposed again because they seemed lost: for metrics. */
  proposedAgain = 0;

  /** How long the oldest of those that wait has been the oldest, in milliseconds; 0 where none waits. */
  get stalledMs(): number {
    return this.#oldestAt === null ? 0 : this.#clock.now() - this.#oldestAt;
  }

  /** Txns that wait for their result. */
  get size(): number {
    return this.#size + this.#gathered.length;
  }

  /** True if there is something to propose at the turn's end. */
  get hasGathered(): boolean {
    return this.#gathered.length > 0 || this.#isAgain;
  }

  add(txn: Txn, settle: PendingTxn["settle"], isWanted: PendingTxn["isWanted"] = always): void {
    this.propose({ txn, settle, isWanted, lost: nobodyMinds });
  }

  /** @param known the txn's text, from `encodeTxn`, where it is known already */
  propose(proposal: PendingTxn, known?: string): void {
    const { txn } = proposal;
    if (this.#trace?.follows === true && txn.kind === "write") {
      this.#trace.tell({ kind: "proposed", session: txn.session, id: txn.id, op: txn.write.op });
    }
    if (txn.kind === "write" && isLarge(txn.write)) return this.#proposeLarge(proposal, { ...txn, write: txn.write });
    const text = known ?? encodeTxn(txn);
    if (this.#gathered.length >= entryTxnsMax || this.#units + text.length > entryUnitsMax) this.#close();
    this.#gathered.push(proposal);
    this.#texts.push(text);
    this.#units += text.length;
    this.#format = Math.max(this.#format, formatOf(txn));
  }

  /** Proposes what the turn has gathered, as one entry, after what has to be proposed again. */
  flush(): void {
    if (this.#isAgain) this.#proposeAgain();
    this.#close();
  }

  /** The txns of an entry, with what waits for them if they are this member's own. */
  take(payload: Payload): Taken {
    const [first = ""] = partsOf(payload);
    const own = first.startsWith(this.#prefix) ? Number(first.slice(this.#prefix.length, txnsStart(first) - 1)) : 0;
    const proposals = this.#inFlight.get(own);
    if (proposals === undefined) {
      const txns = this.#readAhead.get(payload) ?? decodeTxns(txnsOf(payload));
      this.#readAhead.delete(payload);
      return { proposals: txns.map((txn) => ({ txn })), settle: null };
    }
    const [oldest] = this.#inFlight.keys();
    this.#inFlight.delete(own);
    this.#size -= proposals.length;
    // That later ones are settled says nothing of one that was dropped alone, as by a leader that hands over.
    if (own === oldest) this.#begin();
    return { proposals, settle: (at, applied) => this.#settle(own, proposals[at]!, applied) };
  }

  /** True for an entry that every member can read: another's is looked at before it comes into the log, which it would poison. */
  isReadable(payload: Payload): boolean {
    try {
      const txns = decodeTxns(txnsOf(payload));
      if (this.#readAhead.size >= readAheadMax) this.#readAhead.clear();
      this.#readAhead.set(payload, txns);
      return true;
    } catch {
      // Whatever is wrong with it, it was never acknowledged.
      return false;
    }
  }

  /** Everything in flight may be lost: it is proposed again at the end of the turn. */
  again(): void {
    this.#isAgain = this.#inFlight.size > 0;
  }

  tick(): void {
    if (this.#inFlight.size === 0 || this.#clock.now() - this.#triedAt < this.#patienceMs) return;
    this.#patienceMs = Math.min(patienceMsMax, this.#patienceMs * 2);
    this.again();
  }

  /** Nobody waits for the results any more. */
  forget(): void {
    for (const proposals of [...this.#inFlight.values(), this.#gathered]) for (const proposal of proposals) proposal.lost();
    this.#inFlight.clear();
    this.#size = 0;
    this.#oldestAt = null;
    this.#empty();
    this.#isAgain = false;
  }

  #settle(entry: number, proposal: PendingTxn, applied: Applied): void {
    if (applied.outcome !== "overtaken") return proposal.settle(applied);
    // What came before it was lost on the way: back to its place, and all of it again.
    this.#inFlight.set(entry, [...(this.#inFlight.get(entry) ?? []), proposal]);
    this.#size++;
    this.#isAgain = true;
  }

  #close(): void {
    if (this.#gathered.length === 0) return;
    const gathered = this.#gathered;
    const text = encodeEntry(this.#texts, this.#format);
    this.#empty();
    this.#order.propose(this.#sent(gathered) + text);
  }

  /** A large value is an entry of its own, and a part of its own in that. */
  #proposeLarge(proposal: PendingTxn, txn: LargeTxn): void {
    this.#close();
    const [first = "", ...rest] = encodeLargeEntry(encodeLargeTxn(txn), formatOf(txn));
    this.#order.propose(new Parts([this.#sent([proposal]) + first, ...rest]));
  }

  /** These are on their way from now on; gives what stands before their text. */
  #sent(proposals: readonly PendingTxn[]): string {
    this.#inFlight.set(++this.#count, proposals);
    this.#size += proposals.length;
    if (this.#oldestAt === null) this.#begin();
    return `${this.#prefix}${this.#count} `;
  }

  /** Another is the oldest from now on, or none. */
  #begin(): void {
    this.#triedAt = this.#clock.now();
    this.#oldestAt = this.#inFlight.size === 0 ? null : this.#triedAt;
    this.#patienceMs = patienceMsMin;
  }

  #empty(): void {
    this.#gathered = [];
    this.#texts = [];
    this.#units = 0;
    this.#format = 1;
  }

  #proposeAgain(): void {
    this.#isAgain = false;
    const newest = this.#gathered;
    const older = [...this.#inFlight].sort(([a], [b]) => a - b).flatMap(([, proposals]) => proposals);
    this.#inFlight.clear();
    this.#size = 0;
    this.#empty();
    this.proposedAgain += older.length;
    if (older.length > 0) this.#trace?.tell({ kind: "proposed-again", txns: older.length });
    this.#triedAt = this.#clock.now();
    const proposes = (proposal: PendingTxn): boolean => {
      const isWanted = proposal.isWanted();
      if (isWanted) this.propose(proposal);
      else proposal.lost();
      return isWanted;
    };
    if (older.filter(proposes).length === 0) this.#oldestAt = null;
    newest.forEach(proposes);
  }
}

/** Where the text of the txns begins: before it stands who proposed them. */
function txnsStart(payload: string): number {
  return payload.startsWith("#") ? payload.indexOf(" ") + 1 : 0;
}

/** The text of an entry's txns, for `decodeTxns`. */
export function txnsOf(payload: Payload): string {
  const text = payloadText(payload);
  return text.slice(txnsStart(text));
}
