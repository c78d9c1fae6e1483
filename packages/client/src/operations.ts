/**
 * The operations of the protocol as calls, one for one.
 *
 * Each rejects with a CopseError whose code is the protocol's. Calls are sent in the order in which they are made and
 * answered in that order. How a request travels is not known here.
 */
import type { Credential, Identity, Reply, Stat } from "@copse/protocol";
import type { AclItem } from "./acl.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { CopseError, isCopseError } from "./errors.ts";
import type { MemberStats, Page, SearchPage, ShownEnsemble, ShownQueue, ShownSession, ShownWatcher } from "./inspection.ts";
import type { NodeDefinition } from "./node-schema.ts";

/** Text, bytes, or null for no data at all. */
export type Data = string | Uint8Array | null;

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

/** A bound on a subtree, and what is used of it: znodes, the path itself included, and bytes of data. Soft bounds only tell. */
export interface ShownQuota {
  readonly path: string;
  readonly count?: number;
  readonly bytes?: number;
  readonly softCount?: number;
  readonly softBytes?: number;
  readonly used: { readonly count: number; readonly bytes: number };
}

/** A member to add, or to give another role or address. */
export interface MemberWanted {
  readonly id: string;
  /** Where its peers reach it, HOST:PORT. */
  readonly peer?: string;
  /** Of no meaning any more: a member says itself what its clients are told. */
  readonly url?: string;
  readonly role?: "voter" | "observer";
}

export interface Znode {
  /** Text data; null for null data and for bytes that are not UTF-8. */
  readonly data: string | null;
  readonly bytes: Uint8Array | null;
  readonly stat: Stat;
}

/** How a znode comes into being. */
export interface CreateKind {
  readonly ephemeral?: boolean;
  readonly sequential?: boolean;
  readonly container?: boolean;
  /** Milliseconds after its last change at which a childless znode is removed. */
  readonly ttl?: number;
  /** Who may do what; the client's default where absent, and where it has none what the parent hands on. */
  readonly acl?: readonly AclItem[] | undefined;
  /** Create missing ancestors too. */
  readonly parents?: boolean;
}

export interface PageOptions extends CallOptions {
  /** Only what comes behind this id or path. */
  readonly after?: string;
  readonly limit?: number;
}

export interface CreateOptions extends CreateKind, WriteOptions {}

export type MultiOp =
  | (CreateKind & { readonly op: "create"; readonly path: string; readonly data?: Data })
  | { readonly op: "set"; readonly path: string; readonly data?: Data; readonly version?: number }
  | {
      readonly op: "setAcl";
      readonly path: string;
      readonly acl?: readonly AclItem[];
      readonly default?: readonly AclItem[];
      readonly version?: number;
    }
  | { readonly op: "delete"; readonly path: string; readonly version?: number; readonly recursive?: boolean }
  | { readonly op: "check"; readonly path: string; readonly version?: number };

type MultiResult<Op extends MultiOp> = Op["op"] extends "create"
  ? { readonly path: string; readonly stat: Stat }
  : Op["op"] extends "set" | "setAcl"
    ? { readonly stat: Stat }
    : Op["op"] extends "delete"
      ? { readonly deleted?: number }
      : Record<never, never>;

export type ReadOp =
  | { readonly op: "get"; readonly path: string }
  | { readonly op: "exists"; readonly path: string }
  | { readonly op: "children"; readonly path: string; readonly after?: string; readonly limit?: number };

interface ReadResults {
  readonly get: Znode;
  readonly exists: { readonly stat: Stat | null };
  readonly children: { readonly children: readonly string[]; readonly stat: Stat; readonly more: boolean };
}

type ReadResult<Op extends ReadOp> = CopseError | ReadResults[Op["op"]];

/** Items of one page, where a list is read page by page. */
const pageItems = 10_000;

/** Sends a request and gives its reply, or rejects with its error. */
export type Call = (message: Record<string, unknown>, options: CallOptions, isWrite: boolean) => Promise<Reply>;

export class Operations extends EventTarget {
  readonly #call: Call;
  /** What znodes that this client creates get as their ACL, where a call says nothing else. */
  readonly acl: readonly AclItem[] | undefined;

  constructor(call: Call, acl: readonly AclItem[] | undefined) {
    super();
    this.#call = async (...request) => {
      try {
        return await call(...request);
      } catch (error) {
        // It was made where the answer came: what helps is where the call was made.
        if (isCopseError(error)) Error.captureStackTrace?.(error);
        throw error;
      }
    };
    this.acl = acl;
  }

  /** Creates a znode. @throws CopseError NODE_EXISTS, NO_NODE (the parent), NO_CHILDREN_FOR_EPHEMERALS … */
  async create(path: string, data: Data = null, options: CreateOptions = {}): Promise<{ path: string; stat: Stat }> {
    const { ephemeral, sequential, container, ttl, acl = this.acl, parents, ...rest } = options;
    const reply = await this.#write({ op: "create", path, ...encodeData(data), ephemeral, sequential, container, ttl, acl, parents }, rest);
    return { path: reply.path!, stat: reply.stat! };
  }

  /**
   * Reads a znode, or the value that a definition makes of it.
   * @throws CopseError NO_NODE, and SCHEMA where the data does not fit the definition
   * @example const { data, stat } = await copse.get("/app/title");
   */
  async get(path: string, options?: ReadOptions): Promise<Znode>;
  async get<T>(node: NodeDefinition<T>, options?: ReadOptions): Promise<{ readonly value: T; readonly stat: Stat }>;
  async get(node: string | NodeDefinition<unknown>, options: ReadOptions = {}): Promise<Znode | { value: unknown; stat: Stat }> {
    const path = typeof node === "string" ? node : node.path;
    const znode = znodeOf(await this.#read({ op: "get", path }, options));
    return typeof node === "string" ? znode : { value: node.parse(znode.data), stat: znode.stat };
  }

  /**
   * Replaces the data of a znode; of a definition, by a value that fits it.
   * @throws CopseError NO_NODE, BAD_VERSION with the present stat, SCHEMA
   * @example await copse.set("/app/title", "Hello again", { version: stat.version });
   */
  async set(path: string, data: Data, options?: WriteOptions & { version?: number }): Promise<Stat>;
  async set<T>(node: NodeDefinition<T>, value: T, options?: WriteOptions & { version?: number }): Promise<Stat>;
  async set(node: string | NodeDefinition<unknown>, data: unknown, options: WriteOptions & { version?: number } = {}): Promise<Stat> {
    const { version, ...rest } = options;
    const [path, text] = typeof node === "string" ? [node, data as Data] : [node.path, node.format(data)];
    return (await this.#write({ op: "set", path, ...encodeData(text), version }, rest)).stat!;
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

  /** The number of all descendants. @throws CopseError NO_NODE, NO_AUTH */
  async count(path: string, options: ReadOptions = {}): Promise<number> {
    return (await this.#read({ op: "count", path }, options)).count!;
  }

  /** Who may do what with a znode. Without admin on it, what is made of passwords is masked. @throws CopseError NO_NODE, NO_AUTH */
  async getAcl(path: string, options: ReadOptions = {}): Promise<{ acl: readonly AclItem[]; default?: readonly AclItem[]; stat: Stat }> {
    const reply = (await this.#read({ op: "getAcl", path }, options)) as Reply & { acl: readonly AclItem[]; default?: readonly AclItem[] };
    return { acl: reply.acl, ...(reply.default === undefined ? {} : { default: reply.default }), stat: reply.stat! };
  }

  /**
   * Says who may do what; `version` is compared with the stat's `aversion`. `default` is what children created without an ACL get, and hand
   * on to theirs; an empty one takes it away.
   * @param acl null leaves the znode's own as it is
   * @throws CopseError INVALID_ACL, BAD_VERSION, NO_NODE, NO_AUTH
   */
  async setAcl(
    path: string,
    acl: readonly AclItem[] | null,
    options: WriteOptions & { version?: number; default?: readonly AclItem[] } = {},
  ): Promise<Stat> {
    const { version, default: handedOn, ...rest } = options;
    return (await this.#write({ op: "setAcl", path, acl: acl ?? undefined, default: handedOn, version }, rest)).stat!;
  }

  /** Does all the ops or none, in one txn. @throws CopseError with the `index` of the op that failed */
  async multi<const Ops extends readonly MultiOp[]>(
    ops: Ops,
    options: WriteOptions = {},
  ): Promise<{ -readonly [At in keyof Ops]: MultiResult<Ops[At]> }> {
    const encoded = ops.map((op) => {
      if (op.op !== "create" && op.op !== "set") return op;
      const { data = null, ...rest } = op;
      const acl = op.op === "create" ? { acl: op.acl ?? this.acl } : {};
      return { ...rest, ...encodeData(data), ...acl };
    });
    const reply = await this.#write({ op: "multi", ops: encoded }, options);
    return reply.results as unknown as { -readonly [At in keyof Ops]: MultiResult<Ops[At]> };
  }

  /** Reads several things of one moment. What can't be read is a CopseError in its place. */
  async read<const Ops extends readonly ReadOp[]>(
    ops: Ops,
    options: ReadOptions = {},
  ): Promise<{ -readonly [At in keyof Ops]: ReadResult<Ops[At]> }> {
    const { results = [] } = await this.#read({ op: "read", ops }, options);
    return results.map((result, at) => readResult(ops[at]!, result as Partial<Reply>)) as never;
  }

  /** Resolves once the server has applied all that was committed before this call. */
  async sync(options: CallOptions = {}): Promise<void> {
    await this.#read({ op: "sync" }, options);
  }

  /** Proves a credential to the session, for as long as it lives. @throws CopseError AUTH_FAILED; the connection ends then */
  async auth(credential: Credential, options: CallOptions = {}): Promise<void> {
    await this.#write({ op: "auth", ...credential }, options);
  }

  /** The identities of this session, and the address it comes from. A wrong password of `digest` is no error: it is another identity. */
  async whoami(options: CallOptions = {}): Promise<readonly Identity[]> {
    return ((await this.#read({ op: "whoami" }, options)) as Reply & { identities: readonly Identity[] }).identities;
  }

  /** Whether this session is an admin's, and whether everyone may change what is below the root although strangers may come. */
  async standing(options: CallOptions = {}): Promise<{ isAdmin: boolean; isRootOpen: boolean }> {
    const reply = (await this.#read({ op: "whoami" }, options)) as Reply & { admin?: boolean; rootOpen?: boolean };
    return { isAdmin: reply.admin === true, isRootOpen: reply.rootOpen === true };
  }

  /** The paths of this session's ephemerals, sorted. */
  async ephemerals(prefix?: string, options: CallOptions = {}): Promise<readonly string[]> {
    const paths: string[] = [];
    for (let after: string | undefined; ; after = paths[paths.length - 1]) {
      const reply = await this.#read({ op: "ephemerals", prefix, after, limit: pageItems }, options);
      paths.push(...reply.paths!);
      if (reply.more !== true) return paths;
    }
  }

  /** The quotas that this session may read, by path, and what is used of each. They are set as znodes below `/copse/quota`. */
  async quotas(options: CallOptions = {}): Promise<readonly ShownQuota[]> {
    return ((await this.#read({ op: "quotas" }, options)) as Reply & { quotas: readonly ShownQuota[] }).quotas;
  }

  /** The members, their roles and their state. */
  async ensemble(options: CallOptions = {}): Promise<ShownEnsemble> {
    const { id: _id, zxid: _zxid, ...rest } = await this.#read({ op: "ensemble" }, options);
    return rest as unknown as ShownEnsemble;
  }

  /** All sessions, by id, in pages; `connection` is null where it is another member's. @throws CopseError NO_AUTH without admin on `/` */
  sessions(options: PageOptions = {}): Promise<Page & { sessions: readonly ShownSession[] }> {
    return this.#page("sessions", options);
  }

  /** The queues of locks and elections, by path, in pages. @throws CopseError NO_AUTH without admin on `/` */
  queues(options: PageOptions = {}): Promise<Page & { queues: readonly ShownQueue[] }> {
    return this.#page("queues", options);
  }

  /** Who watches this very path on the member that answers. @throws CopseError NO_AUTH without admin on `/` */
  async watchers(path: string, options: CallOptions = {}): Promise<readonly ShownWatcher[]> {
    return ((await this.#read({ op: "watchers", path }, options)) as Reply & { watchers: readonly ShownWatcher[] }).watchers;
  }

  /**
   * Names below `path` that contain a text, upper and lower case alike, a page at a time; one page may hold none and still have more behind it.
   * @throws CopseError NO_AUTH without admin on `/`, NO_NODE
   */
  async search(path: string, contains: string, { after, limit, ...options }: PageOptions = {}): Promise<SearchPage> {
    const reply = (await this.#read({ op: "search", path, contains, after, limit }, options)) as Reply & SearchPage;
    return { paths: reply.paths, looked: reply.looked, after: reply.after ?? null };
  }

  /** The figures of the member that answers (SPEC I5). @throws CopseError NO_AUTH without admin on `/` */
  async stats(options: CallOptions = {}): Promise<MemberStats> {
    return ((await this.#read({ op: "stats" }, options)) as Reply & { stats: MemberStats }).stats;
  }

  /**
   * Changes who is a member; for admins. A new voter votes once it runs and has caught up. `force` (super alone) does it although too few of
   * the voters that stay are linked.
   * @throws CopseError NO_AUTH, BAD_VERSION, RECONFIG_IN_PROGRESS, NO_QUORUM_IN_NEW_CONFIG, BAD_ARGUMENTS
   */
  async reconfig(
    change: { add?: readonly MemberWanted[]; remove?: readonly string[]; version?: number; force?: boolean },
    options: WriteOptions = {},
  ): Promise<Record<string, unknown>> {
    const { id: _id, zxid: _zxid, ...rest } = await this.#write({ op: "reconfig", ...change }, options);
    return rest as Record<string, unknown>;
  }

  /**
   * Moves the state's time (ctime, mtime, TTLs) ahead to the wall clock of the member that answers, at once; for admins. Without it the time
   * runs a tenth faster until it meets the clock. It never goes back: a time that is ahead of the clock stays, and runs a tenth slower.
   * @returns the state's time after it, in milliseconds since the epoch
   * @throws CopseError NO_AUTH, UNAVAILABLE while a member is of a build that does not know this
   */
  async stepTime(options: WriteOptions = {}): Promise<number> {
    return ((await this.#write({ op: "stepTime" }, options)) as Reply & { time: number }).time;
  }

  async #page<T>(op: string, { after, limit, ...options }: PageOptions): Promise<Page & T> {
    const reply = await this.#read({ op, after, limit }, options);
    return { ...reply, more: reply.more === true } as unknown as Page & T;
  }

  #read(message: Record<string, unknown>, { linearizable, atLeast, ...options }: ReadOptions): Promise<Reply> {
    return this.#call({ ...message, linearizable, atLeast }, options, false);
  }

  #write(message: Record<string, unknown>, { guard, ...options }: WriteOptions): Promise<Reply> {
    return this.#call({ ...message, guard }, options, true);
  }
}

function znodeOf({ data, data64, stat }: Partial<Reply>): Znode {
  return { data: data ?? null, bytes: data64 === undefined ? null : decodeBase64(data64), stat: stat! };
}

function readResult({ op, path }: ReadOp, result: Partial<Reply>): ReadResult<ReadOp> {
  if (result.error !== undefined) return new CopseError(result.error.code, result.error.message, { path });
  if (op === "get") return znodeOf(result);
  if (op === "exists") return { stat: result.stat ?? null };
  return { children: [...(result.children as string[])], stat: result.stat!, more: result.more === true };
}

function encodeData(data: Data): { data?: string; data64?: string } {
  if (data === null) return {};
  return typeof data === "string" ? { data } : { data64: encodeBase64(data) };
}
