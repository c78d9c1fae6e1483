/**
 * One member as a synchronous core: inputs in, effects out.
 *
 * It owns the state and knows every rule; it neither waits nor touches the world. Inputs are taken in the order in which
 * they happened; what a turn of the loop has gathered (proposals, barriers) leaves at the turn's end, together. What
 * comes back from the order is an input like any other.
 */
import { closeCode, connectWaitMs, jsonReplies, type MemberStats } from "@copse/protocol";
import type { Tree } from "@copse/tree";
import { type BudgetLimits, Budgets } from "./connections/budgets.ts";
import { Connection, type ConnectionHost } from "./connections/connection.ts";
import { Intake } from "./connections/intake.ts";
import { Turn } from "./connections/turn.ts";
import { type Effect, Effects } from "./effect.ts";
import { type Consensus, Ensemble, type EnsembleOptions, type EnsembleState } from "./ensemble/ensemble.ts";
import { type Figures, statsOf } from "./figures.ts";
import type { History } from "./following/history.ts";
import { Subscriptions } from "./following/subscriptions.ts";
import { WatchTable } from "./following/watch-table.ts";
import type { Input } from "./input.ts";
import type { Applier } from "./order/applier.ts";
import { Coordinator } from "./order/coordinator.ts";
import type { Order, OrderEvent } from "./order/order.ts";
import { Proposals } from "./order/proposals.ts";
import { Reaper } from "./order/reaper.ts";
import type { StateTime } from "./order/state-time.ts";
import type { Clock, Hash, Random } from "./ports.ts";
import type { Audit } from "./requests/audit.ts";
import { Queues } from "./requests/queues.ts";
import { Requests } from "./requests/requests.ts";
import { Waits } from "./requests/waits.ts";
import { Admission, type AdmissionOptions } from "./sessions/admission.ts";
import { Sessions } from "./sessions/sessions.ts";
import type { Compaction } from "./snapshots/compaction.ts";

export interface ReplicaOptions extends AdmissionOptions, Omit<EnsembleOptions, "limits"> {
  /** Differs each time the member starts. */
  readonly boot: string;
  /** How often the coordinator looks for containers and TTL znodes that are due, in milliseconds. */
  readonly reapMs: number;
  /** Is told of every write of this member's clients and of every credential that fails; null where nobody listens. */
  readonly audit: Audit | null;
  readonly budgets: BudgetLimits;
  /** False where what the root's ACL grants to everyone makes nobody an admin. */
  readonly isWorldAdmin: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly hash: Hash;
}

export interface ReplicaState {
  readonly tree: Tree;
  readonly time: StateTime;
  readonly history: History;
  readonly applier: Applier;
  readonly order: Order;
  readonly consensus: Consensus;
  readonly compaction: Compaction;
  readonly found: EnsembleState["found"];
  /** Bytes that wait to be sent on a connection, as the gateway says; null where some wait in between. */
  readonly unsent: (connection: number) => number | null;
  /** The newest log entry that is known to be committed. */
  readonly committed: () => number;
  /** What 99 of 100 of the newest syncs stayed below, in milliseconds; null where there were none. */
  readonly syncMsP99: () => number | null;
}

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #state: ReplicaState;
  readonly #effects: Effects = new Effects();
  readonly #turn: Turn;
  readonly #budgets: Budgets;
  readonly #host: ConnectionHost;
  readonly #intake: Intake;
  readonly #queues: Queues;
  readonly #connections: Map<number, Connection> = new Map();
  readonly #proposals: Proposals;
  readonly #waits: Waits;
  readonly #watches: WatchTable;
  readonly #subscriptions: Subscriptions;
  readonly #sessions: Sessions;
  readonly #admission: Admission;
  readonly #requests: Requests;
  readonly #reaper: Reaper;
  readonly ensemble: Ensemble;
  readonly #coordinator: Coordinator = new Coordinator();

  constructor(options: ReplicaOptions, state: ReplicaState) {
    this.#options = options;
    this.#state = state;
    const { tree, time, history, order, consensus, compaction, found } = state;
    const { clock, random, hash, limits, isReadOnly } = options;
    this.#proposals = new Proposals(order, clock, `${options.member}.${options.boot}`);
    this.#waits = new Waits(order);
    this.#turn = new Turn(clock);
    this.#budgets = new Budgets(options.budgets);
    this.#host = {
      effects: this.#effects,
      budgets: this.#budgets,
      turn: this.#turn,
      replies: jsonReplies,
      later: (connection) => this.#intake.later(connection),
      requestsMax: limits.requests,
    };
    this.#queues = new Queues(tree);
    this.#watches = new WatchTable(this.#budgets, limits.watches);
    this.#subscriptions = new Subscriptions(tree, history, this.#turn, this.#budgets, {
      most: limits.subscriptions,
      isWorldAdmin: options.isWorldAdmin,
    });
    const common = {
      tree,
      time,
      history,
      proposals: this.#proposals,
      waits: this.#waits,
      effects: this.#effects,
      clock,
      audit: options.audit,
    };
    const { ephemerals, recursiveDeletes, identities } = limits;
    this.ensemble = new Ensemble(
      { ...options, limits: { ephemerals, recursiveDeletes, identities } },
      {
        tree,
        time,
        consensus,
        coordinator: this.#coordinator,
        proposals: this.#proposals,
        clock,
        random,
        found,
        takeSnapshot: () => compaction.take(),
      },
    );
    this.#reaper = new Reaper(common, options.reapMs);
    this.#sessions = new Sessions(options.cluster, {
      ...common,
      budgets: this.#budgets,
      coordinator: this.#coordinator,
      identitiesChanged: (connection) => this.#subscriptions.identitiesChanged(connection),
    });
    const shared = {
      budgets: this.#budgets,
      sessions: this.#sessions,
      release: (connection: Connection) => this.#intake.handle(connection),
      canUse: (format: number) => this.ensemble.canUse(format),
    };
    this.#admission = new Admission(options, { ...common, ...shared, random, hash, role: () => this.ensemble.role });
    this.#requests = new Requests({
      ...common,
      ...shared,
      limits,
      isReadOnly,
      watches: this.#watches,
      subscriptions: this.#subscriptions,
      isWorldAdmin: options.isWorldAdmin,
      ensemble: (isForAdmin) => this.ensemble.shown(isForAdmin),
      inspected: {
        connections: () => this.#connections.values(),
        queues: this.#queues,
        subscriptionsOf: (connection) => this.#subscriptions.count(connection),
        watchers: (path, most) => this.#watches.watchersOf(path, most),
        stats: () => this.#stats(),
        now: clock.now,
      },
    });
    this.#intake = new Intake({
      clock,
      limits,
      budgets: this.#budgets,
      turn: this.#turn,
      admission: this.#admission,
      requests: this.#requests,
      unsent: state.unsent,
    });
  }

  /** Takes one input. */
  receive(input: Input): void {
    switch (input.kind) {
      case "opened": {
        const { connection, address } = input;
        const now = this.#options.clock.now();
        const phase = { kind: "awaiting-connect", deadline: now + connectWaitMs } as const;
        this.#connections.set(connection, new Connection(connection, address, phase, now, this.#host));
        return;
      }
      case "frame": {
        const connection = this.#connections.get(input.connection);
        return connection === undefined ? undefined : this.#intake.take(connection, input.text);
      }
      case "closed":
        return this.#closed(input.connection);
      case "drained":
        return this.#drained(input.connection);
      case "authenticated": {
        const connection = this.#connections.get(input.connection);
        if (connection?.phase.kind !== "holding") return;
        const waiting = connection.phase.next === "connect" ? this.#admission : this.#requests;
        return waiting.authenticated(connection, input.proof);
      }
      case "ordered":
        return this.#ordered(input.event);
      case "peer-up":
        return this.ensemble.up(input.facts);
      case "peer-down":
        return this.ensemble.down(input.member);
      case "peer":
        for (const message of input.messages) if (message.kind === "status") this.ensemble.said(input.member, message);
        return;
      case "pressure":
        this.#budgets.isPressed = input.isPressed;
        // The log in memory goes once a snapshot has it.
        if (input.isPressed) this.#state.compaction.take();
        return;
      case "tick":
        return this.#tick();
    }
  }

  /** As the coordinator: these sessions live. False where one of them is being expired. */
  touch(sessions: readonly string[]): boolean {
    return this.#sessions.touchAll(sessions);
  }

  /** True for an entry of another member that can be applied. */
  isReadable(payload: string): boolean {
    return this.#proposals.isReadable(payload);
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
    if (this.#sessions.isOrphaned) this.#admission.giveUp();
    this.#intake.lookForStalled(this.#connections.values());
    this.#state.tree.quotas.look();
    if (this.#coordinator.isHere) this.#reaper.tick();
    this.ensemble.look();
    this.#proposals.tick();
    this.#waits.tick(this.#options.clock.now());
  }

  /** A turn of the loop begins, or goes on: it is over after so many milliseconds. */
  beginTurn(ms: number): void {
    this.#turn.begin(ms);
  }

  /** True while connections have more to do than a turn allowed. */
  get isWaiting(): boolean {
    return this.#intake.isWaiting;
  }

  /** Goes on with those who have more to do, until the turn is over. */
  work(): void {
    this.#intake.work();
  }

  /** Ends a turn of the loop: what was gathered is proposed, and subscriptions get their next pieces. */
  endTurn(): readonly Effect[] {
    this.#proposals.flush();
    this.#waits.flush();
    if (this.#subscriptions.hasWork) this.#subscriptions.work();
    if (this.#watches.hasWork) this.#watches.work();
    return this.#effects.take();
  }

  /** True if another turn has something to do without another input: a backlog that turned out small lets go what waited for it. */
  get hasWork(): boolean {
    return this.isWaiting || this.#subscriptions.hasWork || this.#watches.hasWork || !this.#effects.isEmpty || this.#proposals.hasGathered;
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
    const { tree, time } = this.#state;
    return {
      connections: this.#connections.size,
      sessions: tree.sessions.size,
      znodes: tree.root.descendants + 1,
      watches: this.#watches.size,
      subscriptions: this.#subscriptions.size,
      zxid: tree.zxid,
      index: tree.index,
      pending: this.#proposals.size,
      time: Math.floor(time.peek()),
      wallOffsetMs: Math.round(time.wallOffsetMs),
      get quotasOverSoftBound() {
        return tree.quotas.overSoftBound;
      },
      snapshots: this.#state.compaction.snapshots,
      requests: this.#requests.counts,
      refusals: this.#requests.refusals,
      receivedBytes: this.#budgets.receivedBytes,
      unsentBytes: this.#budgets.unsentBytes,
      followedBytes: this.#budgets.followedBytes,
      asideBytes: tree.asideBytes,
      aclBytes: tree.acls.bytes,
      overBudget: this.#budgets.refusals,
    };
  }

  #stats(): MemberStats {
    const { member, term } = this.#coordinator;
    const own = { member: this.#options.member, role: this.ensemble.role, leader: member, term };
    const { committed, compaction, syncMsP99 } = this.#state;
    return statsOf(this.figures, own, { committed: committed(), snapshotTime: compaction.newestTime, syncMsP99: syncMsP99() });
  }

  #drained(number: number): void {
    const connection = this.#connections.get(number);
    connection?.backlog(this.#state.unsent(number) ?? connection.unsentBytes);
  }

  #closed(number: number): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    connection.end();
    this.#intake.forget(connection);
    this.#connections.delete(number);
    this.#watches.forget(connection);
    this.#subscriptions.forget(connection);
    this.#sessions.forget(connection);
    this.#admission.forget(connection);
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
            queues: this.#queues,
            onApplied: (txn, applied) => this.#sessions.applied(txn, applied),
          });
          compaction.note(entry);
        }
        return this.#waits.look(tree.zxid);
      case "confirmed":
        return this.#waits.confirmed(event.ticket, tree.zxid);
      case "coordinator": {
        const isAnother = this.#coordinator.become(event);
        this.#sessions.coordinated();
        this.ensemble.coordinated();
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
    this.#queues.restored();
    this.#waits.look(tree.zxid);
  }
}
