/**
 * The session from the other side: connect, stay alive, resume, and know when it is over before the server does.
 *
 * States: connecting → connected ⇄ suspended → expired | closed; after expired a new session begins. The client's own
 * deadline is the send time of its newest connect, ping or write that was answered without an error, plus 2/3 of the
 * timeout; past it the session counts as expired here, while the server still waits. Clocks are looked at, ticks never
 * counted: a timer that fired late, or a page that woke, first looks at the deadline.
 */
import type { ConnectReply, Credential, Reply } from "@copse/protocol";
import type { Endpoints } from "./endpoints.ts";
import { CopseError } from "./errors.ts";
import type { Outbox, WireLimits } from "./outbox.ts";
import type { ClientPorts, Socket } from "./transport.ts";

export type SessionState = "connecting" | "connected" | "suspended" | "expired" | "closed";

export interface SessionOptions {
  /** Milliseconds after which the server gives the session up; it may clamp it. */
  readonly timeoutMs: number;
  readonly isReadOnly: boolean;
  /** Asked anew at each connect. */
  readonly auth: () => Promise<readonly Credential[]>;
}

export interface SessionEvents {
  state(state: SessionState): void;
  /** Connected: bring watches and subscriptions back before anything else is sent. */
  restore(isNewCluster: boolean): void;
  /** An event or subscription message. */
  message(message: Record<string, unknown>): void;
  /** All messages of a frame have been taken. */
  frameEnded(): void;
  /** The server refuses this client for good: the arguments or credentials of its connect are wrong. */
  refused(error: CopseError): void;
}

type Phase =
  | { readonly kind: "waiting"; readonly cancel: () => void }
  | { readonly kind: "opening"; readonly socket: Socket }
  | { readonly kind: "greeting"; readonly socket: Socket; readonly connectId: number; readonly sentAt: number }
  | { readonly kind: "open"; readonly socket: Socket }
  | { readonly kind: "closed" };

/** How long a connection may take to open and greet: a third of the timeout, within these bounds, in milliseconds. */
const connectMsMin = 1_000;
const connectMsMax = 10_000;
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
  #deadline = 0;
  #life: AbortController = new AbortController();
  #connection: AbortController = new AbortController();
  #ping: { readonly id: number; readonly sentAt: number } | null = null;
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
    this.#stopWaking = ports.onWake(() => this.#wake());
    this.#open();
  }

  get state(): SessionState {
    return this.#state;
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

  /** Sends what waits in the outbox, if there is a connection. */
  flush(): void {
    if (this.#phase.kind !== "open") return;
    for (const frame of this.#outbox.flush(this.#ports.now(), this.#limits)) this.#phase.socket.send(frame);
  }

  /** The session is over: no reconnect follows. */
  end(): void {
    const phase = this.#phase;
    this.#phase = { kind: "closed" };
    this.#cancelLook();
    this.#cancelConnect();
    this.#stopWaking();
    if (phase.kind === "waiting") phase.cancel();
    else if (phase.kind !== "closed") phase.socket.close();
    const error = new CopseError("CLOSED", "the client is closed");
    this.#connection.abort(error);
    this.#life.abort(error);
    this.#enter("closed");
  }

  #open(): void {
    const socket: Socket = this.#ports.transport(this.#endpoints.next(), {
      opened: () => this.#isPresent(socket) && void this.#greet(socket),
      received: (text) => this.#receive(socket, text),
      closed: (code) => this.#isPresent(socket) && this.#lost(code),
    });
    this.#phase = { kind: "opening", socket };
    this.#cancelConnect();
    const connectMs = Math.min(connectMsMax, Math.max(connectMsMin, this.#timeoutMs / 3));
    this.#cancelConnect = this.#ports.after(connectMs, () => this.#abandon(socket));
  }

  /** Gives a connection up at once: a peer that does not answer would not answer our close either. */
  #abandon(socket: Socket): void {
    if (this.#isPresent(socket)) this.#lost(abandonedCode);
  }

  #isPresent(socket: Socket): boolean {
    const { kind } = this.#phase;
    return kind !== "waiting" && kind !== "closed" && this.#phase.socket === socket;
  }

  async #greet(socket: Socket): Promise<void> {
    let auth: readonly Credential[];
    try {
      auth = await this.#options.auth();
    } catch {
      // The application has no credentials now; another attempt may find some.
      return this.#abandon(socket);
    }
    if (this.#phase.kind !== "opening" || this.#phase.socket !== socket) return;
    const connectId = this.#outbox.nextId();
    const { timeoutMs, isReadOnly } = this.#options;
    const message = {
      id: connectId,
      op: "connect",
      timeout: timeoutMs,
      ...(this.#credentials === null ? {} : { session: this.#credentials }),
      ...(this.#cluster === null ? {} : { cluster: this.#cluster, lastZxid: this.zxid }),
      ...(auth.length === 0 ? {} : { auth }),
      ...(isReadOnly ? { readOnly: true } : {}),
    };
    this.#phase = { kind: "greeting", socket, connectId, sentAt: this.#ports.now() };
    socket.send(JSON.stringify(message));
  }

  #receive(socket: Socket, text: string): void {
    // Behind a pause of the process, what has arrived meanwhile may come before the timers that are overdue.
    if (this.#credentials !== null && this.#phase.kind === "open" && this.#ports.now() >= this.#deadline) this.#look();
    const parsed = JSON.parse(text) as Record<string, unknown> | Record<string, unknown>[];
    for (const message of Array.isArray(parsed) ? parsed : [parsed]) {
      if (!this.#isPresent(socket)) break; // What has just been read has ended the connection.
      if (typeof message["id"] === "number") this.#reply(message as unknown as Reply);
      else this.#event(message);
    }
    this.#events.frameEnded();
    this.flush();
  }

  #reply(reply: Reply): void {
    if (this.#phase.kind === "greeting" && reply.id === this.#phase.connectId)
      return this.#greeted(reply as unknown as ConnectReply, reply);
    // A write with an unknown outcome stays: the server closes, and after the resume it is sent again.
    if (reply.error?.code === "UNAVAILABLE" && this.#outbox.find(reply.id)?.kind === "write") return;
    this.zxid = Math.max(this.zxid, reply.zxid);
    if (this.#ping?.id === reply.id) {
      if (reply.error === undefined) this.#proveAlive(this.#ping.sentAt);
      this.#ping = null;
      if (this.#outbox.isEmpty) this.#saw(reply.zxid);
      return this.#scheduleLook();
    }
    const pending = this.#outbox.take(reply.id);
    if (pending === undefined) return;
    const { kind, message, sentAt } = pending;
    if (!this.#outbox.isRestoring && message["op"] !== "subscribe") this.#saw(reply.zxid);
    if (kind === "write" && reply.error === undefined && sentAt !== undefined) this.#proveAlive(sentAt);
    pending.settle(reply);
  }

  /** All events and changes up to this zxid have arrived. */
  #saw(zxid: number): void {
    this.seenZxid = Math.max(this.seenZxid, zxid);
  }

  #greeted(reply: ConnectReply, { error }: Reply): void {
    if (this.#phase.kind !== "greeting") return;
    const { socket, sentAt } = this.#phase;
    const isNewCluster = this.#cluster !== null && reply.cluster !== this.#cluster;
    this.#cluster = reply.cluster ?? this.#cluster;
    if (isNewCluster) this.zxid = this.seenZxid = 0;
    if (error !== undefined) {
      if (error.code === "SESSION_EXPIRED" || isNewCluster) this.#expire("the session has expired");
      else if (error.code !== "UNAVAILABLE") {
        this.#events.refused(new CopseError(error.code, error.message));
      }
      return; // The server closes; the next attempt follows.
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
    if (this.#life.signal.aborted) this.#life = new AbortController();
    if (this.#connection.signal.aborted) this.#connection = new AbortController();
    this.#cancelConnect();
    this.#phase = { kind: "open", socket };
    this.#ping = null;
    this.#deadline = 0;
    this.#proveAlive(sentAt);
    this.#events.restore(this.#restoredCluster !== null && this.#restoredCluster !== this.#cluster);
    this.#restoredCluster = this.#cluster;
    this.#enter("connected");
    this.flush();
    this.#scheduleLook();
  }

  #event(message: Record<string, unknown>): void {
    if (typeof message["zxid"] === "number") this.zxid = Math.max(this.zxid, message["zxid"]);
    if (message["event"] === "ping") this.#sendPing();
    else if (message["event"] === "session") this.#expire("the session has expired");
    else this.#events.message(message);
  }

  #lost(code: number): void {
    if (code === 4410) return this.#expire("the session has expired");
    if (code === 4409) return this.#expire("another client has taken the session");
    this.#disconnect(new CopseError("UNAVAILABLE", "the connection is lost"));
    if (this.#state === "connected") this.#enter("suspended");
    this.#scheduleLook();
  }

  /** Leaves the present connection, if there is one, and goes for another. Nothing is sent until that is through. */
  #disconnect(error: CopseError): void {
    const phase = this.#phase;
    if (phase.kind === "waiting" || phase.kind === "closed") return;
    this.#cancelConnect();
    this.#ping = null;
    this.#phase = { kind: "waiting", cancel: this.#ports.after(this.#endpoints.failed(), () => this.#open()) };
    this.#outbox.rewind();
    phase.socket.close();
    this.#connection.abort(error);
  }

  /** The newest proof of life counts from when it was sent. */
  #proveAlive(sentAt: number): void {
    this.#deadline = Math.max(this.#deadline, sentAt + (this.#timeoutMs * 2) / 3);
  }

  /** The host slept, or has its network back: looks at the clock, and does not wait out a back-off. */
  #wake(): void {
    this.#look();
    if (this.#phase.kind !== "waiting") return;
    this.#phase.cancel();
    this.#open();
  }

  /** A read-only client pings too, to learn of a dead connection; only a session has a deadline. */
  get #isWatched(): boolean {
    return this.#credentials !== null || (this.#options.isReadOnly && this.#phase.kind === "open");
  }

  /**
   * Looks at the clock: a ping is due, an answer is overdue, or the session is over. A ping that is not answered within a sixth
   * of the timeout ends the connection, which leaves another sixth to resume on a new one.
   */
  #look(): void {
    if (this.#state === "closed" || !this.#isWatched) return;
    const now = this.#ports.now();
    if (this.#credentials !== null && now >= this.#deadline) {
      return this.#expire("the session could not be kept alive");
    }
    if (this.#phase.kind === "open") {
      const third = this.#timeoutMs / 3;
      if (this.#ping !== null && now - this.#ping.sentAt >= third / 2) return this.#lost(abandonedCode);
      if (this.#ping === null && now >= this.#deadline - third) this.#sendPing();
    }
    this.#scheduleLook();
  }

  #sendPing(): void {
    if (this.#phase.kind !== "open" || !this.#isWatched || this.#ping !== null) return;
    this.#ping = { id: this.#outbox.nextId(), sentAt: this.#ports.now() };
    this.#phase.socket.send(JSON.stringify({ id: this.#ping.id, op: "ping" }));
    this.#scheduleLook();
  }

  #scheduleLook(): void {
    if (!this.#isWatched || this.#state === "closed") return;
    const third = this.#timeoutMs / 3;
    const now = this.#ports.now();
    const due = this.#ping === null ? this.#deadline - third : this.#ping.sentAt + third / 2;
    const isOpen = this.#phase.kind === "open";
    const next = !isOpen ? this.#deadline : this.#credentials === null ? due : Math.min(due, this.#deadline);
    this.#cancelLook();
    this.#cancelLook = this.#ports.after(Math.max(1, next - now), () => this.#look());
  }

  /** The session is over. Its connection ends first: nothing of the next session may travel on it. */
  #expire(why: string): void {
    if (this.#state === "closed") return;
    const error = new CopseError("SESSION_EXPIRED", why);
    this.#credentials = null;
    this.#disconnect(error);
    this.#life.abort(error);
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
