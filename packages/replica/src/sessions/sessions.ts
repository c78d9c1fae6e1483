/**
 * Sessions while they stand: alive, moved, closed, expired; connecting is in admission.ts.
 *
 * Invariants: one connection per session and member; a newer one closes the older (4409), and the generation fences the
 * writes of the older wherever they are. A ping is answered only when it has counted.
 */
import { chunk, closeCode, expiredEvent, pingEvent, type Refusal, type Revoke, refuse } from "@copse/protocol";
import type { Applied, Tree, Txn, WriteTxn } from "@copse/tree";
import type { Budgets } from "../connections/budgets.ts";
import type { Connection } from "../connections/connection.ts";
import type { Effects } from "../effect.ts";
import type { Tally } from "../figures/tally.ts";
import type { Coordinator } from "../order/coordinator.ts";
import type { Proposals } from "../order/proposals.ts";
import type { Clock } from "../ports.ts";
import type { Waits } from "../requests/waits.ts";
import type { Trace } from "../trace.ts";
import type { Lapses } from "./lapses.ts";
import { SessionExpiry } from "./session-expiry.ts";

export interface SessionsState {
  readonly tree: Tree;
  readonly proposals: Proposals;
  readonly waits: Waits;
  readonly effects: Effects;
  readonly clock: Clock;
  readonly budgets: Budgets;
  readonly coordinator: Coordinator;
  readonly lapses: Lapses;
  readonly connections: () => Iterable<Connection>;
  /** True for a member that was taken out of the ensemble. */
  readonly isRemoved: () => boolean;
  readonly isDrained: () => boolean;
  readonly tally: Tally;
  readonly trace: Trace | null;
}

/** How long an election may take before sessions are sent elsewhere, in milliseconds (SPEC.md, part S). */
const orphanMs = 2_000;
export const noCoordinator: Refusal = refuse("UNAVAILABLE", "no quorum: there is no coordinator");
/** Connections that a drained member closes in one tick. */
const drainedAtOnce = 200;

export const drained: Refusal = refuse("UNAVAILABLE", "this member is drained: it takes no clients until copse drain ID --off");
export const removed: Refusal = refuse(
  "UNAVAILABLE",
  "this member was removed from the ensemble: stop it, or take it back with copse member add ID --peer HOST:PORT, asked of another member",
);

/** A pause of the process longer than this restarts all timers, in milliseconds. */
const pauseMs = 1_000;

export class Sessions {
  readonly #cluster: string | null;
  readonly #state: SessionsState;
  readonly #expiry: SessionExpiry;
  readonly #bySession: Map<string, Connection> = new Map();
  /** Since when nobody coordinates, on the member's clock; null while somebody does. */
  #orphanedAt: number | null;
  #tickedAt: number;

  /** @param cluster of the data directory, where it was born with one */
  constructor(cluster: string | null, state: SessionsState) {
    this.#cluster = cluster;
    this.#state = state;
    this.#tickedAt = state.clock.now();
    this.#orphanedAt = this.#tickedAt;
    this.#expiry = new SessionExpiry(this.#tickedAt);
  }

  /** The session of a connection stands, and is reached by it from now on. */
  connected(connection: Connection, session: string): void {
    this.#bySession.set(session, connection);
  }

  /** A write or the connect itself shows that the client lives. False if that came too late to count. */
  touch(connection: Connection): boolean {
    return connection.session === null || this.#expiry.touch(connection.session.id, this.#state.clock.now());
  }

  /** Ends the session of a connection; `done` is called once that is applied. */
  end(connection: Connection, done: (applied: Applied | null) => void): void {
    const { session } = connection;
    if (session === null) return done(null);
    this.#state.proposals.add({ kind: "close", session: session.id, generation: session.generation }, done);
  }

  /** The coordinator hears that sessions live, from any member. False where one of them is being expired. */
  touchAll(sessions: readonly string[]): boolean {
    const now = this.#state.clock.now();
    for (const session of sessions) this.#expiry.touch(session, now);
    return !sessions.some((session) => this.#expiry.isExpiring(session));
  }

  /** The cluster's id, or "" where the ensemble has not agreed on one yet. */
  get cluster(): string {
    return this.#cluster ?? this.#state.tree.ensemble.cluster;
  }

  /** Every applied txn passes here, whoever proposed it. */
  applied(txn: Txn, { outcome, zxid }: Applied): void {
    const { clock } = this.#state;
    if (txn.kind === "write" && (outcome === "done" || outcome === "refused")) this.#expiry.touch(txn.session, clock.now());
    if (txn.kind === "expire" && outcome === "refused") this.#goOn(txn.session);
    if (outcome !== "done") return;
    // Where this member's own connection opened or moved it, its settlement says so after this.
    if (txn.kind === "move" || txn.kind === "close" || txn.kind === "expire" || txn.kind === "evict")
      this.#state.budgets.releaseSession(txn.session);
    if ("session" in txn && txn.kind !== "write") this.#state.lapses.changed(txn.session);
    this.#note(txn, zxid);
    switch (txn.kind) {
      case "open":
      case "move":
        this.#expiry.start(txn.session, txn.timeoutMs, clock.now());
        if (txn.kind === "move") this.#fence(txn.session);
        return;
      case "close":
        this.#expiry.forget(txn.session);
        this.#bySession.delete(txn.session);
        return;
      case "expire":
      case "evict":
        return this.#ended(txn.session);
      case "lapse":
        return this.#identified(txn.session);
      case "write":
        return this.#written(txn.session, txn.write);
    }
  }

  #note(txn: Txn, zxid: number): void {
    const { tally, trace } = this.#state;
    if (txn.kind === "open") {
      tally.sessionsOpened++;
      trace?.tell({ kind: "session-opened", session: txn.session, zxid });
    } else if (txn.kind === "expire") {
      tally.sessionsExpired++;
      trace?.tell({ kind: "session-expired", session: txn.session, zxid });
    } else if (txn.kind === "close" || txn.kind === "evict") trace?.tell({ kind: "session-closed", session: txn.session, zxid });
  }

  #written(session: string, write: WriteTxn["write"]): void {
    switch (write.op) {
      case "auth":
      case "logout":
        this.#state.lapses.changed(session);
        return this.#identified(session);
      case "endSession":
        this.#state.budgets.releaseSession(write.session);
        this.#state.lapses.changed(write.session);
        return this.#ended(write.session);
      case "revoke":
        return this.#revoked(write);
    }
  }

  /** A session is gone, though its client did not ask for that. */
  #ended(session: string): void {
    this.#expiry.forget(session);
    const connection = this.#bySession.get(session);
    this.#bySession.delete(session);
    if (connection === undefined) return;
    connection.send(chunk(expiredEvent));
    connection.close(closeCode.sessionExpired, "the session has expired");
  }

  /** The connection of a session has what the state says from now on. */
  #identified(session: string): void {
    const connection = this.#bySession.get(session);
    const held = this.#state.tree.sessions.get(session)?.held;
    if (connection !== undefined && held !== undefined) this.#state.lapses.identified(connection, held);
  }

  /** An identity was taken from whoever had it: from sessions in the state, and from connections without one here. */
  #revoked({ identity, before }: Revoke): void {
    const { lapses, tree, connections } = this.#state;
    for (const { id, isRevoked } of tree.sessions.values()) if (isRevoked) lapses.changed(id);
    if (before === 0) return;
    for (const connection of connections()) {
      if (connection.session !== null) {
        const held = tree.sessions.get(connection.session.id)?.held;
        if (held !== undefined && held !== connection.identities.held && this.#bySession.get(connection.session.id) === connection)
          lapses.identified(connection, held);
      } else {
        const held = connection.identities.held.without(identity, before ?? Number.POSITIVE_INFINITY);
        if (held !== connection.identities.held) lapses.identified(connection, held);
      }
    }
  }

  /** A session that was to expire has shown in time that it lives. */
  #goOn(id: string): void {
    const session = this.#state.tree.sessions.get(id);
    if (session !== undefined) this.#expiry.start(id, session.timeoutMs, this.#state.clock.now());
  }

  /** Closes the connection of an older generation. */
  #fence(session: string): void {
    const older = this.#bySession.get(session);
    if (older === undefined) return;
    this.#bySession.delete(session);
    older.close(closeCode.sessionMoved, "the session moved to a newer connection");
  }

  forget(connection: Connection): void {
    if (connection.session !== null && this.#bySession.get(connection.session.id) === connection) {
      this.#bySession.delete(connection.session.id);
    }
  }

  /** Somebody else coordinates from now on, or nobody. A new coordinator starts all timers anew. */
  coordinated(): void {
    const now = this.#state.clock.now();
    this.#orphanedAt = this.#state.coordinator.member === null ? (this.#orphanedAt ?? now) : null;
    this.#startAll(now);
    this.#state.lapses.restart();
  }

  /** What the client of a session calls itself, where it is connected to this member and says so; else "". */
  nameOf(session: string): string {
    return this.#bySession.get(session)?.name ?? "";
  }

  /** Another state has taken the place of the present one. */
  restored(): void {
    this.#state.budgets.releaseUnknown((session) => this.#state.tree.sessions.has(session));
    this.#expiry.clear();
    this.#startAll(this.#state.clock.now());
    this.#state.lapses.restart();
  }

  /** True if this member may say that there is no such session: it has that one, or somebody coordinates, and its log is read. */
  knowsOf(session: string): boolean {
    return this.#state.tree.sessions.get(session) !== undefined || this.#state.coordinator.member !== null;
  }

  /** Why clients had better look elsewhere, or null: what this member holds stays old for good, or nobody has coordinated for a while. */
  refusal(isReadOnly: boolean): Refusal | null {
    if (this.#state.isRemoved()) return removed;
    if (this.#state.isDrained()) return drained;
    return this.#isOrphaned && !isReadOnly ? noCoordinator : null;
  }

  /** True once nobody has coordinated for so long that sessions had better look elsewhere. */
  get #isOrphaned(): boolean {
    return this.#orphanedAt !== null && this.#state.clock.now() - this.#orphanedAt >= orphanMs;
  }

  #startAll(now: number): void {
    for (const { id, timeoutMs } of this.#state.tree.sessions.values()) this.#expiry.start(id, timeoutMs, now);
  }

  /** Looks at the clock: which clients are silent, and which sessions have expired. */
  tick(connections: Iterable<Connection>): void {
    const now = this.#state.clock.now();
    const hasPaused = now - this.#tickedAt > pauseMs;
    this.#tickedAt = now;
    this.#state.lapses.tick();
    if (hasPaused) this.#expiry.restartAll(now);
    if (this.#state.coordinator.isHere && !hasPaused) for (const session of this.#expiry.due(now)) this.#expire(session);
    for (const connection of connections) {
      if (connection.phase.kind === "awaiting-connect") {
        if (now >= connection.phase.deadline) connection.close(closeCode.noConnect, "no connect in time");
      } else if (connection.session !== null) this.#ask(connection, now);
    }
    this.#giveUp(connections);
  }

  /** Whoever is in, and had better not be here, is told to look elsewhere. */
  #giveUp(connections: Iterable<Connection>): void {
    const why = this.refusal(false);
    if (why === null) return;
    // From a drained member clients go in slices, so that those who come to the others don't all come at once.
    let most = why === drained ? drainedAtOnce : Number.POSITIVE_INFINITY;
    const { zxid } = this.#state.tree;
    for (const connection of connections) {
      const refusal = this.refusal(connection.session === null);
      if (refusal === null || connection.phase.kind === "awaiting-connect" || connection.isClosed) continue;
      if (most-- <= 0) return;
      connection.refuseAll(connection.replies.refused(zxid, refusal), closeCode.unavailable, refusal.message);
    }
    if (why !== drained) this.#state.proposals.forget();
  }

  #expire(session: string): void {
    const held = this.#state.tree.sessions.get(session);
    if (held === undefined) return;
    const { generation, lastId } = held;
    const { coordinator } = this.#state;
    const { term } = coordinator;
    const isStillDue = (): boolean => coordinator.isHereIn(term);
    this.#state.proposals.add({ kind: "expire", session, generation, term, lastId }, () => {}, isStillDue);
  }

  /** Asks a silent client for a ping: a hidden page's timers sleep, its messages do not. */
  #ask(connection: Connection, now: number): void {
    const silenceMs = connection.timeoutMs / 3;
    if (now - connection.heardAt < silenceMs || now - connection.askedAt < silenceMs) return;
    connection.askedAt = now;
    connection.send(chunk(pingEvent));
  }
}
