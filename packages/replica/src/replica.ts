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
import type { Compaction } from "./compaction.ts";
import { Connection } from "./connection.ts";
import { type Effect, Effects } from "./effect.ts";
import type { History } from "./history.ts";
import type { Input } from "./input.ts";
import type { Order, OrderEvent } from "./order.ts";
import type { Clock, Hash, Random } from "./ports.ts";
import { Proposals } from "./proposals.ts";
import { Reaper } from "./reaper.ts";
import { Requests } from "./requests.ts";
import { type SessionOptions, Sessions } from "./sessions.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Waits } from "./waits.ts";
import { WatchTable } from "./watch-table.ts";

export interface ReplicaOptions extends SessionOptions {
  /** The address that this member tells clients to use. */
  readonly url: string;
  /** How often the coordinator looks for containers and TTL znodes that are due, in milliseconds. */
  readonly reapMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly hash: Hash;
}

export interface ReplicaState {
  readonly tree: Tree;
  readonly history: History;
  readonly applier: Applier;
  readonly order: Order;
  readonly compaction: Compaction;
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
  #isCoordinator = false;
  #isConfigured = false;

  constructor(options: ReplicaOptions, state: ReplicaState) {
    this.#options = options;
    this.#state = state;
    const { tree, history, order } = state;
    const { clock, random, hash, limits, isReadOnly } = options;
    this.#proposals = new Proposals(order);
    this.#waits = new Waits(order);
    this.#subscriptions = new Subscriptions(tree, history);
    const common = { tree, history, proposals: this.#proposals, waits: this.#waits, effects: this.#effects, clock };
    this.#reaper = new Reaper(common, options.reapMs);
    this.#sessions = new Sessions(options, {
      ...common,
      random,
      hash,
      release: (connection, held) => this.#takeAll(connection, held),
      identitiesChanged: (connection) => this.#subscriptions.identitiesChanged(connection),
    });
    this.#requests = new Requests({
      ...common,
      limits,
      isReadOnly,
      watches: this.#watches,
      subscriptions: this.#subscriptions,
      sessions: this.#sessions,
      ensemble: () => `,${this.#config(tree.zxid).slice(1, -1)}`,
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
      case "tick":
        this.#sessions.tick(this.#connections.values());
        if (this.#isCoordinator) this.#reaper.tick();
        return this.#waits.tick(this.#options.clock.now());
    }
  }

  /** Ends a turn of the loop: what was gathered is proposed, and subscriptions get their next pieces. */
  endTurn(): readonly Effect[] {
    this.#proposals.flush();
    this.#waits.flush();
    if (this.#subscriptions.hasWork) this.#subscriptions.work();
    return this.#effects.take();
  }

  /** True if another turn has something to do without another input. */
  get hasWork(): boolean {
    return this.#subscriptions.hasWork;
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
      snapshots: this.#state.compaction.snapshots,
      requests: this.#requests.counts,
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
      case "coordinator":
        this.#isCoordinator = event.isHere;
        this.#sessions.coordinates(event.isHere);
        if (event.isHere) this.#configure();
        return;
    }
  }

  /** Publishes this member's configuration where it differs from what the tree holds. */
  #configure(): void {
    if (this.#isConfigured) return;
    this.#isConfigured = true;
    const { tree } = this.#state;
    const config = this.#config(null);
    const { ephemerals, recursiveDeletes } = this.#options.limits;
    const isSame = tree.find("/copse/config")?.value?.json === JSON.stringify(config);
    if (isSame && tree.limits.ephemerals === ephemerals && tree.limits.recursiveDeletes === recursiveDeletes) return;
    this.#proposals.add({ kind: "configure", config, limits: { ephemerals, recursiveDeletes } }, () => {});
  }

  /** The ensemble as JSON; with a zxid, as its reply shows it. */
  #config(zxid: number | null): string {
    const { member: id, url } = this.#options;
    const member = { id, role: "leader", url, peer: "", state: "up" };
    return JSON.stringify({ members: [zxid === null ? member : { ...member, zxid }], leader: id, version: 1 });
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
  readonly snapshots: number;
  readonly requests: ReadonlyMap<string, number>;
}
