/**
 * One member as a synchronous core: inputs in, effects out.
 *
 * It owns the state and knows every rule; it neither waits nor touches the world. Inputs are taken in the order in which
 * they happened; what a turn of the loop has gathered (proposals, barriers) leaves at the turn's end, together. What
 * comes back from the order is an input like any other.
 */
import { closeCode, connectWaitMs, type RawMessage } from "@copse/protocol";
import type { Tree } from "@copse/tree";
import type { Applier } from "./applier.ts";
import type { Audit } from "./audit.ts";
import type { Compaction } from "./compaction.ts";
import { Connection } from "./connection.ts";
import { type Effect, Effects } from "./effect.ts";
import { Ensemble, type EnsembleOptions, type EnsembleState, type Membership } from "./ensemble.ts";
import type { History } from "./history.ts";
import type { Input } from "./input.ts";
import type { Order, OrderEvent } from "./order.ts";
import type { Clock, Hash, Random } from "./ports.ts";
import { Proposals } from "./proposals.ts";
import { Reaper } from "./reaper.ts";
import { Requests } from "./requests.ts";
import { type Coordinator, type SessionOptions, Sessions } from "./sessions.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Waits } from "./waits.ts";
import { WatchTable } from "./watch-table.ts";

export interface ReplicaOptions extends SessionOptions, Omit<EnsembleOptions, "limits"> {
  /** Differs each time the member starts. */
  readonly boot: string;
  /** How often the coordinator looks for containers and TTL znodes that are due, in milliseconds. */
  readonly reapMs: number;
  /** Is told of every write of this member's clients and of every credential that fails; null where nobody listens. */
  readonly audit: Audit | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly hash: Hash;
}

export interface ReplicaState {
  readonly tree: Tree;
  readonly history: History;
  readonly applier: Applier;
  readonly order: Order;
  readonly membership: Membership;
  readonly compaction: Compaction;
  readonly found: EnsembleState["found"];
  /** The newest log entry that is known to be committed. */
  readonly committed: () => number;
  /** What 99 of 100 of the newest syncs stayed below, in milliseconds; null where there were none. */
  readonly syncMsP99: () => number | null;
}

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #state: ReplicaState;
  readonly #effects: Effects = new Effects();
  readonly #connections: Map<number, Connection> = new Map();
  readonly #proposals: Proposals;
  readonly #waits: Waits;
  readonly #watches: WatchTable = new WatchTable();
  readonly #subscriptions: Subscriptions;
  readonly #sessions: Sessions;
  readonly #requests: Requests;
  readonly #reaper: Reaper;
  readonly ensemble: Ensemble;
  #coordinator: Coordinator = { member: null, isHere: false, term: 0 };

  constructor(options: ReplicaOptions, state: ReplicaState) {
    this.#options = options;
    this.#state = state;
    const { tree, history, order, membership, compaction, found } = state;
    const { clock, random, hash, limits, isReadOnly } = options;
    this.#proposals = new Proposals(order, clock, `${options.member}.${options.boot}`);
    this.#waits = new Waits(order);
    this.#subscriptions = new Subscriptions(tree, history);
    const common = { tree, history, proposals: this.#proposals, waits: this.#waits, effects: this.#effects, clock, audit: options.audit };
    const { ephemerals, recursiveDeletes } = limits;
    this.ensemble = new Ensemble(
      { ...options, limits: { ephemerals, recursiveDeletes } },
      { tree, membership, proposals: this.#proposals, clock, random, found, takeSnapshot: () => compaction.take() },
    );
    this.#reaper = new Reaper(common, options.reapMs);
    this.#sessions = new Sessions(options, {
      ...common,
      random,
      hash,
      release: (connection, held) => this.#takeAll(connection, held),
      identitiesChanged: (connection) => this.#subscriptions.identitiesChanged(connection),
      role: () => this.ensemble.role,
    });
    this.#requests = new Requests({
      ...common,
      limits,
      isReadOnly,
      watches: this.#watches,
      subscriptions: this.#subscriptions,
      sessions: this.#sessions,
      ensemble: () => this.ensemble.reply(),
      inspected: {
        connections: () => this.#connections.values(),
        subscriptionsOf: (connection) => this.#subscriptions.count(connection),
        watchers: (path) => this.#watches.watchersOf(path),
        stats: () => this.#stats(),
        now: clock.now,
      },
    });
  }

  /** Takes one input. */
  receive(input: Input): void {
    switch (input.kind) {
      case "opened": {
        const { connection, address } = input;
        const now = this.#options.clock.now();
        const phase = { kind: "awaiting-connect", deadline: now + connectWaitMs } as const;
        this.#connections.set(connection, new Connection(connection, address, phase, now, this.#effects));
        return;
      }
      case "frame":
        return this.#frame(input);
      case "closed":
        return this.#closed(input.connection);
      case "drained":
        return this.#connections.get(input.connection)?.backlog(0);
      case "authenticated": {
        const connection = this.#connections.get(input.connection);
        if (connection?.phase.kind !== "holding") return;
        const waiting = connection.phase.next === "connect" ? this.#sessions : this.#requests;
        return waiting.authenticated(connection, input.identities);
      }
      case "ordered":
        return this.#ordered(input.event);
      case "peer-up":
        return this.ensemble.up(input.facts);
      case "peer-down":
        return this.ensemble.down(input.member);
      case "peer":
        for (const message of input.messages) if (message.kind === "status") this.ensemble.said(input.member, message.zxid);
        return;
      case "performed":
        return input.next();
      case "tick":
        return this.#tick();
    }
  }

  /** As the coordinator: these sessions live. False where one of them is being expired. */
  touch(sessions: readonly string[]): boolean {
    return this.#sessions.touchAll(sessions);
  }

  /** True while this member serves with a quorum behind it. */
  get isServing(): boolean {
    return this.#coordinator.member !== null && this.#sessions.cluster !== "";
  }

  /** The cluster's id, or "" where the ensemble has not agreed on one yet. */
  get cluster(): string {
    return this.#sessions.cluster;
  }

  #tick(): void {
    this.#sessions.tick(this.#connections);
    if (this.#coordinator.isHere) this.#reaper.tick();
    this.ensemble.look();
    this.#proposals.tick();
    this.#waits.tick(this.#options.clock.now());
  }

  /** Ends a turn of the loop: what was gathered is proposed, and subscriptions get their next pieces. */
  endTurn(): readonly Effect[] {
    this.#proposals.flush();
    this.#waits.flush();
    if (this.#subscriptions.hasWork) this.#subscriptions.work();
    return this.#effects.take();
  }

  /** True if another turn has something to do without another input: a backlog that turned out small lets go what waited for it. */
  get hasWork(): boolean {
    return this.#subscriptions.hasWork || !this.#effects.isEmpty || this.#proposals.hasGathered;
  }

  /** What the gateway has still to send on a connection, in bytes. */
  backlog(connection: number, bytes: number): void {
    this.#connections.get(connection)?.backlog(bytes);
  }

  /** Closes every connection: this member stops. */
  dismiss(): void {
    for (const connection of this.#connections.values()) connection.close(closeCode.stopping, "the server is stopping");
  }

  /** Requests whose outcome is not known yet. */
  get pending(): number {
    return this.#proposals.size;
  }

  /** Figures for metrics. */
  get figures(): Figures {
    const { tree } = this.#state;
    return {
      connections: this.#connections.size,
      sessions: tree.sessions.size,
      znodes: tree.root.descendants + 1,
      watches: this.#watches.size,
      subscriptions: this.#subscriptions.size,
      zxid: tree.zxid,
      index: tree.index,
      pending: this.#proposals.size,
      get quotasOverSoftBound() {
        return tree.quotas.overSoftBound;
      },
      snapshots: this.#state.compaction.snapshots,
      requests: this.#requests.counts,
      refusals: this.#requests.refusals,
    };
  }

  #stats(): object {
    const { pending, requests, refusals, quotasOverSoftBound: _, ...figures } = this.figures;
    const { member, term } = this.#coordinator;
    const { newestTime } = this.#state.compaction;
    return {
      member: this.#options.member,
      role: this.ensemble.role,
      leader: member,
      term,
      ...figures,
      committed: this.#state.committed(),
      pendingTxns: pending,
      snapshotAgeMs: newestTime === 0 ? null : Math.max(0, this.#options.clock.wall() - newestTime),
      syncMsP99: this.#state.syncMsP99(),
      requests: Object.fromEntries(requests),
      refusals: Object.fromEntries(refusals),
    };
  }

  #frame({ connection: number, messages, fault }: Extract<Input, { kind: "frame" }>): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    connection.heardAt = this.#options.clock.now();
    this.#takeAll(connection, messages, true);
    if (fault !== null) connection.close(closeCode.malformed, fault);
  }

  /** Takes messages in order; `areNew` are counted as unanswered first. */
  #takeAll(connection: Connection, messages: readonly RawMessage[], areNew = false): void {
    for (const message of messages) {
      if (connection.phase.kind === "closed" || connection.phase.kind === "closing") return;
      if (areNew) {
        const { unanswered } = connection;
        if (unanswered.has(message.id)) return connection.close(closeCode.malformed, "the id of an unanswered request");
        if (unanswered.size >= this.#options.limits.requests) return connection.close(closeCode.tooMuch, "too many unanswered requests");
        unanswered.add(message.id);
      }
      if (connection.phase.kind !== "awaiting-connect") this.#requests.take(connection, message);
      else if (message.members["op"] === "connect") this.#sessions.connect(connection, message);
      else connection.close(closeCode.malformed, "the first message is connect");
    }
  }

  #closed(number: number): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    connection.end();
    this.#connections.delete(number);
    this.#watches.forget(connection);
    this.#subscriptions.forget(connection);
    this.#sessions.forget(connection);
    this.#requests.forget(connection);
  }

  #ordered(event: OrderEvent): void {
    const { tree, applier, compaction } = this.#state;
    switch (event.kind) {
      case "entries":
        for (const entry of event.entries) {
          applier.apply(entry, this.#proposals, {
            watches: this.#watches,
            subscriptions: this.#subscriptions,
            onApplied: (txn, applied) => this.#sessions.applied(txn, applied),
          });
          compaction.note(entry);
        }
        return this.#waits.look(tree.zxid);
      case "confirmed":
        return this.#waits.confirmed(event.ticket, tree.zxid);
      case "coordinator": {
        const isAnother = event.member !== null && (event.member !== this.#coordinator.member || event.term !== this.#coordinator.term);
        this.#coordinator = event;
        this.#sessions.coordinated(event);
        this.ensemble.coordinated(event);
        // What was on its way to another coordinator may never have arrived.
        if (isAnother) this.#proposals.again();
        return;
      }
      case "restored":
        return this.#restored(event);
    }
  }

  /** The state jumps ahead: connections can't follow, but a resume elsewhere, or here, catches up from the history. */
  #restored({ index, term, install }: Extract<OrderEvent, { kind: "restored" }>): void {
    const { tree, applier } = this.#state;
    if (index <= tree.index) return;
    for (const [number, connection] of [...this.#connections]) {
      connection.close(closeCode.unavailable, "this member was too far behind, and begins anew");
      this.#closed(number);
    }
    this.#proposals.forget();
    install();
    applier.term = term;
    this.#sessions.restored();
    this.#waits.look(tree.zxid);
  }
}

export interface Figures {
  readonly connections: number;
  readonly sessions: number;
  readonly znodes: number;
  readonly watches: number;
  readonly subscriptions: number;
  readonly zxid: number;
  readonly index: number;
  readonly pending: number;
  /** Quotas past one of their soft bounds. */
  readonly quotasOverSoftBound: number;
  readonly snapshots: number;
  readonly requests: ReadonlyMap<string, number>;
  /** By error code. */
  readonly refusals: ReadonlyMap<string, number>;
}
