/**
 * One member as a synchronous core: inputs in, effects out.
 *
 * It owns the state and knows every rule; it neither waits nor touches the world. Inputs are taken in the order in which
 * they happened; what a turn of the loop has gathered (proposals, barriers) leaves at the turn's end, together. What
 * comes back from the order is an input like any other.
 */
import { closeCode, jsonReplies } from "@copse/protocol";
import { Budgets } from "./connections/budgets.ts";
import type { Connection, ConnectionHost } from "./connections/connection.ts";
import { Connections } from "./connections/connections.ts";
import { type HolderKey, Holders } from "./connections/holders.ts";
import { Intake } from "./connections/intake.ts";
import { Turn } from "./connections/turn.ts";
import { type Effect, Effects } from "./effect.ts";
import { Ensemble } from "./ensemble/ensemble.ts";
import { type Figures, figuresOf } from "./figures/figures.ts";
import { Observed } from "./figures/observed.ts";
import { type Check, checksOf } from "./figures/readiness.ts";
import { Sight } from "./following/sight.ts";
import { Subscriptions } from "./following/subscriptions.ts";
import { WatchTable } from "./following/watch-table.ts";
import type { Input } from "./input.ts";
import { Coordinator, traceCoordinator } from "./order/coordinator.ts";
import type { OrderEvent, OrderedEntry } from "./order/order.ts";
import { Proposals } from "./order/proposals.ts";
import { Reaper } from "./order/reaper.ts";
import type { ReplicaOptions, ReplicaState } from "./replica-options.ts";
import { Queues } from "./requests/queues.ts";
import { Requests } from "./requests/requests.ts";
import { Waits } from "./requests/waits.ts";
import { Admission } from "./sessions/admission.ts";
import { Lapses } from "./sessions/lapses.ts";
import { holderKeyOf, Policy } from "./sessions/policy.ts";
import { Sessions } from "./sessions/sessions.ts";

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #state: ReplicaState;
  readonly #effects: Effects = new Effects();
  readonly #turn: Turn;
  readonly #budgets: Budgets;
  readonly #host: ConnectionHost;
  readonly #intake: Intake;
  readonly #queues: Queues;
  readonly #connections: Connections;
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
  readonly #policy: Policy;
  readonly #lapses: Lapses;
  readonly #observed: Observed;

  constructor(options: ReplicaOptions, state: ReplicaState) {
    this.#options = options;
    this.#state = state;
    const { tree, time, history, order, consensus, snapshots, found } = state;
    const { clock, random, hash, limits, isReadOnly } = options;
    this.#proposals = new Proposals(order, clock, `${options.member}.${options.boot}`, options.trace);
    this.#waits = new Waits(order);
    this.#turn = new Turn(clock);
    this.#budgets = new Budgets(options.budgets, options.trace);
    this.#host = {
      effects: this.#effects,
      budgets: this.#budgets,
      turn: this.#turn,
      replies: jsonReplies,
      later: (connection) => this.#intake.later(connection),
      requestsMax: limits.requests,
    };
    this.#connections = new Connections(this.#host, clock, state.unsent);
    this.#observed = new Observed({
      ...state,
      clock,
      figures: () => this.figures,
      member: options.member,
      coordinator: this.#coordinator,
      role: () => this.ensemble.role,
      nameOf: (session) => this.#sessions.nameOf(session),
    });
    this.#policy = new Policy(options.policy);
    const policy = this.#policy;
    const sight = new Sight(tree, policy);
    this.#queues = new Queues(tree);
    this.#watches = new WatchTable(tree, sight, this.#budgets, limits.watches);
    this.#subscriptions = new Subscriptions(tree, history, this.#turn, this.#budgets, { most: limits.subscriptions, sight });
    const holders = new Holders(options.classes, clock);
    const holderOf = ({ caller, identities, account }: Connection): HolderKey =>
      holderKeyOf(caller, identities.held.subject, account.address, sight.isAdmin(caller));
    this.#lapses = new Lapses({
      holders,
      holderOf,
      tree,
      clock,
      proposals: this.#proposals,
      coordinator: this.#coordinator,
      policy,
      identitiesChanged: (connection) => {
        this.#subscriptions.identitiesChanged(connection);
        this.#watches.identitiesChanged(connection);
      },
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
      tally: state.tally,
      trace: options.trace,
    };
    const { ephemerals, recursiveDeletes, identities } = limits;
    this.ensemble = new Ensemble(
      { ...options, limits: { ephemerals, recursiveDeletes, identities } },
      {
        ...common,
        consensus,
        coordinator: this.#coordinator,
        random,
        tellPeers: state.tellPeers,
        edges: state.edges,
        pressures: this.#budgets.pressures,
        found,
        takeSnapshot: () => snapshots.take(),
      },
    );
    this.#reaper = new Reaper(common, options.reapMs);
    this.#sessions = new Sessions(options.cluster, {
      ...common,
      budgets: this.#budgets,
      coordinator: this.#coordinator,
      lapses: this.#lapses,
      connections: () => this.#connections,
      isRemoved: () => this.ensemble.isRemoved,
      isDrained: () => this.ensemble.isDrained,
    });
    const shared = {
      budgets: this.#budgets,
      sessions: this.#sessions,
      release: (connection: Connection) => this.#intake.handle(connection),
      canUse: (format: number) => this.ensemble.canUse(format),
      hash,
      policy,
      holders,
      sight,
    };
    this.#admission = new Admission(options, {
      ...common,
      ...shared,
      random,
      role: () => this.ensemble.role,
      admitted: (connection) => this.#lapses.admitted(connection),
    });
    this.#requests = new Requests({
      ...common,
      ...shared,
      limits,
      isReadOnly,
      watches: this.#watches,
      subscriptions: this.#subscriptions,
      denied: options.denied,
      downloads: state.downloads,
      comparison: this.ensemble,
      identified: (connection, held) => this.#lapses.identified(connection, held),
      ensemble: this.ensemble,
      inspected: {
        connections: () => this.#connections,
        queues: this.#queues,
        nameOf: (session) => this.#sessions.nameOf(session),
        subscriptionsOf: (connection) => this.#subscriptions.count(connection),
        watchers: (path, most) => this.#watches.watchersOf(path, most),
        observed: this.#observed,
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
      case "opened":
        return this.#connections.opened(input);
      case "frame": {
        const connection = this.#connections.get(input.connection);
        return connection === undefined ? undefined : this.#intake.take(connection, input.text);
      }
      case "closed":
        return this.#closed(input.connection);
      case "drained":
        return this.#connections.drained(input.connection);
      case "authenticated": {
        const connection = this.#connections.get(input.connection);
        if (connection?.phase.kind !== "holding") return;
        const waiting = connection.phase.next === "connect" ? this.#admission : this.#requests.authentication;
        return waiting.authenticated(connection, input.outcome);
      }
      case "policy":
        this.#policy.become(input.settings);
        return this.#lapses.judgeAll(this.#connections);
      case "ordered":
        return this.#ordered(input.event);
      case "peer-up":
        return this.ensemble.up(input.facts);
      case "peer-down":
        return this.ensemble.down(input.member);
      case "removed":
        return this.ensemble.removed(input.version);
      case "peer":
        return this.ensemble.heard(input.member, input.messages);
      case "pressure":
        if (input.isPressed) this.#budgets.pressures.add(input.of);
        else this.#budgets.pressures.delete(input.of);
        if (input.isPressed && input.of === "heap") this.#state.snapshots.relieve();
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
  isReadable(payload: OrderedEntry["payload"]): boolean {
    return this.#proposals.isReadable(payload);
  }

  /** True while this member serves with a quorum behind it. */
  get isServing(): boolean {
    return this.#coordinator.member !== null && this.#sessions.cluster !== "" && !this.ensemble.isRemoved;
  }

  /** What has to hold before clients are sent here. */
  get checks(): readonly Check[] {
    const behind = Math.max(this.ensemble.lag, this.#state.committed() - this.#state.tree.index);
    return checksOf(this.ensemble, { isServing: this.isServing, behind, stalledMs: this.#proposals.stalledMs });
  }

  /** The cluster's id, or "" where the ensemble has not agreed on one yet. */
  get cluster(): string {
    return this.#sessions.cluster;
  }

  #tick(): void {
    this.#sessions.tick(this.#connections);
    this.#admission.giveUp();
    this.#intake.lookForStalled(this.#connections);
    this.#state.tree.quotas.look();
    if (this.#coordinator.isHere) this.#reaper.tick();
    this.ensemble.look();
    this.#proposals.tick();
    this.#waits.tick(this.#options.clock.now());
    this.#observed.tick();
  }

  /** A turn of the loop begins, or goes on: it is over after so many milliseconds. */
  beginTurn(ms: number): void {
    this.#turn.begin(ms);
    this.#lapses.beginTurn();
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
    this.#lapses.endTurn();
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
    this.#connections.backlog(connection, bytes);
  }

  /** Closes so many connections, because this member stops; says how many are left. */
  dismiss(most: number): number {
    return this.#connections.dismiss(most);
  }

  /** Requests whose outcome is not known yet. */
  get pending(): number {
    return this.#proposals.size;
  }

  /** Figures for metrics. */
  get figures(): Figures {
    return figuresOf({
      ...this.#state,
      connections: this.#connections.size,
      watches: this.#watches,
      subscriptions: this.#subscriptions,
      proposals: this.#proposals,
      requests: this.#requests,
      budgets: this.#budgets,
    });
  }

  #closed(number: number): void {
    const connection = this.#connections.closed(number);
    if (connection === undefined) return;
    this.#intake.forget(connection);
    this.#watches.forget(connection);
    this.#subscriptions.forget(connection);
    this.#sessions.forget(connection);
    this.#lapses.forget(connection);
    this.#admission.forget(connection);
    this.#requests.forget(connection);
  }

  #ordered(event: OrderEvent): void {
    const { tree, applier, snapshots } = this.#state;
    switch (event.kind) {
      case "entries":
        for (const entry of event.entries) {
          applier.apply(entry, this.#proposals, {
            watches: this.#watches,
            subscriptions: this.#subscriptions,
            queues: this.#queues,
            onApplied: (txn, applied) => {
              this.#sessions.applied(txn, applied);
              this.#observed.recent.note(txn, applied);
              this.ensemble.applied(txn);
            },
          });
          snapshots.note(entry);
        }
        return this.#waits.look(tree.zxid);
      case "confirmed":
        return this.#waits.confirmed(event.ticket, tree.zxid);
      case "coordinator": {
        traceCoordinator(this.#options.trace, this.#coordinator, event);
        const isAnother = this.#coordinator.become(event);
        this.#sessions.coordinated();
        this.ensemble.coordinated();
        this.#waits.look(tree.zxid);
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
    for (const connection of [...this.#connections]) {
      connection.close(closeCode.unavailable, "this member was too far behind, and begins anew");
      this.#closed(connection.number);
    }
    this.#proposals.forget();
    install();
    this.#options.trace?.tell({ kind: "snapshot-installed", index });
    applier.term = term;
    this.#sessions.restored();
    this.#queues.restored();
    this.ensemble.restored();
    this.#waits.look(tree.zxid);
  }
}
