/**
 * What must hold at every moment, whatever fails: looked at from outside, after each turn of each member's loop.
 *
 * The committed entries that any member shows are one list; the product's own state machine, run over that list once,
 * says what every member's state, every reply and every event has to be. A violation is an error that names the invariant
 * (reliability: S1 to S22) and ends the run.
 */
import { recover } from "@copse/log";
import { type Configuration, type Entry, payloadText } from "@copse/raft";
import { orderedEntry, type PeerMessage, txnsOf } from "@copse/replica";
import type { ClientConnection, EnsembleWatcher, SimulatedEnsemble, SimulatedMember, World } from "@copse/testing/simulation";
import { type Applied, apply, decodeTxns, digestOf, Tree, type Txn } from "@copse/tree";
import { StateTimeCheck } from "./state-time.ts";

export class Violation extends Error {
  override readonly name: string = "Violation";
}

export function violate(invariant: string, what: string): never {
  throw new Violation(`${invariant}: ${what}`);
}

export interface Happened {
  readonly index: number;
  readonly zxid: number;
  readonly txn: Txn;
  readonly applied: Applied;
  /** When the first member showed the entry as committed. */
  readonly at: number;
}

interface Sniffed {
  session: string | null;
  /** Requests that prove life once they are answered, with the time of their sending. */
  readonly sent: Map<number, { readonly at: number; readonly op: string }>;
  /** The newest zxid that a reply has shown. */
  shown: number;
  /** Up to here, events may be what a subscription or restored watches catch up on. */
  floor: number;
}

/** Clocks run at most ten percent fast: what is `timeout` for one is at least so much of it for the world. */
const fastClock = 1.1;
/** Share of commits after which the synced logs are read. */
const syncedShare = 0.02;
/** Entries by which the applying of a change may lag behind its place. */
const appliedLagMax = 30;
/** Share of turns after which whole states are compared. */
const digestShare = 0.03;

export class Invariants implements EnsembleWatcher {
  readonly #world: World;
  ensemble!: SimulatedEnsemble;
  /** Somebody leads for the first time in its term. */
  onLeader: (node: SimulatedMember) => void = () => {};
  /** A frame leaves for a client. */
  onDelivery: (connection: ClientConnection, text: string) => void = () => {};
  /** Committed entries by index, from 2 on. */
  readonly committed: Entry[] = [];
  readonly reference: Tree = new Tree();
  readonly happened: Happened[] = [];
  readonly #seen: Map<string, { life: number; index: number }> = new Map();
  readonly leaders: Map<number, string> = new Map();
  /** The end of each leader's log, as it was last seen. */
  readonly #ends: Map<number, { readonly index: number; readonly term: number }> = new Map();
  readonly #votes: Map<string, number> = new Map();
  readonly #promised: Map<string, number> = new Map();
  readonly #stateTime: StateTimeCheck = new StateTimeCheck();
  readonly #sniffed: Map<number, Sniffed> = new Map();
  /** When each session has last shown that it lives, as its client knows, and its timeout. */
  readonly proven: Map<string, { at: number; timeoutMs: number }> = new Map();

  constructor(world: World) {
    this.#world = world;
    this.reference.index = 1;
  }

  turned(node: SimulatedMember): void {
    if (node.feeders !== null) return this.#compareSometimes(node);
    this.#stateTime.look(this.ensemble, this.#world.now);
    const { raft } = node.member!.order;
    if (raft.role === "leader") {
      const known = this.leaders.get(raft.term);
      if (known === undefined) {
        this.#checkNewLeader(node);
        this.onLeader(node);
      } else if (known !== node.id) violate("S1", `members ${known} and ${node.id} both lead in term ${raft.term}`);
      this.leaders.set(raft.term, node.id);
      this.#checkAppendOnly(node);
    }
    if (raft.term < (this.#promised.get(node.id) ?? 0)) violate("S7", `member ${node.id} forgot a term it had promised something in`);
    const { log } = raft;
    if (log.lastIndex >= log.firstIndex && log.term(log.firstIndex - 1)! > log.term(log.firstIndex)!) {
      violate("S3", `member ${node.id} holds an entry of an older term after its snapshot`);
    }
    this.#takeCommitted(node);
    this.#compareSometimes(node);
  }

  #compareSometimes(node: SimulatedMember): void {
    const { tree } = node.member!;
    if (tree.index === this.reference.index && this.#world.random.chance(digestShare)) this.compare(node);
  }

  /** The state of a member against what the committed entries say. */
  compare(node: SimulatedMember): void {
    const { tree } = node.member!;
    if (digestOf(tree) !== digestOf(this.reference)) violate("S6", `member ${node.id} has another state than entry ${tree.index} gives`);
  }

  sent(from: SimulatedMember, _to: string, sent: PeerMessage): void {
    if (sent.kind !== "raft") return;
    const { kind, term, to, isRejected, index } = sent.message;
    if (kind === "vote-reply" && !isRejected) {
      const key = `${from.id} ${term}`;
      const known = this.#votes.get(key);
      if (known !== undefined && known !== to) violate("S1", `member ${from.id} voted twice in term ${term}`);
      this.#votes.set(key, to);
      this.#promise(from, term);
    } else if (kind === "append-reply" && !isRejected) {
      this.#promise(from, term);
      if (this.#world.random.chance(syncedShare)) this.#checkAcknowledged(from, term, index);
    }
  }

  toServer(connection: ClientConnection, text: string): void {
    const sniffed = this.#sniff(connection);
    for (const message of messagesOf(text)) {
      const op = String(message["op"]);
      sniffed.sent.set(message["id"] as number, { at: this.#world.now, op });
    }
  }

  toClient(connection: ClientConnection, text: string): void {
    this.onDelivery(connection, text);
    const sniffed = this.#sniff(connection);
    for (const message of messagesOf(text)) {
      const zxid = (message["zxid"] as number | undefined) ?? 0;
      if (typeof message["id"] === "number") this.#replied(sniffed, message["id"], zxid, message);
      else if ("change" in message || (typeof message["path"] === "string" && "event" in message)) {
        if (zxid <= sniffed.shown && zxid > sniffed.floor)
          violate("S14", `an event of zxid ${zxid} after a reply that shows ${sniffed.shown}`);
      } else if ("nodes" in message) sniffed.floor = Math.max(sniffed.floor, sniffed.shown);
    }
  }

  #replied(sniffed: Sniffed, id: number, zxid: number, message: Record<string, unknown>): void {
    const request = sniffed.sent.get(id);
    sniffed.sent.delete(id);
    const { error, session } = message;
    if (request?.op === "connect" && session !== undefined && session !== null) {
      const { id: name, timeout } = session as { id: string; timeout: number };
      sniffed.session = name;
      this.proven.set(name, { at: request.at, timeoutMs: timeout });
    }
    const isFollow = request?.op === "subscribe" || request?.op === "restoreWatches" || request?.op === "connect";
    if (isFollow) sniffed.floor = Math.max(sniffed.floor, zxid, sniffed.shown);
    // A first reply given again is older than others, and proves nothing.
    const isAgain = zxid < sniffed.shown;
    sniffed.shown = Math.max(sniffed.shown, zxid);
    if (sniffed.session === null || request === undefined || error !== undefined || request.op !== "ping" || isAgain) return;
    const proven = this.proven.get(sniffed.session);
    if (proven !== undefined) proven.at = Math.max(proven.at, request.at);
  }

  /** A leader only appends to its own log (S2). */
  #checkAppendOnly(node: SimulatedMember): void {
    const { log, term } = node.member!.order.raft;
    const end = this.#ends.get(term);
    // What a snapshot has replaced was committed.
    const isGone = end !== undefined && end.index >= log.firstIndex - 1 && log.term(end.index) !== end.term;
    if (isGone) violate("S2", `the leader of term ${term} lost or changed its own entry ${end.index}`);
    this.#ends.set(term, { index: log.lastIndex, term: log.term(log.lastIndex)! });
  }

  #promise({ id }: SimulatedMember, term: number): void {
    this.#promised.set(id, Math.max(this.#promised.get(id) ?? 0, term));
  }

  #checkNewLeader(node: SimulatedMember): void {
    const { log, term } = node.member!.order.raft;
    const last = this.committed[this.committed.length - 1];
    if (last === undefined || last.index < log.firstIndex || last.term >= term) return;
    if (log.term(last.index) !== last.term) violate("S5", `the leader of term ${term} lacks entry ${last.index}, which is committed`);
  }

  #takeCommitted(node: SimulatedMember): void {
    const { log } = node.member!.order.raft;
    const seen = this.#seen.get(node.id);
    const from = Math.max(log.firstIndex, seen?.life === node.life ? seen.index + 1 : 0);
    if (from > log.committed) return;
    for (const entry of log.slice(from, log.committed + 1)) {
      const known = this.committed[entry.index - 2];
      if (known === undefined) this.#take(entry);
      else if (known.term !== entry.term || payloadText(known.payload) !== payloadText(entry.payload)) {
        violate("S3", `entry ${entry.index} of term ${entry.term} is committed on member ${node.id}, and of term ${known.term} elsewhere`);
      }
    }
    this.#seen.set(node.id, { life: node.life, index: log.committed });
  }

  #take(entry: Entry): void {
    if (entry.index !== this.committed.length + 2) violate("S3", `entry ${entry.index} is committed after ${this.committed.length + 1}`);
    this.committed.push(entry);
    const { payload, time } = orderedEntry(entry);
    const excess = this.#stateTime.excess({ time, term: entry.term }, this.#world.now);
    if (excess > 0) violate("S22", `the time of entry ${entry.index} is ${Math.round(excess)} ms later than clocks have run`);
    for (const txn of payload === "" ? [] : decodeTxns(txnsOf(payload))) {
      const applied = apply(this.reference, txn, time, entry.term);
      this.happened.push({ index: entry.index, zxid: applied.zxid, txn, applied, at: this.#world.now });
      if (txn.kind === "expire" && applied.outcome === "done") this.#checkExpiry(txn.session);
    }
    this.reference.index = entry.index;
    if (this.#world.random.chance(syncedShare)) this.#checkSynced(entry);
  }

  #checkExpiry(session: string): void {
    const proven = this.proven.get(session);
    if (proven === undefined) return;
    const least = proven.timeoutMs / fastClock;
    const passed = this.#world.now - proven.at;
    if (passed < least)
      violate("S13", `session ${session} expired ${Math.round(passed)} ms after a sign of life; its timeout is ${proven.timeoutMs}`);
  }

  /** What a member has acknowledged is on its disk, synced. */
  #checkAcknowledged(node: SimulatedMember, term: number, index: number): void {
    const { raft } = node.member!.order;
    if (raft.term !== term || index > raft.log.lastIndex || node.isRotten) return;
    const held = this.#durable(node);
    if (held.snapshot.index < index && (held.entries[held.entries.length - 1]?.index ?? 0) < index) {
      violate("S4", `member ${node.id} acknowledged entry ${index}, and its disk has not`);
    }
  }

  /** A committed entry is on the synced logs of a quorum. */
  #checkSynced(entry: Entry): void {
    const shown = this.ensemble.nodes.find((node) => node.isUp && node.member!.order.raft.log.committed >= entry.index);
    if (shown === undefined) return;
    const { order } = shown.member!;
    // A change counts from where it is applied, which may be a little behind its place: one of the newest has to be met.
    const faults = new Set<string>();
    for (let at = entry.index; at > Math.max(0, entry.index - appliedLagMax); at--) {
      const fault = this.#quorumFault(entry, order.configuration(at));
      if (fault === null) return;
      faults.add(fault);
    }
    violate("S4", [...faults].join("; "));
  }

  #quorumFault(entry: Entry, { voters, outgoing }: Configuration): string | null {
    for (const group of [voters, outgoing]) {
      const holding = group.filter((id) => {
        const node = this.ensemble.node(String(id));
        // One whose disk was damaged has had it, and says itself that it has not any more.
        if (node.isRotten) return true;
        const held = this.#durable(node);
        return held.snapshot.index >= entry.index || held.entries.some(({ index, term }) => index === entry.index && term === entry.term);
      });
      if (group.length > 0 && holding.length * 2 <= group.length) {
        return `entry ${entry.index} counts as committed, and only ${holding.length} of ${group.length} have it on disk`;
      }
    }
    return null;
  }

  #durable(node: SimulatedMember): Pick<ReturnType<typeof recover>, "snapshot" | "entries"> {
    return recover(node.disk.durableCopy(), `directory-${node.id}`, () => {});
  }

  #sniff({ number }: ClientConnection): Sniffed {
    const known = this.#sniffed.get(number);
    if (known !== undefined) return known;
    const fresh = { session: null, sent: new Map<number, { at: number; op: string }>(), shown: 0, floor: 0 };
    this.#sniffed.set(number, fresh);
    return fresh;
  }
}

function messagesOf(text: string): Record<string, unknown>[] {
  const parsed = JSON.parse(text) as Record<string, unknown> | Record<string, unknown>[];
  return Array.isArray(parsed) ? parsed : [parsed];
}
