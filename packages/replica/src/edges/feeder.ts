/**
 * Feeds edges: what this member is given in order goes on to them, and what they propose and ask goes on to the order.
 *
 * It stands on the order's port alone, so that an edge feeds others as a member does. Invariants: entries are kept for edges only while some
 * are linked, and for `graceMs` after; what an edge proposes is looked at as another member's proposal is.
 */
import type { SnapshotReading } from "@copse/log";
import type { Configuration, Payload } from "@copse/raft";
import type { PeerFacts } from "../ensemble/peer-facts.ts";
import type { PeerMessage } from "../ensemble/peer-message.ts";
import type { Order, OrderEvent, OrderedEntry } from "../order/order.ts";
import type { Clock } from "../ports.ts";
import type { Relayed } from "./edge-message.ts";
import { Feed, type FeedDetail, type FeedHead } from "./feed.ts";
import { type FedEdge, KnownEdges } from "./known-edges.ts";
import { RecentEntries } from "./recent-entries.ts";

/** Edges that one member, or one edge, feeds: more of them follow those. */
const edgesMax = 64;
/** Barriers of one edge that are open: without a quorum it asks again and again. */
const questionsMax = 4;
/** UTF-16 units of the newest entries that are kept for all edges together. */
const recentUnitsMax = 33_554_432;
/** How long they are kept when the last edge has gone, in milliseconds: most are back soon. */
const graceMs = 10_000;
/** How often it is said who follows whom, where that has changed, in milliseconds. */
const edgesToldMs = 1_000;

export interface FeederOptions {
  readonly order: Pick<Order, "propose" | "barrier">;
  readonly clock: Clock;
  readonly send: (edge: string, message: PeerMessage) => void;
  readonly defer: (run: () => void) => void;
  /** Opens a snapshot of the state as it is now. */
  readonly open: () => SnapshotReading;
  /** The id of who feeds. */
  readonly own: string;
  /** The newest entry that was applied here. */
  readonly newest: () => number;
  /** The state's time, 0 where this member does not know it. */
  readonly time: () => number;
  readonly members: () => Configuration;
  readonly relayed: () => Relayed;
  readonly isReadable: (payload: Payload) => boolean;
}

export class Feeder {
  readonly #options: FeederOptions;
  readonly #entries: RecentEntries = new RecentEntries(recentUnitsMax);
  readonly #feeds: Map<string, { readonly facts: PeerFacts; readonly feed: Feed }> = new Map();
  /** Barriers that edges have asked for, by ticket: below 0, so that they are no tickets of this member's own. */
  readonly #questions: Map<number, { readonly edge: string; readonly context: string }> = new Map();
  #tickets = 0;
  #coordinator: { readonly coordinator: string | null; readonly term: number } = { coordinator: null, term: 0 };
  /** Entries are kept: an edge follows, or did a moment ago. */
  #isKeeping = false;
  #emptySince = Number.NEGATIVE_INFINITY;
  readonly #known: KnownEdges;
  #toldEdgesAt = Number.NEGATIVE_INFINITY;

  constructor(options: FeederOptions) {
    this.#options = options;
    this.#known = new KnownEdges(options.own, () => this.#fed);
  }

  /** The edges that there are, as far as it has heard. */
  get edges(): KnownEdges {
    return this.#known;
  }

  /** True if one more can be fed. */
  get hasRoom(): boolean {
    return this.#feeds.size < edgesMax;
  }

  has(edge: string): boolean {
    return this.#feeds.has(edge);
  }

  get #fed(): readonly FedEdge[] {
    return [...this.#feeds.values()].map(({ facts, feed }) => ({ facts, zxid: feed.zxid }));
  }

  up(facts: PeerFacts): void {
    const { clock, send, open, defer, newest, time, members, relayed } = this.#options;
    const { member: edge } = facts;
    this.down(edge);
    const told = (): FeedHead => ({ newest: newest(), ...this.#coordinator, time: time() });
    const detail = (): FeedDetail => ({ members: members(), relayed: relayed() });
    const feed = new Feed({ entries: this.#entries, clock, send: (message) => send(edge, message), told, detail, open, defer });
    this.#feeds.set(edge, { facts, feed });
    this.#isKeeping = true;
    feed.tick();
  }

  down(edge: string): void {
    this.#known.relinked(edge);
    this.#feeds.get(edge)?.feed.end();
    this.#feeds.delete(edge);
    if (this.#feeds.size === 0) this.#emptySince = this.#options.clock.now();
  }

  /** The link to a peer that does not follow is another one, or gone. */
  relinked(peer: string): void {
    this.#known.relinked(peer);
  }

  /** Somebody says which edges there are. */
  heard(peer: string, messages: readonly PeerMessage[]): void {
    for (const message of messages) if (message.kind === "edges") this.#known.said(peer, message.edges);
  }

  /** Says to those that follow, and to these peers, which edges there are, where it is time to. */
  tellEdges(peers: Iterable<string>): void {
    const now = this.#options.clock.now();
    if (now - this.#toldEdgesAt < edgesToldMs) return;
    this.#toldEdgesAt = now;
    this.#known.look();
    const tell = (peer: string, follows: boolean): void => {
      const edges = this.#known.news(peer, follows, now);
      if (edges !== null) this.#options.send(peer, { kind: "edges", edges });
    };
    for (const edge of this.#feeds.keys()) tell(edge, true);
    for (const peer of new Set(peers)) tell(peer, false);
  }

  receive(edge: string, message: PeerMessage): void {
    const { order, isReadable } = this.#options;
    const feed = this.#feeds.get(edge)?.feed;
    switch (message.kind) {
      case "follow":
        return feed?.followed(message.index, message.zxid);
      case "wanted":
        return feed?.wanted(message.index, message.number);
      case "proposed":
        if (isReadable(message.payload)) order.propose(message.payload);
        return;
      case "question":
        return this.#asked(edge, message);
    }
  }

  /** One that is dropped here is asked again. */
  #asked(edge: string, { context, touched }: Extract<PeerMessage, { kind: "question" }>): void {
    const open = [...this.#questions.values()].filter((question) => question.edge === edge).length;
    if (open >= questionsMax) return;
    this.#questions.set(-++this.#tickets, { edge, context });
    this.#options.order.barrier(-this.#tickets, touched);
  }

  /** What the order gave this member, once it is applied here. */
  ordered(event: OrderEvent): void {
    switch (event.kind) {
      case "entries":
        return this.#note(event.entries);
      case "restored":
        return this.#entries.clear();
      case "coordinator":
        this.#coordinator = { coordinator: event.member, term: event.term };
        return this.tick();
    }
  }

  /** The barrier of an edge is confirmed. */
  confirmed(ticket: number): void {
    const question = this.#questions.get(ticket);
    this.#questions.delete(ticket);
    if (question === undefined || !this.#feeds.has(question.edge)) return;
    this.#options.send(question.edge, { kind: "answer", context: question.context, index: this.#options.newest() });
  }

  tick(): void {
    for (const { feed } of this.#feeds.values()) feed.tick();
  }

  /** Sends what there is to be sent, at the end of a turn. */
  flush(): void {
    for (const { feed } of this.#feeds.values()) feed.flush();
  }

  /** The heap is nearly full: the newest entries are dropped, and edges that need them get a snapshot instead. */
  relieve(): void {
    this.#entries.clear();
  }

  #note(entries: readonly OrderedEntry[]): void {
    if (!this.#isKeeping) return;
    if (this.#feeds.size === 0 && this.#options.clock.now() - this.#emptySince >= graceMs) {
      this.#isKeeping = false;
      return this.#entries.clear();
    }
    for (const entry of entries) this.#entries.add(entry);
  }
}
