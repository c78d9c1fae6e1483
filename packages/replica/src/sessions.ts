/**
 * Connections and their sessions: connect, resume, close, expiry.
 *
 * Invariants: one connection per session and member; a newer one closes the older (4409), and the generation fences the
 * writes of the older wherever they are. A ping is answered only when it has counted. Nobody learns whether a session was
 * unknown, expired, or asked for with a wrong secret.
 */
import {
  type Connect,
  chunk,
  closeCode,
  decodeConnect,
  encodeRefusal,
  errorBody,
  expiredEvent,
  type Identity,
  isRefusal,
  type Limits,
  pingEvent,
  type RawMessage,
  type Refusal,
  refuse,
} from "@copse/protocol";
import type { Applied, OpenTxn, ShownRole, Tree, Txn } from "@copse/tree";
import { type Audit, authFailure } from "./audit.ts";
import type { Connection } from "./connection.ts";
import type { Effects } from "./effect.ts";
import type { Clock, Hash, Random } from "./ports.ts";
import type { Proposals } from "./proposals.ts";
import { SessionExpiry } from "./session-expiry.ts";
import type { Waits } from "./waits.ts";

export interface SessionOptions {
  /** The cluster of the data directory, where it was born with one; else null, until the ensemble has agreed on one. */
  readonly cluster: string | null;
  readonly member: string;
  readonly limits: Limits;
  /** Bounds and default of a session's timeout, in milliseconds. */
  readonly timeoutMsMin: number;
  readonly timeoutMsMax: number;
  readonly timeoutMsDefault: number;
  /** The server allows no writes. */
  readonly isReadOnly: boolean;
}

export interface SessionsState {
  readonly tree: Tree;
  readonly proposals: Proposals;
  readonly waits: Waits;
  readonly effects: Effects;
  readonly clock: Clock;
  readonly random: Random;
  readonly hash: Hash;
  /** A connection may go on with what it held back. */
  readonly release: (connection: Connection, held: readonly RawMessage[]) => void;
  readonly identitiesChanged: (connection: Connection) => void;
  readonly role: () => ShownRole;
  readonly audit: Audit | null;
}

/** Who decides expiry and reaping. */
export interface Coordinator {
  /** Null while there is nobody. */
  readonly member: string | null;
  readonly isHere: boolean;
  readonly term: number;
}

/** How long an election may take before sessions are sent elsewhere, in milliseconds (protocol, section 3). */
const orphanMs = 2_000;
const noCoordinator: Refusal = refuse("UNAVAILABLE", "no quorum: nobody coordinates");

/** A pause of the process longer than this restarts all timers, in milliseconds. */
const pauseMs = 1_000;

export class Sessions {
  readonly #options: SessionOptions;
  readonly #state: SessionsState;
  readonly #expiry: SessionExpiry;
  readonly #bySession: Map<string, Connection> = new Map();
  readonly #connecting: Map<Connection, { readonly id: number; readonly connect: Connect }> = new Map();
  #coordinator: Coordinator = { member: null, isHere: false, term: 0 };
  /** Since when nobody coordinates, on the member's clock; null while somebody does. */
  #orphanedAt: number | null;
  #tickedAt: number;

  constructor(options: SessionOptions, state: SessionsState) {
    this.#options = options;
    this.#state = state;
    this.#tickedAt = state.clock.now();
    this.#orphanedAt = this.#tickedAt;
    this.#expiry = new SessionExpiry(this.#tickedAt);
  }

  /** The first message of a connection. */
  connect(connection: Connection, message: RawMessage): void {
    connection.phase = { kind: "holding", held: [], next: "connect" };
    const connect = decodeConnect(message.members, this.#options.limits);
    if (isRefusal(connect)) return this.#refuse(connection, message.id, connect, closeCode.malformed);
    this.#connecting.set(connection, { id: message.id, connect });
    connection.isReadOnly = connect.isReadOnly;
    connection.timeoutMs = this.#clamp(connect.timeoutMs);
    if (this.isOrphaned && !connect.isReadOnly) return this.#refuse(connection, message.id, noCoordinator, closeCode.unavailable);
    // Credentials are proved with the cluster's id, and every reply says it.
    this.#state.waits.until(
      () => this.cluster !== "",
      this.#state.tree.zxid,
      this.#deadline(connection),
      () => this.#prove(connection),
      () => this.#refuse(connection, message.id, noCoordinator, closeCode.unavailable),
    );
  }

  #prove(connection: Connection): void {
    const connecting = this.#connecting.get(connection);
    if (connecting === undefined) return;
    const { id, connect } = connecting;
    if (connect.auth.length === 0) this.authenticated(connection, []);
    else this.#state.effects.add({ kind: "authenticate", connection: connection.number, ticket: id, credentials: connect.auth });
  }

  /** The credentials of a connect are proved, or wrong (null). */
  authenticated(connection: Connection, identities: readonly Identity[] | null): void {
    const connecting = this.#connecting.get(connection);
    if (connecting === undefined) return;
    const { id, connect } = connecting;
    if (identities === null) {
      this.#state.audit?.(authFailure(connection, this.#state.tree.zxid));
      return this.#refuse(
        connection,
        id,
        refuse("AUTH_FAILED", "a credential is wrong or its scheme unknown"),
        closeCode.authenticationFailed,
      );
    }
    const { tree, waits } = this.#state;
    const isForeign = connect.cluster !== null && this.cluster !== "" && connect.cluster !== this.cluster;
    if (isForeign && connect.session !== null) return this.#refuseExpired(connection, id);
    const lastZxid = isForeign ? 0 : (connect.lastZxid ?? 0);
    waits.until(
      (zxid) => zxid >= lastZxid,
      tree.zxid,
      this.#deadline(connection),
      () => this.#admit(connection, id, connect, identities),
      () => this.#refuse(connection, id, refuse("UNAVAILABLE", "this member is behind lastZxid"), closeCode.unavailable),
    );
  }

  #admit(connection: Connection, id: number, connect: Connect, identities: readonly Identity[]): void {
    if (connection.phase.kind === "closed") return;
    if (connect.isReadOnly) {
      connection.identify(identities);
      return this.#welcome(connection, id, { session: null, isResumed: false, lastId: 0 });
    }
    const { random, hash, proposals, tree } = this.#state;
    const isResumed = connect.session !== null;
    const session = connect.session ?? { id: random.token(), secret: random.token() };
    const { timeoutMs } = connection;
    const txn: OpenTxn = {
      kind: isResumed ? "move" : "open",
      session: session.id,
      secretHash: hash.sha256(session.secret),
      timeoutMs,
      identities,
      connection: random.token(),
    };
    const settle = (applied: Applied): void => {
      const held = tree.sessions.get(session.id);
      if (connection.phase.kind === "closed") return;
      if (applied.outcome === "refused" || held === undefined) return this.#refuseExpired(connection, id);
      if (held.connection !== txn.connection) return connection.close(closeCode.sessionMoved, "the session moved to a newer connection");
      connection.session = { id: session.id, generation: held.generation };
      connection.lastWriteId = held.lastId;
      connection.identify(held.identities);
      this.#bySession.set(session.id, connection);
      this.#welcome(connection, id, { session, isResumed, lastId: held.lastId });
    };
    proposals.add(txn, settle, () => connection.phase.kind !== "closed");
  }

  #welcome(
    connection: Connection,
    id: number,
    { session, isResumed, lastId }: { session: { id: string; secret: string } | null; isResumed: boolean; lastId: number },
  ): void {
    const { member, limits, isReadOnly } = this.#options;
    const { cluster } = this;
    const shown = session === null ? null : { ...session, timeout: connection.timeoutMs };
    const rest = { session: shown, resumed: isResumed, lastId, cluster, member, role: this.#state.role(), limits };
    const readOnly = isReadOnly ? { readOnly: true } : {};
    connection.reply(id, `,"zxid":${this.#state.tree.zxid},${JSON.stringify({ ...rest, ...readOnly }).slice(1, -1)}`);
    this.#connecting.delete(connection);
    const held = connection.phase.kind === "holding" ? connection.phase.held : [];
    connection.phase = { kind: "ready" };
    this.#state.release(connection, held);
  }

  #refuseExpired(connection: Connection, id: number): void {
    this.#refuse(connection, id, refuse("SESSION_EXPIRED", "the session is expired or unknown"), closeCode.sessionExpired);
  }

  #refuse(connection: Connection, id: number, refusal: Refusal, code: 4400 | 4401 | 4410 | 4503): void {
    this.#connecting.delete(connection);
    const { cluster } = this;
    // Who does not know yet which cluster it is of says nothing: a client would take another name for another cluster.
    if (cluster !== "") {
      const shown = JSON.stringify(cluster);
      connection.reply(id, `,"zxid":${this.#state.tree.zxid},"error":${encodeRefusal(refusal)},"cluster":${shown}`);
    }
    connection.close(code, refusal.message);
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
    return this.#options.cluster ?? this.#state.tree.ensemble.cluster;
  }

  /** Every applied txn passes here, whoever proposed it. */
  applied(txn: Txn, { outcome }: Applied): void {
    const { clock, tree } = this.#state;
    if (txn.kind === "write" && (outcome === "done" || outcome === "refused")) this.#expiry.touch(txn.session, clock.now());
    if (txn.kind === "expire" && outcome === "refused") this.#goOn(txn.session);
    if (outcome !== "done") return;
    switch (txn.kind) {
      case "open":
      case "move":
        this.#expiry.start(txn.session, txn.timeoutMs, clock.now());
        if (txn.kind === "move") this.#fence(txn.session);
        return;
      case "close":
      case "expire": {
        this.#expiry.forget(txn.session);
        const connection = this.#bySession.get(txn.session);
        this.#bySession.delete(txn.session);
        if (txn.kind === "close" || connection === undefined) return;
        connection.send(chunk(expiredEvent));
        connection.close(closeCode.sessionExpired, "the session has expired");
        return;
      }
      case "write": {
        const connection = txn.write.op === "auth" ? this.#bySession.get(txn.session) : undefined;
        if (connection === undefined) return;
        connection.identify(tree.sessions.get(txn.session)!.identities);
        this.#state.identitiesChanged(connection);
        return;
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
    this.#connecting.delete(connection);
    if (connection.session !== null && this.#bySession.get(connection.session.id) === connection) {
      this.#bySession.delete(connection.session.id);
    }
  }

  /** Somebody else coordinates from now on, or nobody. A new coordinator starts all timers anew. */
  coordinated(coordinator: Coordinator): void {
    this.#coordinator = coordinator;
    const now = this.#state.clock.now();
    this.#orphanedAt = coordinator.member === null ? (this.#orphanedAt ?? now) : null;
    this.#startAll(now);
  }

  /** Another state has taken the place of the present one. */
  restored(): void {
    this.#expiry.clear();
    this.#startAll(this.#state.clock.now());
  }

  /** True once nobody has coordinated for so long that clients had better look elsewhere. */
  get isOrphaned(): boolean {
    return this.#orphanedAt !== null && this.#state.clock.now() - this.#orphanedAt >= orphanMs;
  }

  #startAll(now: number): void {
    for (const { id, timeoutMs } of this.#state.tree.sessions.values()) this.#expiry.start(id, timeoutMs, now);
  }

  /** Looks at the clock: who is silent, and whose time is over. */
  tick(connections: ReadonlyMap<number, Connection>): void {
    const now = this.#state.clock.now();
    const hasPaused = now - this.#tickedAt > pauseMs;
    this.#tickedAt = now;
    if (hasPaused) this.#expiry.restartAll(now);
    if (this.#coordinator.isHere && !hasPaused) for (const session of this.#expiry.due(now)) this.#expire(session);
    for (const connection of connections.values()) {
      if (connection.phase.kind === "awaiting-connect") {
        if (now >= connection.phase.deadline) connection.close(closeCode.noConnect, "no connect in time");
      } else if (connection.session !== null) this.#ask(connection, now);
    }
    if (this.isOrphaned) this.#giveUp(connections);
  }

  /** Nobody coordinates: whoever has a session, or wants one, is told to look elsewhere. */
  #giveUp(connections: ReadonlyMap<number, Connection>): void {
    const body = errorBody(this.#state.tree.zxid, noCoordinator);
    for (const connection of connections.values()) {
      const connecting = this.#connecting.get(connection);
      if (connecting !== undefined && !connecting.connect.isReadOnly) {
        this.#refuse(connection, connecting.id, noCoordinator, closeCode.unavailable);
      } else if (connection.session !== null) connection.refuseAll(body, closeCode.unavailable, noCoordinator.message);
    }
    this.#state.proposals.forget();
  }

  #expire(session: string): void {
    const held = this.#state.tree.sessions.get(session);
    if (held === undefined) return;
    const { generation, lastId } = held;
    const { term } = this.#coordinator;
    const isStillDue = (): boolean => this.#coordinator.isHere && this.#coordinator.term === term;
    this.#state.proposals.add({ kind: "expire", session, generation, term, lastId }, () => {}, isStillDue);
  }

  /** Asks a silent client for a ping: a hidden page's timers sleep, its messages do not. */
  #ask(connection: Connection, now: number): void {
    const silenceMs = connection.timeoutMs / 3;
    if (now - connection.heardAt < silenceMs || now - connection.askedAt < silenceMs) return;
    connection.askedAt = now;
    connection.send(chunk(pingEvent));
  }

  #clamp(timeoutMs: number | null): number {
    const { timeoutMsMin, timeoutMsMax, timeoutMsDefault } = this.#options;
    return Math.min(timeoutMsMax, Math.max(timeoutMsMin, timeoutMs ?? timeoutMsDefault));
  }

  #deadline(connection: Connection): number {
    return this.#state.clock.now() + connection.timeoutMs / 3;
  }
}
