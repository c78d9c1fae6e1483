/**
 * The loop of one member: takes inputs, turns the core, performs the effects. The same in production and in simulation.
 *
 * A turn takes all inputs that have gathered (up to its budget), then proposes, then sends: one append, one message for
 * each peer, one frame for each connection. Invariant: nothing is sent that a write after it in the same turn could
 * contradict, because replies to writes come only with their ordered entry.
 */
import { snapshotName, type Wal } from "@copse/log";
import type { ShownEdge } from "@copse/protocol";
import { emptyConfiguration, type MemberId } from "@copse/raft";
import { isRootOpen, type Tree } from "@copse/tree";
import { Completions } from "./completions.ts";
import { Deliveries } from "./connections/deliveries.ts";
import { Feeder } from "./edges/feeder.ts";
import type { PeerFacts, PeerRefusal } from "./ensemble/peer-facts.ts";
import type { PeerMessage } from "./ensemble/peer-message.ts";
import { PeerOutbox } from "./ensemble/peer-outbox.ts";
import { traceMembers } from "./ensemble/upkeep.ts";
import type { Figures, OrderFigures } from "./figures/figures.ts";
import type { Check } from "./figures/readiness.ts";
import { Tally } from "./figures/tally.ts";
import type { Input } from "./input.ts";
import type { MemberOptions } from "./member-options.ts";
import { type MemberState, openState } from "./member-state.ts";
import type { Applier } from "./order/applier.ts";
import type { Engine } from "./order/engine.ts";
import { RaftOrder } from "./order/order-raft.ts";
import { foundingPlace } from "./order/raft-settings.ts";
import type { StateTime } from "./order/state-time.ts";
import { entryWeight, inputsPerLook, lookMs, turnMsMax, waitingMsMax } from "./pace.ts";
import { Replica } from "./replica.ts";
import { Downloads } from "./snapshots/downloads.ts";
import { slowTurnMs } from "./trace.ts";

export class Member {
  readonly #options: MemberOptions;
  readonly #state: MemberState;
  readonly #replica: Replica;
  readonly #tally: Tally = new Tally();
  readonly #deliveries: Deliveries;
  readonly #feeder: Feeder;
  readonly #completions: Completions = new Completions();
  #queue: Input[] = [];
  #isScheduled = false;
  #longestTurnMs = 0;
  /** What leaves for each peer at the end of the turn. */
  readonly #outbox: PeerOutbox = new PeerOutbox();
  /** The table that the mesh was last told. */
  #meshed: Tree["ensemble"] | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** Recovers the state from the disk. @throws CorruptLogError where the files can't be believed */
  constructor(options: MemberOptions) {
    this.#options = options;
    const { clock, deliveriesMax, gateway } = options;
    const tally = this.#tally;
    const defer = (next: () => void): void => this.#defer(next);
    this.#state = openState(options, {
      deliver: (event) => this.submit({ kind: "ordered", event }),
      send: (to, message) => this.#sendOrder(to, message),
      defer,
      touch: (sessions) => this.#replica.touch(sessions),
      isReadable: (payload) => this.#replica.isReadable(payload),
      measure: (work) => this.#measure(work),
      tally,
    });
    const { tree, time, applier, order, snapshots, live } = this.#state;
    this.#deliveries = new Deliveries(gateway, deliveriesMax, (connection, backlog) => this.#replica.backlog(connection, backlog));
    this.#feeder = new Feeder({
      order,
      clock,
      defer,
      own: options.member,
      send: (edge, message) => this.#outbox.add(edge, message),
      open: () => live.open(),
      newest: () => tree.index,
      time: () => time.told,
      members: () => order.members,
      relayed: () => this.#replica.ensemble.relayed,
      isReadable: (payload) => this.#replica.isReadable(payload),
    });
    this.#replica = new Replica(options, {
      ...this.#state,
      edges: this.#feeder.edges,
      consensus: order,
      tally,
      downloads: new Downloads({ snapshots, clock, defer }),
      found: (voters) => this.#found(voters, applier),
      tellPeers: (message) => this.#tellPeers(message),
      unsent: (connection) => this.#deliveries.unsent(connection),
      committed: () => order.committed,
      syncMsP99: () => order.syncTimes.p99(),
    });
  }

  /** Begins: gives out what the log holds, and stands for election where nobody else could. */
  start(): void {
    this.submit({ kind: "tick" });
  }

  /** What this member says of itself to its peers. */
  get facts(): PeerFacts {
    return this.#replica.ensemble.facts;
  }

  /** Why this member does not speak with a peer, or null where it does. */
  refusal(facts: PeerFacts): PeerRefusal | null {
    const { member, isEdge = false } = facts;
    if (isEdge && !this.#feeder.hasRoom && !this.#feeder.has(member)) return { kind: "too-many-edges", member };
    return this.#replica.ensemble.refusal(facts);
  }

  /** True while this member serves with a quorum behind it. */
  get isServing(): boolean {
    return this.#replica.isServing;
  }

  /** What has to hold before clients are sent here. */
  get checks(): readonly Check[] {
    return this.#replica.checks;
  }

  /** What this member waits for before it has a cluster, in words; null where it has one. */
  get waitsFor(): string | null {
    return this.#replica.ensemble.waitsFor;
  }

  /** The cluster's id, or "" where the ensemble has not agreed on one yet. */
  get cluster(): string {
    return this.#replica.cluster;
  }

  /** What passwords are salted with, or "" where the ensemble has not agreed on its id yet. */
  get salt(): string {
    return this.tree.ensemble.salt ?? this.cluster;
  }

  /** The URLs that the members tell clients. */
  get urls(): readonly string[] {
    return this.#replica.ensemble.urls;
  }

  /** True while everyone may change what is below the root. */
  get isRootOpen(): boolean {
    return isRootOpen(this.tree);
  }

  /** True for a member that is known to read no format of txns newer than 2. */
  isOlder(member: string): boolean {
    return this.#replica.ensemble.isOlder(member);
  }

  /** The state's time, for tests and metrics. Read only. */
  get time(): StateTime {
    return this.#state.time;
  }

  /** Consensus, for tests and tools that look at how members agree. Read only. An edge has none. */
  get order(): RaftOrder {
    const { order } = this.#state;
    if (!(order instanceof RaftOrder)) throw new TypeError("an edge takes no part in consensus");
    return order;
  }

  /** What start-up found in the data directory. */
  get recovered(): MemberState["recovered"] {
    return this.#state.recovered;
  }

  /** The term that it is in. */
  get term(): number {
    return this.#order.term;
  }

  /** True while this edge follows it. */
  feeds(edge: string): boolean {
    return this.#feeder.has(edge);
  }

  /** The edges that it has heard of. */
  get edges(): readonly ShownEdge[] {
    return this.#feeder.edges.all;
  }

  /** Writes the first state that all founders share, and begins from it. */
  #found(voters: readonly MemberId[], applier: Applier): void {
    const configuration = { ...emptyConfiguration, voters };
    this.#options.trace?.tell({ kind: "founded", voters: voters.map(String) });
    this.tree.index = foundingPlace.index;
    applier.term = foundingPlace.term;
    this.#state.compaction?.take(configuration, () => {
      this.#defer(() => this.#order.found({ ...foundingPlace, configuration }));
    });
  }

  /** Hands over, where this member leads: the others need not wait for an election. */
  handOver(): void {
    this.submit({ kind: "hand-over" });
  }

  /** As an input, which a log of inputs can name. */
  #defer(next: () => void): void {
    this.submit({ kind: "performed", number: this.#completions.note(next) });
  }

  /** Takes an input; it is looked at in a turn of its own, soon. */
  submit(input: Input): void {
    this.#queue.push(input);
    this.#wake();
  }

  /**
   * Opens a snapshot of the state as it is now, as a file of the data directory.
   * @param open gets the file's name, the zxid at least of the state in it, and what gives the file back
   */
  openSnapshot(open: (file: string, zxid: number, close: () => void) => void): void {
    const { zxid } = this.tree;
    this.#state.snapshots.fresh((reading) => this.#defer(() => open(snapshotName(reading.place.index), zxid, () => reading.close())));
  }

  /** Closes so many connections, and says how many are left. What was proposed still becomes durable. */
  dismiss(most: number): number {
    const left = this.#replica.dismiss(most);
    this.#deliveries.take(this.#replica.endTurn());
    return left;
  }

  /** Requests whose outcome is not known yet. */
  get pending(): number {
    return this.#replica.pending;
  }

  get figures(): Figures & OrderFigures & { readonly wal: Readonly<Wal["counts"]> } {
    const { coordinates, unreadable, term, committed } = this.#order;
    return { ...this.#replica.figures, coordinates, unreadable, term, committed, wal: this.#state.walCounts };
  }

  /** What it has counted and measured since it started. */
  get tally(): Tally {
    return this.#tally;
  }

  /** The other members, as far as the table names them: whether they are linked, and how far they have said they are. */
  get peers(): readonly { readonly id: string; readonly isUp: boolean; readonly zxid: number }[] {
    const { members } = this.#replica.ensemble.shown(true);
    return members.filter(({ id }) => id !== this.#options.member).map(({ id, state, zxid }) => ({ id, isUp: state === "up", zxid }));
  }

  /** The newest round trip to each linked member, in milliseconds. */
  get roundTripsMs(): ReadonlyMap<string, number> {
    return this.#replica.ensemble.roundTripsMs;
  }

  /** The longest that one piece of our own work has held the loop since the last call, garbage collection within it included, in milliseconds. */
  takeLongestTurnMs(): number {
    const longest = this.#longestTurnMs;
    this.#longestTurnMs = 0;
    return longest;
  }

  /** The state, for tests and tools that compare members. Read only. */
  get tree(): Tree {
    return this.#state.tree;
  }

  get #order(): Engine {
    return this.#state.order;
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
    const ms = this.#options.clock.now() - startedAt;
    this.#longestTurnMs = Math.max(this.#longestTurnMs, ms);
    if (ms >= slowTurnMs) this.#options.trace?.tell({ kind: "slow-turn", ms: Math.round(ms) });
    return result;
  }

  #turn(): void {
    const { clock } = this.#options;
    const startedAt = clock.now();
    this.#replica.beginTurn(turnMsMax);
    do {
      const inputs = this.#queue;
      this.#queue = [];
      let taken = 0;
      let weight = 0;
      while (taken < inputs.length && ((taken + weight) % inputsPerLook !== 0 || clock.now() - startedAt < turnMsMax)) {
        const input = inputs[taken++]!;
        if (input.kind === "ordered") weight += entryWeight;
        this.#receive(input);
      }
      if (taken < inputs.length) this.#queue = [...inputs.slice(taken), ...this.#queue];
      this.#deliveries.take(this.#replica.endTurn());
      this.#order.flush();
    } while (this.#queue.length > 0 && clock.now() - startedAt < turnMsMax);
    // What could not be begun within the turn gets a share of its own, so that it comes to an end.
    if (this.#replica.isWaiting) {
      this.#replica.beginTurn(waitingMsMax);
      this.#replica.work();
      this.#deliveries.take(this.#replica.endTurn());
      this.#order.flush();
    }
    this.#sendToPeers();
    this.#deliveries.send();
    if (this.#queue.length > 0 || this.#replica.hasWork || !this.#deliveries.isEmpty) this.#wake();
  }

  /** What concerns the engine goes to it, and everything to the replica. */
  #receive(input: Input): void {
    switch (input.kind) {
      case "peer":
        return this.#heard(input.member, input.messages);
      case "edge-up":
        return this.#feeder.up(input.facts);
      case "peer-up":
        this.#feeder.relinked(input.facts.member);
        this.#order.linked(input.facts);
        this.#sayStatus(input.facts.member);
        break;
      case "peer-down":
        this.#feeder.relinked(input.member);
        if (this.#feeder.has(input.member)) return this.#feeder.down(input.member);
        this.#order.lost(input.member);
        break;
      case "ordered":
        // What an edge has asked for is for the edge alone.
        if (input.event.kind === "confirmed" && input.event.ticket < 0) return this.#feeder.confirmed(input.event.ticket);
        this.#replica.receive(input);
        return this.#feeder.ordered(input.event);
      case "pressure":
        if (input.isPressed && input.of === "heap") this.#feeder.relieve();
        break;
      case "performed":
        return this.#completions.run(input.number);
      case "hand-over":
        return this.#order.handOver();
      case "tick":
        return this.#tick();
    }
    this.#replica.receive(input);
  }

  #heard(peer: string, messages: readonly PeerMessage[]): void {
    this.#feeder.heard(peer, messages);
    if (this.#feeder.has(peer)) {
      for (const message of messages) this.#feeder.receive(peer, message);
      return;
    }
    // What the time is comes before a vote that makes this member lead, and stamp.
    this.#replica.receive({ kind: "peer", member: peer, messages });
    for (const message of messages) this.#order.receive(peer, message);
  }

  /** Consensus counts every tick; everything else is looked at less often. */
  #tick(): void {
    this.#order.tick();
    const now = this.#options.clock.now();
    if (now - this.#lookedAt < lookMs) return;
    this.#lookedAt = now;
    this.#replica.receive({ kind: "tick" });
    this.#feeder.tick();
    for (const { id } of this.#replica.ensemble.places) this.#sayStatus(id);
    this.#feeder.tellEdges(this.#replica.ensemble.hearsOfEdges);
  }

  #tellPeers(message: PeerMessage): void {
    for (const { id } of this.#replica.ensemble.places) this.#outbox.add(id, message);
  }

  #sayStatus(member: string): void {
    this.#outbox.add(member, this.#replica.ensemble.statusFor(member));
  }

  /** A vote says the time with it: who is elected by it, and has not heard the time from anyone, would begin it anew. */
  #sendOrder(to: string, sent: PeerMessage): void {
    if (sent.kind === "raft" && sent.message.kind === "vote-reply") this.#sayStatus(to);
    this.#outbox.add(to, sent);
  }

  #sendToPeers(): void {
    const { mesh } = this.#options;
    if (this.#meshed !== this.tree.ensemble) {
      traceMembers(this.#options.trace, this.#meshed, this.tree.ensemble);
      this.#meshed = this.tree.ensemble;
      mesh.connect(this.#replica.ensemble.places, this.#replica.ensemble.ownAddress);
    }
    this.#feeder.flush();
    for (const [to, messages] of this.#outbox.take()) mesh.send(to, messages);
  }
}
