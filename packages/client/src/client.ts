/**
 * The client: a session, the operations, and what lives on them: watches, subscriptions, stores, updates.
 *
 * A write is done exactly once however often the connection breaks, or rejects with `outcome: "unknown"` when its session
 * ended first. Times are milliseconds.
 */
import type { AclItem, Credential, Refusal, Reply, Scope, Stat, SubscriptionChange, WatchEvent } from "@copse/protocol";
import { Endpoints } from "./endpoints.ts";
import { CopseError, isCopseError } from "./errors.ts";
import { type NodeDefinition, textNode } from "./node-schema.ts";
import { type CallOptions, Operations } from "./operations.ts";
import { Outbox } from "./outbox.ts";
import { ClientSession, type SessionState } from "./session.ts";
import { createStore, type Store } from "./store.ts";
import { Stream } from "./stream.ts";
import { type Change, type Observer, Subscriptions } from "./subscriptions.ts";
import type { ClientPorts, Clock } from "./transport.ts";
import { Watches, type WatchMode } from "./watches.ts";
import { hostPorts } from "./web-socket-transport.ts";

export interface ConnectOptions {
  /** The server gives the session up after so many milliseconds without a sign; it may clamp this. Default 30 000. */
  readonly timeoutMs?: number;
  /** Only follow: no session, no writes, no load on the quorum. */
  readonly readOnly?: boolean;
  /** Asked anew at each connect. */
  readonly auth?: () => Promise<readonly Credential[]> | readonly Credential[];
  /** What znodes that this client and its recipes create get as their ACL, where a call says nothing else. */
  readonly acl?: readonly AclItem[];
  /** Gives up the first connect. */
  readonly signal?: AbortSignal;
  /** For tests and unusual hosts. */
  readonly ports?: ClientPorts;
}

/** The session's state has changed. */
export class SessionEvent extends Event {
  readonly state: SessionState;

  constructor(state: SessionState) {
    super("state");
    this.state = state;
  }
}

/** The znode that says who the members are, with a watch. */
const configWatch = { op: "get", path: "/copse/config", watch: true } as const;
/** Items that a stream holds for a slow loop: as many changes as a server keeps, because a frame may bring them all at once. */
const streamItemsMax = 10_000;
/** Attempts of one update before it gives up. */
const updateAttemptsMax = 100;

/**
 * Connects.
 * @param urls one or more members, as ws, wss, http or https URLs
 * @throws CopseError where the server refuses for good, the signal's reason where that aborts first
 */
export async function connect(urls: string | readonly string[], options: ConnectOptions = {}): Promise<Copse> {
  const client = new Copse(typeof urls === "string" ? [urls] : urls, options);
  try {
    await client.connected(options.signal);
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

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
    super((message, call, isWrite) => this.#call(message, call, isWrite), options.acl);
    this.#ports = options.ports ?? hostPorts;
    this.#watches = new Watches((message, refused) => this.#call(message).catch(refused));
    this.#subscriptions = new Subscriptions({
      request: (message, onReply) => {
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
      timeoutMs: options.timeoutMs ?? 30_000,
      isReadOnly: options.readOnly ?? false,
      auth: async () => (await options.auth?.()) ?? [],
    };
    this.#endpoints = new Endpoints(urls, this.#ports.random);
    this.#session = new ClientSession(session, this.#ports, this.#endpoints, this.#outbox, {
      state: (state) => this.#entered(state),
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

  /** The session's id, or null where there is none. */
  get sessionId(): string | null {
    return this.#session.id;
  }

  /** The session's timeout as the server agreed to it, in milliseconds. */
  get timeoutMs(): number {
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

  /** Calls `listener` at each change of state; gives what stops that. */
  onState(listener: (state: SessionState) => void): () => void {
    const own = (event: Event): void => listener((event as SessionEvent).state);
    this.addEventListener("state", own);
    return () => this.removeEventListener("state", own);
  }

  /** Resolves once connected. */
  connected(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.state === "connected") finish(resolve);
        else if (this.state === "closed") finish(() => reject(this.#refusal ?? new CopseError("CLOSED", "the client is closed")));
      };
      const abort = (): void => finish(() => reject(signal?.reason));
      const off = this.onState(look);
      const finish = (settle: () => void): void => {
        off();
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
   */
  watch(path: string, options: { mode?: WatchMode; signal?: AbortSignal } = {}): AsyncIterableIterator<WatchEvent> {
    const stream = new Stream<WatchEvent>(streamItemsMax, () => ({ event: "resync", path, zxid: this.zxid }));
    const listener = { hear: (event: WatchEvent) => stream.push(event), failed: (error: CopseError) => stream.fail(error) };
    const stop = this.state === "closed" ? ignoreAnswer : this.#watches.add(path, options.mode ?? "persistent", listener);
    return this.#open(stream, stop, options.signal);
  }

  /** Follows a part of the tree: its state, then every change, gap-free. Gives what stops it. */
  observe(path: string, options: { scope?: Scope; data?: boolean }, observer: Observer): () => void {
    if (this.state === "closed") {
      queueMicrotask(() => observer.failed(closedError()));
      return ignoreAnswer;
    }
    return this.#subscriptions.observe({ path, scope: options.scope ?? "node", data: options.data ?? true }, observer);
  }

  /** The changes of a part of the tree from now on. A `resync` item says that some were lost. Leaving the loop ends it. */
  changes(path: string, options: { scope?: Scope; data?: boolean; signal?: AbortSignal } = {}): AsyncIterableIterator<Change> {
    const resync = (): Change => ({ kind: "resync", path, zxid: this.zxid, znode: null, stat: null, data: null });
    const stream = new Stream<Change>(streamItemsMax, resync);
    let isFirst = true;
    const stop = this.observe(path, options, {
      state: () => {
        if (!isFirst) stream.push(resync());
        isFirst = false;
      },
      changes: (changes) => {
        for (const change of changes) stream.push(change);
      },
      failed: (error) => stream.fail(error),
    });
    return this.#open(stream, stop, options.signal);
  }

  /** A live value: text of a path, or what a definition makes of it. */
  store(path: string, options?: { initial?: string }): Store<string>;
  store<T>(definition: NodeDefinition<T>, options: { initial: T }): Store<T>;
  store<T>(definition: NodeDefinition<T>, options?: { initial?: T }): Store<T | undefined>;
  store<T>(node: string | NodeDefinition<T>, options: { initial?: unknown } = {}): Store<unknown> {
    const definition = (typeof node === "string" ? textNode(node) : node) as NodeDefinition<unknown>;
    const initial = options.initial ?? (typeof node === "string" ? "" : undefined);
    return createStore(definition, initial, (observer) => this.observe(definition.path, { scope: "node" }, observer));
  }

  /**
   * Reads, changes and writes with compare-and-set, again and again until nobody came between. A missing znode is created,
   * with its ancestors, from `change(undefined)`.
   */
  async update<T>(
    node: string | NodeDefinition<T>,
    change: (value: T) => T | Promise<T>,
    options: CallOptions = {},
  ): Promise<{ value: T; stat: Stat }> {
    const definition = (typeof node === "string" ? textNode(node) : node) as NodeDefinition<T>;
    const { path } = definition;
    for (let attempt = 1; ; attempt++) {
      const known = await this.get(path, options).catch(orMissing);
      const value = await change((known === null ? undefined : definition.parse(known.data)) as T);
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

  /** Ends the session, and with it the ephemerals, then the connection. */
  async close(): Promise<void> {
    if (this.state === "closed") return;
    if (this.state === "connected") await this.#call({ op: "close" }, { timeoutMs: 2_000 }).catch(ignoreAnswer);
    this.#end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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
    this.dispatchEvent(new SessionEvent(state));
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

  /** Whoever is a member may be connected to. */
  #learn({ data }: Reply): void {
    if (typeof data !== "string" || data === "") return;
    const { members } = JSON.parse(data) as { members?: readonly { readonly url: string }[] };
    this.#endpoints.learn((members ?? []).map(({ url }) => url));
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
      if (this.state === "closed") return reject(this.#refusal ?? new CopseError("CLOSED", "the client is closed"));
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

function settle(
  reply: Reply | CopseError,
  message: Record<string, unknown>,
  resolve: (reply: Reply) => void,
  reject: (error: CopseError) => void,
): void {
  if (reply instanceof CopseError) reject(reply);
  else if (reply.error === undefined) resolve(reply);
  else reject(errorOf(reply.error, message["path"]));
}

function errorOf(refusal: Refusal, path: unknown): CopseError {
  const { code, message, stat, index } = refusal;
  return new CopseError(code, message, { path: refusal.path ?? (typeof path === "string" ? path : undefined), stat, index });
}

function closedError(): CopseError {
  return new CopseError("CLOSED", "the client is closed");
}

/** For requests whose refusal changes nothing: the connection, or the watch, is gone already. */
function ignoreAnswer(): void {}

function orMissing(error: unknown): null {
  if (isCopseError(error, "NO_NODE")) return null;
  throw error;
}
