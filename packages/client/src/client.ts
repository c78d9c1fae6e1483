/**
 * The client: every operation of the protocol as a call, and what lives on top of them.
 *
 * Calls are sent in the order in which they are made and answered in that order; a write is done exactly once however often
 * the connection breaks, or rejects with `outcome: "unknown"` when its session ended first. Times are milliseconds.
 */
import type { AclItem, Credential, Identity, Refusal, Reply, Scope, Stat, SubscriptionChange, WatchEvent } from "@copse/protocol";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { Endpoints } from "./endpoints.ts";
import { CopseError, isCopseError } from "./errors.ts";
import { type NodeDefinition, textNode } from "./node-schema.ts";
import { Outbox } from "./outbox.ts";
import { ClientSession, type SessionState } from "./session.ts";
import { createStore, type Store } from "./store.ts";
import { Stream } from "./stream.ts";
import { type Change, type Observer, Subscriptions } from "./subscriptions.ts";
import type { ClientPorts } from "./transport.ts";
import { type WatchMode, Watches } from "./watches.ts";
import { hostPorts } from "./web-socket-transport.ts";

/** Text, bytes, or null for no data at all. */
export type Data = string | Uint8Array | null;

export interface ConnectOptions {
  /** The server gives the session up after so many milliseconds without a sign; it may clamp this. Default 30 000. */
  readonly timeoutMs?: number;
  /** Only follow: no session, no writes, no load on the quorum. */
  readonly readOnly?: boolean;
  /** Asked anew at each connect. */
  readonly auth?: () => Promise<readonly Credential[]> | readonly Credential[];
  /** Gives up the first connect. */
  readonly signal?: AbortSignal;
  /** For tests and unusual hosts. */
  readonly ports?: ClientPorts;
}

export interface CallOptions {
  /** Rejects with the signal's reason. A write that was sent may still happen. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects with TIMEOUT after so many milliseconds. A write that was sent may still happen. */
  readonly timeoutMs?: number | undefined;
}

/** A write holds only while this znode exists with this czxid. */
export interface Guard {
  readonly path: string;
  readonly czxid: number;
}

export interface WriteOptions extends CallOptions {
  readonly guard?: Guard | readonly Guard[] | undefined;
}

export interface ReadOptions extends CallOptions {
  /** See every write acknowledged anywhere before this call. */
  readonly linearizable?: boolean;
  /** Answer once the server has applied this zxid. */
  readonly atLeast?: number;
}

export interface CreateOptions extends WriteOptions {
  readonly ephemeral?: boolean;
  readonly sequential?: boolean;
  readonly container?: boolean;
  /** Milliseconds after its last change at which a childless znode is removed. */
  readonly ttl?: number;
  readonly acl?: readonly AclItem[];
  /** Create missing ancestors too. */
  readonly parents?: boolean;
}

export interface Znode {
  /** Text data; null for null data and for bytes that are not UTF-8. */
  readonly data: string | null;
  readonly bytes: Uint8Array | null;
  readonly stat: Stat;
}

export type MultiOp =
  | { readonly op: "create"; readonly path: string; readonly data?: Data; readonly ephemeral?: boolean; readonly sequential?: boolean }
  | { readonly op: "set"; readonly path: string; readonly data?: Data; readonly version?: number }
  | { readonly op: "delete"; readonly path: string; readonly version?: number }
  | { readonly op: "check"; readonly path: string; readonly version?: number };

type MultiResult<Op extends MultiOp> = Op["op"] extends "create"
  ? { readonly path: string; readonly stat: Stat }
  : Op["op"] extends "set"
    ? { readonly stat: Stat }
    : Record<never, never>;

/** The session's state has changed. */
export class SessionEvent extends Event {
  readonly state: SessionState;

  constructor(state: SessionState) {
    super("state");
    this.state = state;
  }
}

/** Items that a stream holds for a slow loop. */
const streamItemsMax = 1_000;
/** Attempts of one update before it gives up. */
const updateAttemptsMax = 100;

/**
 * Connects.
 * @param urls one or more members, as ws, wss, http or https URLs
 * @throws CopseError where the server refuses for good, the signal's reason where that aborts first
 */
export async function connect(urls: string | readonly string[], options: ConnectOptions = {}): Promise<Copse> {
  const client = new Copse(typeof urls === "string" ? [urls] : urls, options);
  await client.connected(options.signal);
  return client;
}

export class Copse extends EventTarget {
  readonly #session: ClientSession;
  readonly #outbox: Outbox = new Outbox();
  readonly #watches: Watches;
  readonly #subscriptions: Subscriptions;
  readonly #ports: ClientPorts;
  #refusal: CopseError | null = null;

  constructor(urls: readonly string[], options: ConnectOptions) {
    super();
    this.#ports = options.ports ?? hostPorts;
    this.#watches = new Watches((message) => this.#call(message).catch(ignoreAnswer));
    this.#subscriptions = new Subscriptions({
      request: (message, onReply) => {
        this.#outbox.add(message, false, onReply);
        this.#session.flush();
      },
    });
    const session = {
      timeoutMs: options.timeoutMs ?? 30_000,
      isReadOnly: options.readOnly ?? false,
      auth: async () => (await options.auth?.()) ?? [],
    };
    this.#session = new ClientSession(session, this.#ports, new Endpoints(urls, this.#ports.random), this.#outbox, {
      state: (state) => this.#entered(state),
      restore: () => this.#restore(),
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
      const abort = (): void => {
        this.#end();
        finish(() => reject(signal?.reason));
      };
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

  /** Creates a znode. @throws CopseError NODE_EXISTS, NO_NODE (the parent), NO_CHILDREN_FOR_EPHEMERALS … */
  async create(path: string, data: Data = null, options: CreateOptions = {}): Promise<{ path: string; stat: Stat }> {
    const { ephemeral, sequential, container, ttl, acl, parents, ...rest } = options;
    const reply = await this.#write({ op: "create", path, ...encodeData(data), ephemeral, sequential, container, ttl, acl, parents }, rest);
    return { path: reply.path!, stat: reply.stat! };
  }

  /** Reads a znode. @throws CopseError NO_NODE */
  async get(path: string, options: ReadOptions = {}): Promise<Znode> {
    const reply = await this.#read({ op: "get", path }, options);
    return { data: reply.data ?? null, bytes: reply.data64 === undefined ? null : decodeBase64(reply.data64), stat: reply.stat! };
  }

  /** Replaces the data of a znode. @throws CopseError NO_NODE, BAD_VERSION with the present stat */
  async set(path: string, data: Data, options: WriteOptions & { version?: number } = {}): Promise<Stat> {
    const { version, ...rest } = options;
    return (await this.#write({ op: "set", path, ...encodeData(data), version }, rest)).stat!;
  }

  /** Deletes a znode; with `recursive` all below too. Gives how many went. @throws CopseError NO_NODE, BAD_VERSION, NOT_EMPTY */
  async delete(path: string, options: WriteOptions & { version?: number; recursive?: boolean } = {}): Promise<number> {
    const { version, recursive, ...rest } = options;
    return (await this.#write({ op: "delete", path, version, recursive }, rest)).deleted ?? 1;
  }

  /** The stat of a znode, or null if there is none. */
  async exists(path: string, options: ReadOptions = {}): Promise<Stat | null> {
    return (await this.#read({ op: "exists", path }, options)).stat ?? null;
  }

  /** The names of the children, sorted; `after` and `limit` page through them. @throws CopseError NO_NODE */
  async children(
    path: string,
    options: ReadOptions & { after?: string; limit?: number } = {},
  ): Promise<{ children: string[]; stat: Stat; more: boolean }> {
    const { after, limit, ...rest } = options;
    const reply = await this.#read({ op: "children", path, after, limit }, rest);
    return { children: [...(reply.children as string[])], stat: reply.stat!, more: reply.more === true };
  }

  /** As `children`, each with its stat. */
  async childrenWithStats(
    path: string,
    options: ReadOptions & { after?: string; limit?: number } = {},
  ): Promise<{ children: { name: string; stat: Stat }[]; stat: Stat; more: boolean }> {
    const { after, limit, ...rest } = options;
    const reply = await this.#read({ op: "children", path, stats: true, after, limit }, rest);
    return { children: [...(reply.children as { name: string; stat: Stat }[])], stat: reply.stat!, more: reply.more === true };
  }

  /** The number of all descendants. */
  async count(path: string, options: ReadOptions = {}): Promise<number> {
    return (await this.#read({ op: "count", path }, options)).count!;
  }

  async getAcl(path: string, options: ReadOptions = {}): Promise<{ acl: readonly AclItem[]; stat: Stat }> {
    const reply = (await this.#read({ op: "getAcl", path }, options)) as Reply & { acl: readonly AclItem[] };
    return { acl: reply.acl, stat: reply.stat! };
  }

  async setAcl(path: string, acl: readonly AclItem[], options: WriteOptions & { version?: number } = {}): Promise<Stat> {
    const { version, ...rest } = options;
    return (await this.#write({ op: "setAcl", path, acl, version }, rest)).stat!;
  }

  /** Does all the ops or none, in one txn. @throws CopseError with the `index` of the op that failed */
  async multi<const Ops extends readonly MultiOp[]>(ops: Ops, options: WriteOptions = {}): Promise<{ -readonly [At in keyof Ops]: MultiResult<Ops[At]> }> {
    const encoded = ops.map((op) => {
      if (op.op !== "create" && op.op !== "set") return op;
      const { data = null, ...rest } = op;
      return { ...rest, ...encodeData(data) };
    });
    const reply = await this.#write({ op: "multi", ops: encoded }, options);
    return reply.results as unknown as { -readonly [At in keyof Ops]: MultiResult<Ops[At]> };
  }

  /** Resolves once the server has applied all that was committed before this call. */
  async sync(options: CallOptions = {}): Promise<void> {
    await this.#read({ op: "sync" }, options);
  }

  /** Proves a credential to the session, for as long as it lives. */
  async auth(credential: Credential, options: CallOptions = {}): Promise<void> {
    await this.#write({ op: "auth", ...credential }, options);
  }

  async whoami(options: CallOptions = {}): Promise<readonly Identity[]> {
    return ((await this.#read({ op: "whoami" }, options)) as Reply & { identities: readonly Identity[] }).identities;
  }

  /** The paths of this session's ephemerals, sorted. */
  async ephemerals(prefix?: string, options: CallOptions = {}): Promise<readonly string[]> {
    return (await this.#read({ op: "ephemerals", prefix }, options)).paths!;
  }

  /** The members, their roles and their state. */
  async ensemble(options: CallOptions = {}): Promise<Record<string, unknown>> {
    const { id: _id, zxid: _zxid, ...rest } = await this.#read({ op: "ensemble" }, options);
    return rest as Record<string, unknown>;
  }

  /**
   * Watches a znode (persistent) or a subtree (recursive) from this call on: a read made after it sees no gap.
   * A `resync` item says that events were lost. Leaving the loop ends the watch.
   */
  watch(path: string, options: { mode?: WatchMode; signal?: AbortSignal } = {}): AsyncIterableIterator<WatchEvent> {
    const stream = new Stream<WatchEvent>(streamItemsMax, () => ({ event: "resync", path, zxid: this.zxid }));
    const stop = this.#watches.add(path, options.mode ?? "persistent", (event) => stream.push(event));
    return stream.attach(stop, options.signal);
  }

  /** Follows a part of the tree: its state, then every change, gap-free. Gives what stops it. */
  observe(path: string, options: { scope?: Scope; data?: boolean }, observer: Observer): () => void {
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
    return stream.attach(stop, options.signal);
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

  /** Breaks the connection without ending the session, as a lost network would: for tests. */
  drop(): void {
    this.#session.drop();
  }

  #end(): void {
    this.#session.end();
    const error = this.#refusal ?? new CopseError("CLOSED", "the client is closed");
    for (const { settle } of this.#outbox.dropAll()) settle(error);
  }

  #entered(state: SessionState): void {
    if (state !== "connected") this.#subscriptions.lost();
    this.dispatchEvent(new SessionEvent(state));
  }

  #restore(): void {
    const { seenZxid } = this.#session;
    const ask = (message: Record<string, unknown>, onReply: (reply: Reply) => void): void => this.#session.ask(message, onReply);
    this.#watches.restore(seenZxid, ask);
    this.#subscriptions.restore(seenZxid, ask);
  }

  #take(message: Record<string, unknown>): void {
    if (typeof message["sub"] === "number") this.#subscriptions.dispatch(message as unknown as SubscriptionChange);
    else if (typeof message["path"] === "string") this.#watches.dispatch(message as unknown as WatchEvent);
  }

  #read(message: Record<string, unknown>, { linearizable, atLeast, ...options }: ReadOptions): Promise<Reply> {
    return this.#call({ ...message, linearizable, atLeast }, options);
  }

  #write(message: Record<string, unknown>, { guard, ...options }: WriteOptions): Promise<Reply> {
    return this.#call({ ...message, guard }, options, true);
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
      const pending = this.#outbox.add(message, isWrite, (reply) => finish(() => settle(reply, message, resolve, reject)));
      const outcome = (): "none" | "unknown" => (isWrite && pending.sentAt !== undefined ? "unknown" : "none");
      const abort = (): void => finish(() => reject(signal?.reason));
      const giveUp = (): void => finish(() => reject(new CopseError("TIMEOUT", `no answer in ${timeoutMs} ms`, { outcome: outcome() })));
      const cancel = timeoutMs === undefined ? (): void => {} : this.#ports.after(timeoutMs, giveUp);
      signal?.addEventListener("abort", abort, { once: true });
      this.#session.flush();
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#ports.after(ms, resolve));
  }
}

function settle(reply: Reply | CopseError, message: Record<string, unknown>, resolve: (reply: Reply) => void, reject: (error: CopseError) => void): void {
  if (reply instanceof CopseError) reject(reply);
  else if (reply.error === undefined) resolve(reply);
  else reject(errorOf(reply.error, message["path"]));
}

function errorOf(refusal: Refusal, path: unknown): CopseError {
  const { code, message, stat, index } = refusal;
  return new CopseError(code, message, { path: refusal.path ?? (typeof path === "string" ? path : undefined), stat, index });
}

function encodeData(data: Data): { data?: string; data64?: string } {
  if (data === null) return {};
  return typeof data === "string" ? { data } : { data64: encodeBase64(data) };
}

/** For requests whose refusal changes nothing: the connection, or the watch, is gone already. */
function ignoreAnswer(): void {}

function orMissing(error: unknown): null {
  if (isCopseError(error, "NO_NODE")) return null;
  throw error;
}
