/**
 * The session from the other side: connect, stay alive, resume, and know when it is over before the server does.
 *
 * States: connecting → connected ⇄ suspended → expired | closed; after expired a new session begins. Past the client's own
 * deadline (liveness) the session counts as expired here, while the server still waits. Clocks are looked at, ticks never
 * counted: a timer that fired late, a page that woke, or a caller that asks for the state, first looks at the deadline. Invariant: what is
 * said to a peer of another cluster, or to no copse server, changes nothing here; the next endpoint is tried.
 */
import type { Credential, Identity, Reply, ReplyOf } from "@copse/protocol";
import { CopseError } from "../errors.ts";
import type { ClientPorts, Socket } from "../transport.ts";
import type { Endpoints } from "./endpoints.ts";
import { Liveness } from "./liveness.ts";
import { Lifetime } from "./looking-signal.ts";
import type { Outbox, WireLimits } from "./outbox.ts";
import { isConnectRefusal, isConnectReply, isReplyTo, lastingRefusals, messagesOf } from "./received.ts";
import { isProof, Renewal } from "./renewal.ts";
import type { Phase, SessionEvents, SessionOptions } from "./session-events.ts";
import type { ClientStatus, SessionState } from "./status.ts";

/** How long a connection may take to open and greet: a third of the timeout, within these bounds, in milliseconds. */
const connectMsMin = 1_000;
const connectMsMax = 10_000;
/** UTF-16 units of a reason that are kept: a peer may say anything. */
const reasonUnitsMax = 500;
/** What a WebSocket says of a connection that ended without a close frame. */
const abandonedCode = 1006;

export class ClientSession {
  readonly #options: SessionOptions;
  readonly #ports: ClientPorts;
  readonly #endpoints: Endpoints;
  readonly #outbox: Outbox;
  readonly #events: SessionEvents;
  #phase: Phase = { kind: "waiting", cancel: () => {} };
  #state: SessionState = "connecting";
  #credentials: { id: string; secret: string } | null = null;
  #cluster: string | null = null;
  /** The cluster that watches and subscriptions were last set up with. */
  #restoredCluster: string | null = null;
  #timeoutMs: number;
  readonly #liveness: Liveness;
  readonly #renewal: Renewal;
  readonly #life: Lifetime = new Lifetime(() => this.look());
  readonly #connection: Lifetime = new Lifetime(() => this.look());
  #attempt = 0;
  #reason: string | null = null;
  #nextTryMs: number | null = null;
  /** What `auth` threw last, since there was a connection. */
  authError: unknown;
  #cancelLook: () => void = () => {};
  #cancelConnect: () => void = () => {};
  #limits: WireLimits = { frameBytes: 65_536, requests: 100 };
  readonly #stopWaking: () => void;
  /** The newest zxid seen. */
  zxid = 0;
  /** Events and changes have arrived, complete, up to this zxid: where watches and subscriptions go on after a reconnect. */
  seenZxid = 0;
  /** The server, or this client, allows no writes. */
  isReadOnly: boolean;

  constructor(options: SessionOptions, ports: ClientPorts, endpoints: Endpoints, outbox: Outbox, events: SessionEvents) {
    this.#options = options;
    this.#ports = ports;
    this.#endpoints = endpoints;
    this.#outbox = outbox;
    this.#events = events;
    this.#timeoutMs = options.timeoutMs;
    this.isReadOnly = options.isReadOnly;
    this.#liveness = new Liveness(ports);
    this.#renewal = new Renewal(options.auth, ports, outbox, { changed: () => events.identities(), flush: () => this.flush() });
    this.#stopWaking = ports.onWake(() => this.#wake());
    this.#open();
  }

  get state(): SessionState {
    this.look();
    return this.#state;
  }

  get status(): ClientStatus {
    const { state } = this;
    const [reason, nextTryMs] = state === "connected" ? [null, null] : [this.#reason, this.#nextTryMs];
    return Object.freeze({ state, endpoint: this.#endpoints.present.url, attempt: this.#attempt, reason, nextTryMs });
  }

  /** Ends the session if its time is over, and renews what has ended. Called before each answer and each request: a timer may be late. */
  look(): void {
    if (this.#phase.kind === "open") this.#renewal.look();
    if (this.#credentials !== null && this.#liveness.isOver) this.#expire("the session could not be kept alive");
  }

  /** What the session has proved, as far as the server has said. */
  get identities(): readonly Identity[] {
    return this.#renewal.identities;
  }

  get expiresAt(): number | null {
    return this.#renewal.endsAt;
  }

  /** The session's id, or null before the first connect and on a read-only client. */
  get id(): string | null {
    return this.#credentials?.id ?? null;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** Aborts when this session is lost, before the server can give away what it holds. A new session has a new one. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** Aborts when the present connection is lost. */
  get connectionSignal(): AbortSignal {
    return this.#connection.signal;
  }

  /** The id of the cluster that answered last; null before the first did. */
  get cluster(): string | null {
    return this.#cluster;
  }

  /** Sends what waits in the outbox, if there is a connection. */
  flush(): void {
    if (this.#phase.kind !== "open") return;
    if (this.#renewal.isHolding) return;
    for (const frame of this.#outbox.flush(this.#ports.now(), this.#limits)) this.#phase.socket.send(frame);
  }

  /** The session is over: no reconnect follows. */
  end(): void {
    const phase = this.#phase;
    this.#phase = { kind: "closed" };
    this.#cancelLook();
    this.#cancelConnect();
    this.#stopWaking();
    this.#renewal.end();
    if (phase.kind === "waiting") phase.cancel();
    else if (phase.kind !== "closed") phase.socket.close();
    const error = new CopseError("CLOSED", "the client is closed");
    this.#connection.end(error);
    this.#life.end(error);
    this.#enter("closed");
  }

  #open(): void {
    const socket: Socket = this.#ports.transport(this.#endpoints.next().url, {
      opened: () => this.#isPresent(socket) && void this.#greet(socket),
      received: (text) => this.#receive(socket, text),
      closed: (code, reason) => this.#isPresent(socket) && this.#lost(reason || `the connection was closed (${code})`, code),
    });
    this.#phase = { kind: "opening", socket };
    this.#attempt++;
    this.#nextTryMs = null;
    this.#cancelConnect();
    const connectMs = Math.min(connectMsMax, Math.max(connectMsMin, this.#timeoutMs / 3));
    const late = (): void => {
      const { kind } = this.#phase;
      const what = kind === "opening" ? "no connection" : kind === "asking" ? "nothing from `auth`" : "no answer to the connect";
      if (this.#isPresent(socket)) this.#lost(`${what} in ${Math.round(connectMs)} ms`);
    };
    this.#cancelConnect = this.#ports.after(connectMs, late);
    this.#events.status();
  }

  #isPresent(socket: Socket): boolean {
    const { kind } = this.#phase;
    return kind !== "waiting" && kind !== "closed" && this.#phase.socket === socket;
  }

  async #greet(socket: Socket): Promise<void> {
    const asking: Phase = { kind: "asking", socket };
    this.#phase = asking;
    let auth: readonly Credential[];
    try {
      auth = await this.#renewal.forConnect();
    } catch (error) {
      if (this.#phase !== asking) return;
      // The application has no credentials now; another attempt may find some.
      this.authError = error;
      return this.#lost(`auth threw: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (this.#phase !== asking) return;
    const connectId = this.#outbox.nextId();
    const { timeoutMs, isReadOnly, name } = this.#options;
    const message = {
      id: connectId,
      op: "connect",
      timeout: timeoutMs,
      name,
      ...(this.#credentials === null ? {} : { session: this.#credentials }),
      ...(this.#cluster === null ? {} : { cluster: this.#cluster, lastZxid: this.zxid }),
      ...(auth.length === 0 ? {} : { auth }),
      ...(isReadOnly ? { readOnly: true } : {}),
    };
    this.#phase = {
      kind: "greeting",
      socket,
      connectId,
      sent: this.#liveness.now,
      hasToken: auth.some(({ scheme }) => scheme === "token"),
    };
    socket.send(JSON.stringify(message));
  }

  #receive(socket: Socket, text: string): void {
    // After a pause of the process, what has arrived meanwhile may come before the timers that are overdue.
    this.look();
    if (!this.#isPresent(socket)) return;
    const messages = messagesOf(text);
    if (messages === null) return this.#misfit();
    for (const message of messages) {
      if (!this.#isPresent(socket)) break; // What has just been read has ended the connection.
      if (typeof message["id"] === "number") this.#reply(message as unknown as Reply);
      else this.#event(message);
    }
    this.#events.frameEnded();
    this.flush();
  }

  #reply(reply: Reply): void {
    if (this.#phase.kind === "greeting" && reply.id === this.#phase.connectId)
      return this.#greeted(reply as unknown as ReplyOf<"connect">, reply);
    // A write with an unknown outcome stays: the server closes, and after the resume it is sent again.
    if (reply.error?.code === "UNAVAILABLE" && this.#outbox.find(reply.id)?.kind === "write") return;
    this.zxid = Math.max(this.zxid, reply.zxid);
    if (this.#liveness.pong(reply.id, reply.error === undefined)) {
      if (this.#outbox.isEmpty) this.#saw(reply.zxid);
      return this.#scheduleLook();
    }
    const asked = this.#outbox.find(reply.id);
    if (asked !== undefined && reply.error === undefined && !isReplyTo(asked.message, reply)) return this.#misfit();
    const pending = this.#outbox.take(reply.id);
    if (pending === undefined) return;
    const { kind, message, sentAt } = pending;
    if (isProof(message["op"], reply)) this.#renewal.proved(reply);
    if (!this.#outbox.isRestoring && message["op"] !== "subscribe") this.#saw(reply.zxid);
    if (kind === "write" && reply.error === undefined && sentAt !== undefined) this.#liveness.proveByWrite(sentAt);
    pending.settle(reply);
  }

  /** All events and changes up to this zxid have arrived. */
  #saw(zxid: number): void {
    this.seenZxid = Math.max(this.seenZxid, zxid);
  }

  #greeted(reply: ReplyOf<"connect">, { error }: Reply): void {
    if (this.#phase.kind !== "greeting") return;
    const { socket, sent, hasToken } = this.#phase;
    if (!isConnectReply(reply) && !isConnectRefusal(reply)) return this.#misfit();
    const cluster = reply.cluster ?? this.#cluster;
    const isNewCluster = this.#cluster !== null && cluster !== this.#cluster;
    if (isNewCluster && !(this.#endpoints.present.isGiven && this.#options.allowsClusterChange)) {
      const what = `${this.#endpoints.present.url} is of another cluster (${cluster})`;
      // What the members say of each other is a rumour; what the application says is not.
      return this.#endpoints.present.isGiven ? this.#events.refused(new CopseError("CLUSTER_CHANGED", what)) : this.#lost(what);
    }
    // A server that refuses may be any: only one that takes this client says which cluster it is of.
    if (error === undefined || isNewCluster) this.#cluster = cluster;
    if (isNewCluster) this.zxid = this.seenZxid = 0;
    if (error !== undefined) {
      if (error.code === "SESSION_EXPIRED" || isNewCluster) this.#expire("the session has expired");
      else if (error.code === "AUTH_FAILED" && hasToken) this.#tokenRefused(error);
      else if (lastingRefusals.has(error.code)) this.#events.refused(new CopseError(error.code, error.message));
      else this.#lost(`${error.code}: ${error.message}`);
      return;
    }
    this.#endpoints.succeeded();
    this.zxid = Math.max(this.zxid, reply.zxid);
    this.#outbox.raise(reply.lastId);
    this.#limits = reply.limits ?? this.#limits;
    this.isReadOnly = this.#options.isReadOnly || reply.readOnly === true;
    if (reply.session !== null) {
      this.#credentials = { id: reply.session.id, secret: reply.session.secret };
      this.#timeoutMs = reply.session.timeout;
    }
    this.#liveness.begin(this.#timeoutMs, sent);
    this.#renewal.proved(reply);
    this.#life.renew();
    this.#connection.renew();
    this.#cancelConnect();
    this.#phase = { kind: "open", socket };
    this.#attempt = 0;
    this.#reason = null;
    this.authError = undefined;
    this.#events.restore(this.#restoredCluster !== null && this.#restoredCluster !== this.#cluster);
    this.#restoredCluster = this.#cluster;
    this.#enter("connected");
    this.flush();
    this.#scheduleLook();
  }

  /** The application may have another one; what belongs to another subject is another session's. */
  #tokenRefused({ code, message, reason }: NonNullable<Reply["error"]>): void {
    const next = this.#renewal.refused(this.#credentials !== null);
    if (next === "end") this.#events.refused(new CopseError(code, message, { reason }));
    else if (next === "again") this.#lost(`${code}: ${message}`);
    else this.#expire("the credential was refused for this session");
  }

  #event(message: Record<string, unknown>): void {
    if (typeof message["zxid"] === "number") this.zxid = Math.max(this.zxid, message["zxid"]);
    if (message["event"] === "ping") this.#sendPing();
    else if (message["event"] === "auth") this.#renewal.expiring();
    else if (message["event"] === "session") this.#expire("the session has expired");
    else this.#events.message(message);
  }

  /** The peer is no copse server, or a broken one: what was asked of it is asked again at the next endpoint. */
  #misfit(): void {
    this.#lost("what was answered is not copse's protocol");
  }

  #lost(reason: string, code: number = abandonedCode): void {
    if (code === 4410) return this.#expire("the session has expired");
    if (code === 4409) return this.#expire("another client has taken the session");
    this.#disconnect(new CopseError("UNAVAILABLE", `the connection is lost: ${reason}`), reason);
    if (this.#state === "connected") this.#enter("suspended");
    else this.#events.status();
    this.#scheduleLook();
  }

  /**
   * Leaves the present connection, if there is one, and goes for another. Nothing is sent until that is through. It is given up at once: a
   * peer that does not answer would not answer our close either.
   */
  #disconnect(error: CopseError, reason: string): void {
    const phase = this.#phase;
    if (phase.kind === "waiting" || phase.kind === "closed") return;
    this.#cancelConnect();
    this.#liveness.disconnect();
    this.#reason = reason.slice(0, reasonUnitsMax);
    this.#nextTryMs = Math.round(this.#endpoints.failed(reason));
    this.#phase = { kind: "waiting", cancel: this.#ports.after(this.#nextTryMs, () => this.#open()) };
    this.#outbox.rewind();
    phase.socket.close();
    this.#connection.end(error);
  }

  /** The host slept, or its network is another or back: asks at once whether the connection lives, and does not wait out a back-off. */
  #wake(): void {
    this.#look();
    if (this.#phase.kind === "open") return this.#sendPing();
    if (this.#phase.kind !== "waiting") return;
    this.#phase.cancel();
    this.#open();
  }

  /** A read-only client pings too, to learn of a dead connection; only a session has a deadline. */
  get #isWatched(): boolean {
    return this.#credentials !== null || (this.#options.isReadOnly && this.#phase.kind === "open");
  }

  /** Looks at the clocks: a ping is due, an answer is overdue, or the session is over. */
  #look(): void {
    if (this.#state === "closed" || !this.#isWatched) return;
    const verdict = this.#liveness.verdict(this.#phase.kind === "open", this.#credentials !== null);
    if (verdict === "over") return this.#expire("the session could not be kept alive");
    if (verdict === "silent") return this.#lost("a ping was not answered");
    if (verdict === "due") this.#sendPing();
    this.#scheduleLook();
  }

  #sendPing(): void {
    if (this.#phase.kind !== "open" || !this.#isWatched || this.#liveness.isPinging) return;
    const id = this.#outbox.nextId();
    this.#liveness.ping(id);
    this.#phase.socket.send(JSON.stringify({ id, op: "ping" }));
    this.#scheduleLook();
  }

  #scheduleLook(): void {
    if (!this.#isWatched || this.#state === "closed") return;
    this.#cancelLook();
    const ms = this.#liveness.untilLook(this.#phase.kind === "open", this.#credentials !== null);
    this.#cancelLook = this.#ports.after(ms, () => this.#look());
  }

  /** The session is over. Its connection ends first: nothing of the next session may travel on it. */
  #expire(why: string): void {
    if (this.#state === "closed") return;
    const error = new CopseError("SESSION_EXPIRED", why);
    this.#credentials = null;
    this.#disconnect(error, why);
    this.#life.end(error);
    for (const { settle, sentAt } of this.#outbox.dropWrites()) {
      settle(new CopseError("SESSION_EXPIRED", why, { outcome: sentAt === undefined ? "none" : "unknown" }));
    }
    this.#enter("expired");
  }

  #enter(state: SessionState): void {
    if (this.#state === state || this.#state === "closed") return;
    this.#state = state;
    this.#events.state(state);
  }
}
