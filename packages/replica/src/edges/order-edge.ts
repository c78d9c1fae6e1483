/**
 * Order for one that has neither vote nor disk: all of it comes from a feeder, a member or another edge.
 *
 * Invariants: entries are given in order, each once; a link that is gone leaves no coordinator, so nobody is told that all is well by one that
 * hears nothing; what was proposed or asked on a link that is gone counts as lost.
 */
import { type Configuration, emptyConfiguration, type Payload } from "@copse/raft";
import type { PeerFacts } from "../ensemble/peer-facts.ts";
import type { PeerMessage } from "../ensemble/peer-message.ts";
import { Barriers } from "../order/barriers.ts";
import type { Engine } from "../order/engine.ts";
import type { OrderEvent } from "../order/order.ts";
import type { StateTime } from "../order/state-time.ts";
import { SyncTimes } from "../order/sync-times.ts";
import type { Clock } from "../ports.ts";
import { type Restorer, SnapshotReceiving } from "../snapshots/snapshot-receiving.ts";
import { nothingRelayed, type Relayed } from "./edge-message.ts";

export interface EdgeOrderOptions {
  readonly id: string;
  /** Differs each time the edge starts. */
  readonly boot: string;
  readonly clock: Clock;
  /** It follows what the feeder says. */
  readonly time: StateTime;
  /** Takes what comes back, from outside of any call into this object. */
  readonly deliver: (event: OrderEvent) => void;
  readonly send: (to: string, message: PeerMessage) => void;
  /** Runs what follows, in a turn of the loop. */
  readonly defer: (run: () => void) => void;
  readonly restorer: () => Restorer;
  /** The zxid of this edge's state. */
  readonly zxid: () => number;
}

/** How long an answer may take before the question is asked again, in milliseconds. */
const patienceMs = 500;
/** How often the feeder hears where the edge stands, where nothing happens, in milliseconds. */
const followMs = 250;

export class EdgeOrder implements Engine {
  readonly #options: EdgeOrderOptions;
  readonly #barriers: Barriers;
  readonly syncTimes: SyncTimes = new SyncTimes();
  readonly unreadable = 0;
  readonly coordinates = false;
  readonly needsSnapshot = false;
  readonly committedAtStart = 0;
  relayed: Relayed = nothingRelayed;
  /** Whom it follows, while the link stands. */
  #feeder: string | null = null;
  /** Entries up to this index have been given out. */
  #given = 0;
  /** The newest entry that the feeder has spoken of. */
  #newest = 0;
  #told: { readonly coordinator: string | null; readonly term: number } = { coordinator: null, term: 0 };
  #announced = "";
  #members: Configuration = emptyConfiguration;
  #receiving: SnapshotReceiving<string> | null = null;
  /** Entries have come that the feeder does not know of yet. */
  #owesAnswer = false;
  #followedAt = Number.NEGATIVE_INFINITY;

  constructor(options: EdgeOrderOptions) {
    this.#options = options;
    this.#barriers = new Barriers(`${options.id}.${options.boot}`, options.clock, patienceMs);
  }

  get isFounded(): boolean {
    return this.#given > 0;
  }

  get members(): Configuration {
    return this.#members;
  }

  get lastIndex(): number {
    return this.#given;
  }

  get term(): number {
    return this.#told.term;
  }

  get committed(): number {
    return Math.max(this.#given, this.#newest);
  }

  propose(payload: Payload): void {
    this.#say({ kind: "proposed", payload });
  }

  barrier(ticket: number, touched: readonly string[]): void {
    this.#barriers.add(ticket, touched);
  }

  linked({ member }: PeerFacts): void {
    this.#feeder = member;
    this.#follow();
  }

  lost(peer: string): void {
    if (peer !== this.#feeder) return;
    this.#feeder = null;
    this.#receiving?.abandon();
    this.#receiving = null;
    this.#told = { coordinator: null, term: this.#told.term };
    this.relayed = nothingRelayed;
  }

  receive(peer: string, message: PeerMessage): void {
    if (peer !== this.#feeder) return;
    switch (message.kind) {
      case "feed":
        return this.#fed(message);
      case "answer":
        return this.#barriers.answered(message.context, message.index);
      case "offer":
        return this.#offered(peer, message);
      case "piece":
        return this.#receivingOf(message.index)?.take(message.number, message.text);
      case "end":
        return this.#ended(message.index, message.number);
    }
  }

  tick(): void {
    this.#barriers.tick();
    if (this.#options.clock.now() - this.#followedAt >= followMs) this.#owesAnswer = true;
  }

  flush(): void {
    this.#ask();
    if (this.#owesAnswer) this.#follow();
    for (const ticket of this.#barriers.confirmed(this.#given)) this.#options.deliver({ kind: "confirmed", ticket });
    this.#announce();
  }

  configuration(): Configuration {
    return this.#members;
  }

  /** What follows is for those who vote, or keep a log. */
  trim(): void {}

  found(): void {}

  change(): void {}

  handOver(): void {}

  isCaughtUp(): boolean {
    return false;
  }

  acknowledged(): number {
    return 0;
  }

  #say(message: PeerMessage): void {
    if (this.#feeder !== null) this.#options.send(this.#feeder, message);
  }

  #follow(): void {
    this.#owesAnswer = false;
    this.#followedAt = this.#options.clock.now();
    this.#say({ kind: "follow", index: this.#given, zxid: this.#options.zxid() });
  }

  #fed({ entries, newest, coordinator, term, time, members, relayed }: Extract<PeerMessage, { kind: "feed" }>): void {
    this.#options.time.follow(time);
    this.#newest = Math.max(this.#newest, newest);
    if (members !== null) this.#members = members;
    if (relayed !== null) this.relayed = relayed;
    // What comes late says what was true before.
    if (term >= this.#told.term) this.#told = { coordinator, term };
    for (const entry of entries) {
      if (entry.index !== this.#given + 1) continue;
      this.#given = entry.index;
      this.#owesAnswer = true;
      this.#options.deliver({ kind: "entries", entries: [entry] });
    }
  }

  #ask(): void {
    if (this.#feeder === null) return;
    const question = this.#barriers.next();
    if (question !== null) this.#say({ kind: "question", context: question.context, touched: question.touched });
  }

  #offered(from: string, { index, term, configuration }: Extract<PeerMessage, { kind: "offer" }>): void {
    const { restorer, send, defer } = this.#options;
    if (index <= this.#given) return send(from, { kind: "wanted", index, number: -1 });
    const present = this.#receivingOf(index);
    if (present !== null && !present.isOver) return present.ask();
    this.#receiving?.abandon();
    const ports = { store: nowhere, restorer: restorer(), send: (message: PeerMessage) => send(from, message), defer };
    this.#receiving = new SnapshotReceiving(from, { index, term, configuration }, ports);
    this.#receiving.ask();
  }

  #receivingOf(index: number): SnapshotReceiving<string> | null {
    return this.#receiving?.place.index === index ? this.#receiving : null;
  }

  #ended(index: number, number: number): void {
    const receiving = this.#receivingOf(index);
    receiving?.end(number, () => {
      if (this.#receiving !== receiving) return;
      this.#receiving = null;
      this.#options.send(receiving.from, { kind: "wanted", index, number: -1 });
      if (index <= this.#given) return;
      const { term, configuration } = receiving.place;
      this.#given = index;
      this.#members = configuration;
      this.#owesAnswer = true;
      this.#options.deliver({ kind: "restored", index, term, install: () => receiving.restorer.install() });
    });
  }

  /** Only one that has a state, and hears of a coordinator, follows one. */
  #announce(): void {
    const { coordinator, term } = this.#told;
    const member = this.#feeder === null || this.#given === 0 ? null : coordinator;
    const said = `${member} ${term}`;
    if (said === this.#announced) return;
    this.#announced = said;
    this.#barriers.again();
    this.#options.deliver({ kind: "coordinator", member, isHere: false, term });
  }
}

/** A snapshot that comes is kept as a state alone. */
const nowhere = {
  create: () => ({
    add: (_piece: string, done: () => void): void => done(),
    finish: (done: (bytes: number) => void): void => done(0),
    abandon: (): void => {},
  }),
};
