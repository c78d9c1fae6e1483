/**
 * Order by consensus: the host of the raft core, which turns its Readys into writes, messages and events.
 *
 * Invariants. Nothing that promises durability (a vote, an acknowledgement, the leader's own count) leaves before the write
 * it speaks of is synced; what promises nothing leaves at once, so the leader's sync runs beside its followers'. Entries
 * are given in index order, each once, and only committed ones. The leader stamps a proposal with the state's time when it takes
 * it. A hub alone is the same with one voter.
 */
import type { SnapshotPlace, SnapshotStore, Wal } from "@copse/log";
import {
  type Configuration,
  type Entry,
  emptyConfiguration,
  type MemberChange,
  type MemberId,
  type MembershipChange,
  MembershipError,
  type Message,
  nobody,
  type Payload,
  Raft,
  type RaftStart,
  type Ready,
} from "@copse/raft";
import { nothingRelayed, type Relayed } from "../edges/edge-message.ts";
import type { PeerMessage } from "../ensemble/peer-message.ts";
import type { Tally } from "../figures/tally.ts";
import type { Clock } from "../ports.ts";
import { SnapshotExchange } from "../snapshots/snapshot-exchange.ts";
import type { Restorer } from "../snapshots/snapshot-receiving.ts";
import { slowSyncMs, type Trace } from "../trace.ts";
import { Barriers } from "./barriers.ts";
import type { Engine } from "./engine.ts";
import { LeaderCount } from "./leader-count.ts";
import type { OrderEvent } from "./order.ts";
import { type ElectionTimes, type RaftSizes, raftOptions } from "./raft-settings.ts";
import { orderedEntry, stamped } from "./stamp.ts";
import type { StateTime } from "./state-time.ts";
import { SyncTimes } from "./sync-times.ts";

export interface RaftOrderOptions {
  readonly id: MemberId;
  /** Differs each time the member starts. */
  readonly boot: string;
  readonly times: ElectionTimes;
  readonly sizes: RaftSizes;
  readonly wal: Wal;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  /** What a leader stamps proposals with. */
  readonly time: StateTime;
  /** In [0, below). */
  readonly random: (below: number) => number;
  /** Takes what comes back, from outside of any call into this object. */
  readonly deliver: (event: OrderEvent) => void;
  /** Gives a message to the link; it may be lost. */
  readonly send: (to: MemberId, message: PeerMessage) => void;
  /** Runs what follows a disk operation, in a turn of the loop. */
  readonly defer: (run: () => void) => void;
  /** Counts signs of life, as the coordinator. False where one of the sessions is being expired. */
  readonly touch: (sessions: readonly string[]) => boolean;
  readonly restorer: () => Restorer;
  readonly tally?: Tally;
  readonly trace?: Trace | null;
  /** True for an entry that can be applied: what another member proposes is asked for before it is appended. */
  readonly isReadable?: (payload: Payload) => boolean;
  /** Takes a snapshot of the state as it is now, unless one is under way. */
  readonly takeSnapshot: () => void;
}

/** A voter in waiting counts as caught up when it lacks at most so many entries. */
const caughtUpEntries = 1_000;
/** Where a leader's connection broke, the election waits a random part of this, so that not all stand at once. */
const earlyTicksMax = 2;

export class RaftOrder implements Engine {
  readonly #options: RaftOrderOptions;
  readonly #raft: Raft;
  readonly syncTimes: SyncTimes = new SyncTimes();
  /** Proposals of other members that were dropped because they can't be read: for metrics. */
  unreadable = 0;
  readonly relayed: Relayed = nothingRelayed;
  readonly #barriers: Barriers;
  /** Readys whose write is under way, with what leaves after it. */
  #storing: { readonly number: number; readonly isStored: boolean; readonly messages: readonly Message[] }[] = [];
  /** The configurations after the entries at which they changed, oldest first. */
  #configurations: { readonly index: number; readonly configuration: Configuration }[];
  readonly committedAtStart: number;
  /** Entries up to this index have been given out. */
  #given: number;
  #announced = "";
  readonly #leaders: LeaderCount;
  readonly #exchange: SnapshotExchange;
  /** Ticks until an early election, or null. */
  #earlyTicks: number | null = null;

  /** @param start an empty log for a member that is not founded: it waits until others take it in, or `found` is called */
  constructor(options: RaftOrderOptions, start: RaftStart) {
    this.#options = options;
    this.#leaders = new LeaderCount(options.tally);
    this.#barriers = new Barriers(`${options.id}.${options.boot}`, options.clock, (options.times.tickMs * options.times.electionTicks) / 2);
    this.#exchange = new SnapshotExchange({
      ...options,
      onSent: (to, isTaken) => this.#raft.reportSnapshot(to, isTaken),
      onReceived: (place, message, restorer) => this.#received(place, message, restorer),
    });
    const { id, times, sizes, random, store } = options;
    this.#raft = new Raft(
      raftOptions(id, times, sizes, random, () => store.newest!),
      start,
    );
    this.#configurations = [{ index: start.base.index, configuration: start.configuration }];
    this.committedAtStart = start.hardState.commit;
    this.#given = start.base.index;
  }

  /**
   * Begins from a first state that all founders share, which stands durably. They need not wait for an election's time to
   * elect the first leader.
   */
  found(place: SnapshotPlace): void {
    if (this.isFounded) return;
    this.#raft.found(place);
    this.#configurations = [place];
    this.#given = place.index;
    this.#earlyTicks = this.#options.random(earlyTicksMax + 1);
  }

  /** False while there is neither a log nor a member to count votes. */
  get isFounded(): boolean {
    return this.#raft.log.lastIndex > 0;
  }

  get raft(): Raft {
    return this.#raft;
  }

  get term(): number {
    return this.#raft.term;
  }

  get committed(): number {
    return this.#raft.log.committed;
  }

  /** True if this member leads, and has given out an entry of its own term: it knows all that was committed before. */
  get coordinates(): boolean {
    return this.#raft.role === "leader" && this.#raft.log.term(this.#given) === this.#raft.term;
  }

  propose(payload: Payload): void {
    this.#raft.propose(this.#raft.role === "leader" ? this.#stamped(payload) : payload);
  }

  barrier(ticket: number, touched: readonly string[]): void {
    this.#barriers.add(ticket, touched);
  }

  trim(index: number): void {
    const { wal, store, sizes } = this.#options;
    const { log } = this.#raft;
    const bound = Math.min(index, store.oldestRead, log.applied);
    // A tail is for laggards; a member that is alone has none.
    const tailUnits = this.#raft.members.progress.size > 1 ? sizes.tailUnits : 0;
    let bytes = 0;
    let keepFrom = bound + 1;
    while (keepFrom > log.firstIndex && bytes < tailUnits) bytes += log.slice(--keepFrom, keepFrom + 1)[0]!.payload.length;
    // The first entry always goes: an empty member begins with a snapshot, which names the members.
    if (bound > 0) log.compact(Math.max(keepFrom - 1, 1));
    wal.truncateBefore(Math.min(index, bound, store.oldestKept));
    const older = this.#configurations.filter(({ index: at }) => at <= bound);
    if (older.length > 1) this.#configurations = this.#configurations.slice(older.length - 1);
  }

  configuration(index: number): Configuration {
    const found = this.#configurations.filter((one) => one.index <= index);
    return found[found.length - 1]?.configuration ?? emptyConfiguration;
  }

  /** The newest configuration that was given out. */
  get members(): Configuration {
    return this.#configurations[this.#configurations.length - 1]!.configuration;
  }

  /** True if a learner lacks so little that it may vote. */
  isCaughtUp(member: MemberId): boolean {
    const progress = this.#raft.members.progress.get(member);
    return progress?.state === "replicate" && progress.isActive && this.#raft.log.lastIndex - progress.match <= caughtUpEntries;
  }

  acknowledged(member: MemberId): number {
    const { role, log, term, members } = this.#raft;
    if (role !== "leader") return 0;
    const { match } = members.progress.get(member) ?? { match: 0 };
    // A leader begins with all that it holds, while its disk may still be writing that; of its own term it counts what it has stored.
    if (member === this.#options.id && log.term(match) !== term) return 0;
    return Math.min(match, log.committed);
  }

  get lastIndex(): number {
    return this.#raft.log.lastIndex;
  }

  get needsSnapshot(): boolean {
    return this.#raft.log.firstIndex === 1;
  }

  /** Proposes a membership change; one that may not be made now is dropped by consensus itself. */
  change(changes: readonly MemberChange[]): void {
    this.#raft.proposeChange({ transition: "auto", changes });
  }

  handOver(to?: readonly MemberId[]): void {
    const { voters, progress } = this.#raft.members;
    const others = [...(to ?? voters[0])].filter((id) => id !== this.#options.id && progress.get(id)?.isActive === true);
    const [successor] = others.sort((a, b) => progress.get(b)!.match - progress.get(a)!.match);
    if (this.#raft.role === "leader" && successor !== undefined) this.#raft.transferLeadership(successor);
  }

  tick(): void {
    this.#raft.tick();
    // One that leads and is no voter any more takes no proposals: it would keep the others from electing one that does.
    if (this.#raft.role === "leader" && !this.#raft.members.voters[0].has(this.#options.id)) this.handOver();
    this.#barriers.tick();
    this.#exchange.tick();
    if (this.#earlyTicks !== null && this.#earlyTicks-- <= 0) this.#campaignEarly();
  }

  linked(): void {} // Consensus tries all whom it counts, linked or not.

  /** A message of another member. */
  receive(peer: string, received: PeerMessage): void {
    const from = Number(peer);
    if (received.kind !== "raft") return this.#exchange.receive(from, received, this.#raft.log.committed);
    const { message, touched } = received;
    // What a member passes on keeps its author; everything else is its own word. A snapshot has its own way in.
    const isPassedOn = message.kind === "propose" || message.kind === "read-index" || message.kind === "transfer-leader";
    if (message.kind !== "snapshot" && (message.from === from || isPassedOn)) this.#step(message, touched);
  }

  /** The link to a member is gone. If it led, nobody waits for the clock to say so. */
  lost(peer: string): void {
    const member = Number(peer);
    this.#exchange.lost(member);
    this.#raft.reportUnreachable(member);
    if (this.#raft.lead !== member || this.#raft.role !== "follower") return;
    this.#raft.forgetLeader();
    this.#earlyTicks = this.#options.random(earlyTicksMax + 1);
  }

  /** Does all that consensus has ready. To be called at the end of each turn. */
  flush(): void {
    if (this.#isAlone) this.#raft.campaign();
    this.#ask();
    while (this.#raft.hasReady) this.#take(this.#raft.ready());
    for (const ticket of this.#barriers.confirmed(this.#given)) this.#options.deliver({ kind: "confirmed", ticket });
    this.#announce();
  }

  /** A voter that is alone need not wait for anybody. */
  get #isAlone(): boolean {
    const { voters } = this.#raft.members;
    return this.#raft.role === "follower" && voters[0].size === 1 && voters[1].size === 0 && voters[0].has(this.#options.id);
  }

  /** Stands, and again soon where the votes were split: nobody has to wait for the clock to say that the leader is gone. */
  #campaignEarly(): void {
    this.#earlyTicks = null;
    if (this.#raft.lead !== nobody) return;
    this.#raft.campaign();
    this.#earlyTicks = 1 + this.#options.random(2 * earlyTicksMax + 1);
  }

  #step(message: Message, touched: readonly string[]): void {
    if (message.to !== this.#options.id) return;
    const isLeader = this.#raft.role === "leader";
    if (message.kind === "propose" && isLeader) {
      const { isReadable = () => true } = this.#options;
      const readable = message.proposals.filter(({ kind, payload }) => kind === "change" || isReadable(payload));
      this.unreadable += message.proposals.length - readable.length;
      if (readable.length === 0) return;
      this.#raft.step({ ...message, proposals: readable.map((one) => ({ ...one, payload: this.#stamped(one.payload) })) });
      return;
    }
    // A session whose expiry is under way can't be counted: the question is asked again, and by then it has expired.
    if (message.kind === "read-index" && touched.length > 0 && !(isLeader && this.#options.touch(touched))) return;
    this.#raft.step(message);
  }

  #stamped(payload: Payload): Payload {
    return stamped(this.#options.time.now(), payload);
  }

  #ask(): void {
    if (this.#raft.lead === nobody) return;
    const question = this.#barriers.next();
    if (question === null) return;
    if (this.#raft.role === "leader" && !this.#options.touch(question.touched)) return this.#barriers.again();
    this.#raft.read(question.context);
  }

  #take(ready: Ready): void {
    const { wal, defer, clock } = this.#options;
    for (const message of ready.messages) this.#send(message);
    const isStored = ready.mustStore || ready.snapshot !== null;
    const { number, messagesAfterStore: messages } = ready;
    this.#storing.push({ number, isStored, messages });
    const from = clock.now();
    const stored = (): void => {
      const ms = clock.now() - from;
      this.syncTimes.note(ms);
      this.#options.tally?.syncs.note(ms);
      if (ms >= slowSyncMs) this.#options.trace?.tell({ kind: "slow-sync", ms: Math.round(ms) });
      defer(() => this.#stored(number));
    };
    if (isStored) wal.append(ready.entries, this.#raft.hardState, stored, ready.snapshot);
    else if (this.#storing.length === 1) this.#stored(number);
    this.#give(ready.committed);
    this.#raft.applied(ready);
    for (const { context, index } of ready.reads) this.#barriers.answered(context, index);
  }

  /** The write of this Ready is durable, and with it those before; what follows without a write of its own may go too. */
  #stored(number: number): void {
    while (this.#storing.length > 0) {
      const first = this.#storing[0]!;
      if (first.number > number && first.isStored) return;
      this.#storing.shift();
      for (const message of first.messages) this.#send(message);
      this.#raft.persisted(first.number);
    }
  }

  #give(committed: readonly Entry[]): void {
    if (committed.length === 0) return;
    for (const entry of committed) {
      if (entry.change !== null) this.#applyChange(entry.index, entry.change);
    }
    this.#given = committed[committed.length - 1]!.index;
    // One at a time: the loop looks at the clock between two.
    for (const entry of committed) this.#options.deliver({ kind: "entries", entries: [orderedEntry(entry)] });
  }

  #applyChange(index: number, change: MembershipChange): void {
    try {
      this.#configurations.push({ index, configuration: this.#raft.applyChange(change) });
    } catch (error) {
      // Every member refuses the same change: it has no effect anywhere.
      if (!(error instanceof MembershipError)) throw error;
    }
  }

  #send(message: Message): void {
    if (message.kind === "snapshot") return this.#sendSnapshot(message);
    const touched = message.kind === "read-index" ? this.#barriers.touchedBy(message.context) : [];
    this.#options.send(message.to, { kind: "raft", message, touched });
  }

  /** One that does not know its receiver as a member would not be taken: then a newer one is wanted first. */
  #sendSnapshot(message: Message): void {
    const { voters, learners, outgoing } = this.#options.store.newest!.configuration;
    if ([...voters, ...learners, ...outgoing].includes(message.to)) return this.#exchange.send(message);
    this.#options.takeSnapshot();
    this.#raft.reportSnapshot(message.to, false);
  }

  /** A snapshot from elsewhere stands on disk: it becomes the log's beginning, unless the log has come further meanwhile. */
  #received(place: SnapshotPlace, message: Message, restorer: Restorer): void {
    const { index, term, configuration } = place;
    this.#raft.step({ ...message, to: this.#options.id, snapshot: place });
    if (!this.#raft.log.hasSnapshot || this.#raft.log.lastIndex !== index) return;
    this.#configurations = [{ index, configuration }];
    this.#given = index;
    this.#options.deliver({ kind: "restored", index, term, install: () => restorer.install() });
  }

  #announce(): void {
    const { lead, term } = this.#raft;
    const isHere = this.coordinates;
    const member = lead === nobody || (lead === this.#options.id && !isHere) ? null : String(lead);
    const said = `${member} ${isHere} ${term}`;
    if (said === this.#announced) return;
    this.#announced = said;
    this.#leaders.note(this.#raft);
    if (member !== null) this.#earlyTicks = null;
    if (this.#raft.role !== "leader") this.#exchange.stopSending();
    this.#barriers.again();
    this.#options.deliver({ kind: "coordinator", member, isHere, term });
  }
}
