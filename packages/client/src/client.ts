/**
 * The client: a session, the operations, and what lives on them: watches, subscriptions, stores, updates.
 *
 * A write is done exactly once however often the connection breaks, or rejects with `outcome: "unknown"` when its session
 * ended first. Times are milliseconds.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import type { Identity, Reply, ReplyOf, Scope, SubscriptionChange, WatchEvent } from "@copse/protocol";
import type { CallOptions, Updated } from "./calls/call.ts";
import { Operations } from "./calls/operations.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { CopseError, closedError, isCopseError, settle } from "./errors.ts";
import { type NodeDefinition, textNode } from "./following/node-schema.ts";
import { createStore, type Store, type StoreOptions } from "./following/store.ts";
import { Stream } from "./following/stream.ts";
import { type Change, type Observer, Subscriptions } from "./following/subscriptions.ts";
import { Watches, type WatchMode } from "./following/watches.ts";
import { Endpoints } from "./session/endpoints.ts";
import { Outbox } from "./session/outbox.ts";
import { memberUrls } from "./session/received.ts";
import type { AuthReason } from "./session/renewal.ts";
import { ClientSession } from "./session/session.ts";
import { type ClientStatus, SessionEvent, type SessionState } from "./session/status.ts";
import { hostPorts } from "./session/web-socket-transport.ts";
import type { ClientPorts, Clock } from "./transport.ts";

/** The znode that says who the members are, with a watch. */
const configWatch = { op: "get", path: "/copse/config", watch: true } as const;
/** Items that a stream holds for a slow loop: as many changes as a server keeps, because a frame may bring them all at once. */
const streamItemsMax = 10_000;
/** Attempts of one update before it gives up. */
const updateAttemptsMax = 100;

export class Copse extends Operations {
  readonly #session: ClientSession;
  readonly #outbox: Outbox = new Outbox();
  readonly #watches: Watches;
  readonly #subscriptions: Subscriptions;
  readonly #ports: ClientPorts;
  readonly #endpoints: Endpoints;
  /** Ends of the streams that are open. */
  readonly #streams: Set<() => void> = new Set();
  #refusal: CopseError | null = null;

  constructor(urls: readonly string[], options: ConnectOptions) {
    // That a reply is one to what was asked is checked where it comes in (session/received).
    super((message, call, isWrite) => this.#call(message, call, isWrite) as Promise<never>, options.acl);
    this.#ports = options.ports ?? hostPorts;
    this.#watches = new Watches((message, refused) => this.#call(message).catch(refused));
    this.#subscriptions = new Subscriptions({
      request: (message, onReply) => {
        this.#session.look();
        this.#outbox.add(message, "read", onReply);
        this.#session.flush();
      },
      requestHere: (message) => {
        if (this.state !== "connected") return;
        this.#outbox.add(message, "restoring", ignoreAnswer);
        this.#session.flush();
      },
    });
    const session = {
      timeoutMs: options.sessionTimeoutMs ?? options.timeoutMs ?? 30_000,
      isReadOnly: options.readOnly ?? false,
      name: options.name ?? this.#ports.name?.(),
      allowsClusterChange: options.allowClusterChange ?? false,
      auth: async (reason: AuthReason) => (await options.auth?.({ reason })) ?? [],
    };
    this.#endpoints = new Endpoints(urls, this.#ports.random);
    this.#session = new ClientSession(session, this.#ports, this.#endpoints, this.#outbox, {
      state: (state) => this.#entered(state),
      // The first attempt begins before anybody can listen.
      status: () => this.#session !== undefined && this.dispatchEvent(new SessionEvent("status", this.#session.status)),
      identities: () => this.#session !== undefined && this.dispatchEvent(new Event("identities")),
      restore: (isNewCluster) => this.#restore(isNewCluster),
      message: (message) => this.#take(message),
      frameEnded: () => this.#subscriptions.frameEnded(),
      refused: (error) => {
        this.#refusal = error;
        this.#end();
      },
    });
  }

  get state(): SessionState {
    return this.#session.state;
  }

  /** What this client is waiting for, live: `get()` is its present status, `subscribe` calls at once and at each change. */
  readonly status: Pick<Store<ClientStatus>, "get" | "subscribe"> = this.#live("status", () => this.#session.status);

  /** What this client has proved to the server, live: `get()` is that of now, `subscribe` calls at once and at each change. */
  readonly identities: Pick<Store<readonly Identity[]>, "get" | "subscribe"> = this.#live("identities", () => this.#session.identities);

  /** When the first of them ends, in milliseconds since the epoch; null where none does. */
  get expiresAt(): number | null {
    return this.#session.expiresAt;
  }

  /** The session's id, or null where there is none. */
  get sessionId(): string | null {
    return this.#session.id;
  }

  /** The session's timeout as the server agreed to it, in milliseconds. */
  get sessionTimeoutMs(): number {
    return this.#session.timeoutMs;
  }

  /** The newest zxid that this client has seen. */
  get zxid(): number {
    return this.#session.zxid;
  }

  /** True if this client or its server allows no writes. */
  get isReadOnly(): boolean {
    return this.#session.isReadOnly;
  }

  /** The time that this client lives in: for what has to wait beside it, so that a test can let it pass. */
  get clock(): Clock {
    return this.#ports;
  }

  /** Aborts when the session is lost, before the server can give away what it holds. Take it anew for each session. */
  get sessionSignal(): AbortSignal {
    return this.#session.signal;
  }

  /** Aborts when the present connection is lost. */
  get connectionSignal(): AbortSignal {
    return this.#session.connectionSignal;
  }

  /**
   * Calls `listener` at each change of state; gives what stops that.
   * @example const off = copse.onState((state) => console.log(state));
   */
  onState(listener: (state: SessionState) => void): () => void {
    const own = (event: Event): void => listener((event as SessionEvent).state);
    this.addEventListener("state", own);
    return () => this.removeEventListener("state", own);
  }

  /**
   * Resolves once connected.
   * @throws CopseError TIMEOUT with the newest reason; the signal's reason
   * @example await copse.connected(AbortSignal.timeout(5_000));
   */
  connected(signal?: AbortSignal, timeoutMs: number = Number.POSITIVE_INFINITY): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.state === "connected") finish(resolve);
        else if (this.state === "closed") finish(() => reject(this.#refusal ?? closedError()));
      };
      const abort = (): void => finish(() => reject(signal?.reason));
      const late = (): void => {
        const { reason, endpoint } = this.#session.status;
        const { authError } = this.#session;
        const why = `not connected in ${timeoutMs} ms: ${endpoint}: ${reason ?? "no answer yet"}`;
        finish(() => reject(new CopseError("TIMEOUT", why, authError === undefined ? {} : { cause: authError })));
      };
      const off = this.onState(look);
      const cancel = Number.isFinite(timeoutMs) ? this.#ports.after(timeoutMs, late) : ignoreAnswer;
      const finish = (settle: () => void): void => {
        off();
        cancel();
        signal?.removeEventListener("abort", abort);
        settle();
      };
      signal?.addEventListener("abort", abort, { once: true });
      if (signal?.aborted === true) abort();
      else look();
    });
  }

  /**
   * Watches a znode (persistent) or a subtree (recursive) from this call on: a read made after it sees no gap.
   * A `resync` item says that events were lost. Leaving the loop ends the watch.
   * @example for await (const { event, path } of copse.watch("/app", { mode: "recursive", signal })) console.log(event, path);
   */
  watch(path: string, options: { mode?: WatchMode; signal?: AbortSignal } = {}): AsyncIterableIterator<WatchEvent> {
    const stream = new Stream<WatchEvent>(streamItemsMax, () => ({ event: "resync", path, zxid: this.zxid }));
    const listener = { hear: (event: WatchEvent) => stream.push(event), failed: (error: CopseError) => stream.fail(error) };
    const stop = this.state === "closed" ? ignoreAnswer : this.#watches.add(path, options.mode ?? "persistent", listener);
    return this.#open(stream, stop, options.signal);
  }

  /**
   * Follows a part of the tree: its state, then every change, gap-free. Gives what stops it.
   * @example copse.observe("/app", { scope: "tree" }, { state: ({ size }) => console.log(size), changes: () => {}, failed: () => {} });
   */
  observe(path: string, options: { scope?: Scope; data?: boolean }, observer: Observer): () => void {
    if (this.state === "closed") {
      queueMicrotask(() => observer.failed(closedError()));
      return ignoreAnswer;
    }
    return this.#subscriptions.observe({ path, scope: options.scope ?? "node", data: options.data ?? true }, observer);
  }

  /**
   * The changes of a part of the tree from now on. A `resync` item says that some were lost. A `denied` item says that a znode exists but may
   * not be read; these come at the start and after each `resync`. Leaving the loop ends it.
   * @example for await (const { kind, path, data } of copse.changes("/app", { scope: "tree", signal })) console.log(kind, path, data);
   */
  changes(path: string, options: { scope?: Scope; data?: boolean; signal?: AbortSignal } = {}): AsyncIterableIterator<Change> {
    const resync = (): Change => ({ kind: "resync", path, zxid: this.zxid, znode: null, stat: null, data: null });
    const stream = new Stream<Change>(streamItemsMax, resync);
    let isFirst = true;
    const stop = this.observe(path, options, {
      state: (znodes, zxid, isHidden) => {
        if (!isFirst) stream.push(resync());
        isFirst = false;
        const denied = [...znodes.values()].filter((znode) => znode.isDenied).map((znode) => znode.path);
        if (isHidden) denied.push(path);
        for (const one of denied) stream.push({ ...resync(), kind: "denied", path: one, zxid });
      },
      changes: (changes) => {
        for (const change of changes) stream.push(change);
      },
      failed: (error) => stream.fail(error),
    });
    return this.#open(stream, stop, options.signal);
  }

  /**
   * A live value: text of a path, or what a definition makes of it.
   * @example const off = copse.store("/app/title").subscribe((text) => console.log(text));
   */
  store(path: string, options?: StoreOptions<string>): Store<string>;
  store<T>(definition: NodeDefinition<T>, options: StoreOptions<T> & { initial: T }): Store<T>;
  store<T>(definition: NodeDefinition<T>, options?: StoreOptions<T>): Store<T | undefined>;
  store<T>(node: string | NodeDefinition<T>, options: StoreOptions<unknown> = {}): Store<unknown> {
    const definition = (typeof node === "string" ? textNode(node) : node) as NodeDefinition<unknown>;
    const initial = options.initial ?? (typeof node === "string" ? "" : undefined);
    return createStore(definition, { ...options, initial }, (observer) => this.observe(definition.path, { scope: "node" }, observer));
  }

  /**
   * Reads, changes and writes with compare-and-set, again and again until nobody came between. A missing znode is created,
   * with its ancestors, from `change(undefined)`, or from `change(initial)` where an initial value is given.
   * @example await copse.update("/visits", (text = "0") => String(Number(text) + 1));
   */
  async update(
    path: string,
    change: (value: string | undefined) => string | Promise<string>,
    options?: CallOptions,
  ): Promise<Updated<string>>;
  async update<T>(
    node: NodeDefinition<T>,
    change: (value: T) => T | Promise<T>,
    options: CallOptions & { initial: T },
  ): Promise<Updated<T>>;
  async update<T>(node: NodeDefinition<T>, change: (value: T | undefined) => T | Promise<T>, options?: CallOptions): Promise<Updated<T>>;
  async update<T>(
    node: string | NodeDefinition<T>,
    change: (value: T) => T | Promise<T>,
    { initial, ...options }: CallOptions & { initial?: T } = {},
  ): Promise<Updated<T>> {
    const definition = (typeof node === "string" ? textNode(node) : node) as NodeDefinition<T>;
    const { path } = definition;
    for (let attempt = 1; ; attempt++) {
      const known = await this.get(path, options).catch(orMissing);
      const value = await change((known === null ? initial : definition.parse(known.data)) as T);
      const data = definition.format(value);
      try {
        const stat =
          known === null
            ? (await this.create(path, data, { ...options, parents: true })).stat
            : await this.set(path, data, { ...options, version: known.stat.version });
        return { value, stat };
      } catch (error) {
        const isRace = isCopseError(error, "BAD_VERSION") || isCopseError(error, "NODE_EXISTS") || isCopseError(error, "NO_NODE");
        if (!isRace || attempt >= updateAttemptsMax) throw error;
        await this.#pause(Math.min(100, 2 ** attempt) * this.#ports.random());
      }
    }
  }

  /**
   * Ends the session, and with it the ephemerals, then the connection.
   * @example await (await connect(url)).close();
   */
  async close(): Promise<void> {
    if (this.state === "closed") return;
    if (this.state === "connected") await this.#call({ op: "close" }, { timeoutMs: 2_000 }).catch(ignoreAnswer);
    this.#end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What a kind of event is about, as a store. */
  #live<T>(type: "status" | "identities", get: () => T): Pick<Store<T>, "get" | "subscribe"> {
    const subscribe = (listener: (value: T) => void): (() => void) => {
      const own = (): void => listener(get());
      this.addEventListener(type, own);
      own();
      return () => this.removeEventListener(type, own);
    };
    return { get, subscribe };
  }

  /** A stream ends with its loop, its signal, or the client. */
  #open<T>(stream: Stream<T>, stop: () => void, signal: AbortSignal | undefined): Stream<T> {
    const end = (): void => stream.end();
    this.#streams.add(end);
    const ended = (): void => {
      this.#streams.delete(end);
      stop();
    };
    stream.attach(ended, signal);
    if (this.state === "closed") stream.end();
    return stream;
  }

  #end(): void {
    this.#session.end();
    const error = this.#refusal ?? closedError();
    for (const { settle } of this.#outbox.dropAll()) settle(error);
    for (const end of [...this.#streams]) end();
    this.#subscriptions.end(error);
  }

  #entered(state: SessionState): void {
    if (state !== "connected") this.#subscriptions.lost();
    this.dispatchEvent(new SessionEvent("state", this.#session.status));
    this.dispatchEvent(new SessionEvent("status", this.#session.status));
  }

  #restore(isNewCluster: boolean): void {
    const { seenZxid, zxid } = this.#session;
    const ask = (message: Record<string, unknown>, onReply: (reply: Reply) => void): void => {
      this.#outbox.add(message, "restoring", (reply) => {
        if (!(reply instanceof CopseError)) onReply(reply);
      });
    };
    if (isNewCluster) this.#watches.begin(zxid, ask);
    // Before anything was seen there is nothing to go on from: what is watched already stands in the outbox.
    else if (seenZxid > 0) this.#watches.restore(seenZxid, ask);
    this.#subscriptions.restore(seenZxid, ask);
    ask(configWatch, (reply) => this.#learn(reply));
  }

  /** Every member may be connected to. */
  #learn(reply: Reply): void {
    this.#endpoints.learn(memberUrls(reply as ReplyOf<"get">), this.#session.cluster ?? "");
  }

  #take(message: Record<string, unknown>): void {
    if (typeof message["sub"] === "number") this.#subscriptions.dispatch(message as unknown as SubscriptionChange);
    else if (typeof message["path"] === "string") {
      if (message["path"] === configWatch.path) this.#call(configWatch).then((reply) => this.#learn(reply), ignoreAnswer);
      this.#watches.dispatch(message as unknown as WatchEvent);
    }
  }

  #call(message: Record<string, unknown>, { signal, timeoutMs }: CallOptions = {}, isWrite = false): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      if (this.state === "closed") return reject(this.#refusal ?? closedError());
      const finish = (settle: () => void): void => {
        cancel();
        signal?.removeEventListener("abort", abort);
        settle();
      };
      const pending = this.#outbox.add(message, isWrite ? "write" : "read", (reply) =>
        finish(() => settle(reply, message, resolve, reject)),
      );
      const giveUp = (why: unknown): void => {
        this.#outbox.giveUp(pending);
        finish(() => reject(why));
      };
      const abort = (): void => giveUp(signal?.reason);
      const late = (): void => {
        const outcome = isWrite && pending.sentAt !== undefined ? "unknown" : "none";
        giveUp(new CopseError("TIMEOUT", `no answer in ${timeoutMs} ms`, { outcome }));
      };
      const cancel = timeoutMs === undefined ? (): void => {} : this.#ports.after(timeoutMs, late);
      signal?.addEventListener("abort", abort, { once: true });
      this.#session.flush();
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#ports.after(ms, resolve));
  }
}

/** For requests whose refusal changes nothing: the connection, or the watch, is gone already. */
function ignoreAnswer(): void {}

function orMissing(error: unknown): null {
  if (isCopseError(error, "NO_NODE")) return null;
  throw error;
}
