/**
 * The operations on znodes and on the session as calls, one for one.
 *
 * Each rejects with a CopseError whose code is the protocol's. Calls are sent in the order in which they are made and
 * answered in that order. How a request travels is not known here.
 */
import type { Credential, Explanation, Identity, NamedStat, Op, ReplyOf, Results, Stat } from "@copse/protocol";
import { CopseError } from "../errors.ts";
import type { NodeDefinition } from "../following/node-schema.ts";
import type { AclItem, Permission } from "./acl.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import {
  type Asked,
  type Call,
  type CallOptions,
  type CreateOptions,
  type Data,
  type MultiOp,
  type MultiResult,
  type ReadOp,
  type ReadOptions,
  type ReadResult,
  traced,
  type WriteOptions,
  type Znode,
} from "./call.ts";
import { OperatorCalls } from "./operator-calls.ts";

/** Items of one page, where a list is read page by page. */
const pageItems = 10_000;

export class Operations extends OperatorCalls {
  readonly #call: Call;
  /** What znodes that this client creates get as their ACL, where a call says nothing else. */
  readonly acl: readonly AclItem[] | undefined;

  constructor(call: Call, acl: readonly AclItem[] | undefined) {
    const calls = traced(call);
    super(calls);
    this.#call = calls;
    this.acl = acl;
  }

  /**
   * Creates a znode.
   * @throws CopseError NODE_EXISTS, NO_NODE (the parent), NO_CHILDREN_FOR_EPHEMERALS …
   * @example const { path } = await copse.create("/app/jobs/job-", "resize", { sequential: true, parents: true });
   */
  async create(path: string, data: Data = null, options: CreateOptions = {}): Promise<{ path: string; stat: Stat }> {
    const { ephemeral, sequential, container, ttl, acl = this.acl, parents, counter, ...rest } = options;
    const kind = { ephemeral, sequential, container, ttl, acl, parents, counter };
    const reply = await this.#write({ op: "create", path, ...encodeData(data), ...kind }, rest);
    return { path: reply.path, stat: reply.stat };
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
   * @example
   * const { stat } = await copse.get("/app/title");
   * await copse.set("/app/title", "Hello again", { version: stat.version });
   */
  async set(path: string, data: Data, options?: WriteOptions & { version?: number }): Promise<Stat>;
  async set<T>(node: NodeDefinition<T>, value: T, options?: WriteOptions & { version?: number }): Promise<Stat>;
  async set(node: string | NodeDefinition<unknown>, data: unknown, options: WriteOptions & { version?: number } = {}): Promise<Stat> {
    const { version, ...rest } = options;
    const [path, text] = typeof node === "string" ? [node, data as Data] : [node.path, node.format(data)];
    return (await this.#write({ op: "set", path, ...encodeData(text), version }, rest)).stat;
  }

  /**
   * Deletes a znode; with `recursive` all below too. Gives how many went.
   * @throws CopseError NO_NODE, BAD_VERSION, NOT_EMPTY
   * @example
   * await copse.create("/app/old");
   * await copse.delete("/app/old", { recursive: true });
   */
  async delete(path: string, options: WriteOptions & { version?: number; recursive?: boolean } = {}): Promise<number> {
    const { version, recursive, ...rest } = options;
    return (await this.#write({ op: "delete", path, version, recursive }, rest)).deleted ?? 1;
  }

  /**
   * The stat of a znode, or null if there is none.
   * @example if ((await copse.exists("/app/title")) === null) await copse.create("/app/title", "Hello");
   */
  async exists(path: string, options: ReadOptions = {}): Promise<Stat | null> {
    return (await this.#read({ op: "exists", path }, options)).stat ?? null;
  }

  /**
   * The names of the children, sorted; `limit` pages through them: where there are `more`, the next page begins after `after`.
   * @throws CopseError NO_NODE
   * @example const { children, more } = await copse.children("/app", { limit: 100 });
   */
  async children(
    path: string,
    options: ReadOptions & { after?: string; limit?: number } = {},
  ): Promise<{ children: string[]; stat: Stat; more: boolean; after?: string }> {
    const { after, limit, ...rest } = options;
    const reply = await this.#read({ op: "children", path, after, limit }, rest);
    return { children: [...(reply.children as string[])], stat: reply.stat, ...nextPage(reply) };
  }

  /**
   * As `children`, each with its stat.
   * @example for (const { name, stat } of (await copse.childrenWithStats("/app")).children) console.log(name, stat.dataLength);
   */
  async childrenWithStats(
    path: string,
    options: ReadOptions & { after?: string; limit?: number } = {},
  ): Promise<{ children: NamedStat[]; stat: Stat; more: boolean; after?: string }> {
    const { after, limit, ...rest } = options;
    const reply = await this.#read({ op: "children", path, stats: true, after, limit }, rest);
    return { children: [...(reply.children as NamedStat[])], stat: reply.stat, ...nextPage(reply) };
  }

  /**
   * The number of all descendants.
   * @throws CopseError NO_NODE, NO_AUTH
   * @example const znodes = await copse.count("/app");
   */
  async count(path: string, options: ReadOptions = {}): Promise<number> {
    return (await this.#read({ op: "count", path }, options)).count;
  }

  /**
   * Who may do what with a znode. Without admin on it, what is made of passwords is masked. `counter` is the number that its next sequential
   * child gets.
   * @throws CopseError NO_NODE, NO_AUTH
   * @example const { acl } = await copse.getAcl("/app");
   */
  async getAcl(
    path: string,
    options: ReadOptions = {},
  ): Promise<{ acl: readonly AclItem[]; default?: readonly AclItem[]; counter: number; stat: Stat }> {
    const { counter = 0, ...reply } = await this.#read({ op: "getAcl", path }, options);
    const [acl, handedOn] = [reply.acl as readonly AclItem[], reply.default as readonly AclItem[] | undefined];
    return { acl, ...(handedOn === undefined ? {} : { default: handedOn }), counter, stat: reply.stat };
  }

  /**
   * Says who may do what; `version` is compared with the stat's `aversion`. `default` is what children created without an ACL get, and hand
   * on to theirs; an empty one takes it away.
   * @param acl null leaves the znode's own as it is
   * @throws CopseError INVALID_ACL, BAD_VERSION, NO_NODE, NO_AUTH
   * @example await copse.setAcl("/app", [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "world", id: "anyone" }]);
   */
  async setAcl(
    path: string,
    acl: readonly AclItem[] | null,
    options: WriteOptions & { version?: number; default?: readonly AclItem[] } = {},
  ): Promise<Stat> {
    const { version, default: handedOn, ...rest } = options;
    return (await this.#write({ op: "setAcl", path, acl: acl ?? undefined, default: handedOn, version }, rest)).stat;
  }

  /**
   * Does all the ops or none, in one txn.
   * @throws CopseError with the `index` of the op that failed
   * @example
   * await copse.multi([
   *   { op: "check", path: "/app", version: -1 },
   *   { op: "set", path: "/app/title", data: "Both or neither" },
   * ]);
   */
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

  /**
   * Reads several things of one moment. What can't be read is a CopseError in its place.
   * @example const [title, names] = await copse.read([{ op: "get", path: "/app/title" }, { op: "children", path: "/app" }]);
   */
  async read<const Ops extends readonly ReadOp[]>(
    ops: Ops,
    options: ReadOptions = {},
  ): Promise<{ -readonly [At in keyof Ops]: ReadResult<Ops[At]> }> {
    const { results } = await this.#read({ op: "read", ops }, options);
    return results.map((result, at) => readResult(ops[at]!, result)) as never;
  }

  /**
   * Resolves once the server has applied all that was committed before this call.
   * @example await copse.sync(); // what others have written before is read from here on
   */
  async sync(options: CallOptions = {}): Promise<void> {
    await this.#read({ op: "sync" }, options);
  }

  /**
   * Proves a credential to the session, for as long as it lives.
   * @throws CopseError AUTH_FAILED; the connection ends then
   * @example await copse.auth({ scheme: "digest", credential: "ann:secret" });
   */
  async auth(credential: Credential, options: CallOptions = {}): Promise<void> {
    await this.#write({ op: "auth", ...credential }, options);
  }

  /**
   * Drops all that the session has proved: what it may see is shown anew, and where the server demands a credential, the connection ends.
   * @example await copse.logout();
   */
  async logout(options: CallOptions = {}): Promise<void> {
    await this.#write({ op: "logout" }, options);
  }

  /**
   * Whether one may do something at a path, and why. `as` asks for others: identities as text, for admins.
   * @throws CopseError NO_AUTH where `as` is given by others than admins
   * @example const { allowed, because } = await copse.explain("/app/title", "write");
   */
  async explain(path: string, perm: Permission, { as, ...options }: CallOptions & { as?: readonly string[] } = {}): Promise<Explanation> {
    const { allowed, rules, acl, because } = await this.#read({ op: "explain", path, perm, as }, options);
    return { allowed, because, ...(rules === undefined ? {} : { rules }), ...(acl === undefined ? {} : { acl }) };
  }

  /**
   * The identities of this session, and the address it comes from. A wrong password of `digest` is no error: it is another identity.
   * @example const names = (await copse.whoami()).map(({ scheme, id }) => `${scheme}:${id}`);
   */
  async whoami(options: CallOptions = {}): Promise<readonly Identity[]> {
    return (await this.#read({ op: "whoami" }, options)).identities;
  }

  /**
   * Whether this session is an admin's, and whether everyone may change what is below the root although strangers may come.
   * @example const { isAdmin } = await copse.standing();
   */
  async standing(options: CallOptions = {}): Promise<{ isAdmin: boolean; isRootOpen: boolean }> {
    const { admin, rootOpen } = await this.#read({ op: "whoami" }, options);
    return { isAdmin: admin === true, isRootOpen: rootOpen === true };
  }

  /**
   * The paths of this session's ephemerals, sorted.
   * @example const own = await copse.ephemerals("/services");
   */
  async ephemerals(prefix?: string, options: CallOptions = {}): Promise<readonly string[]> {
    const paths: string[] = [];
    for (let after: string | undefined; ; after = paths[paths.length - 1]) {
      const reply = await this.#read({ op: "ephemerals", prefix, after, limit: pageItems }, options);
      paths.push(...reply.paths);
      if (reply.more !== true) return paths;
    }
  }

  #read<O extends Op>(message: Asked<O>, { linearizable, atLeast, ...options }: ReadOptions): Promise<ReplyOf<O>> {
    return this.#call({ ...message, linearizable, atLeast }, options, false);
  }

  #write<O extends Op>(message: Asked<O>, { guard, ...options }: WriteOptions): Promise<ReplyOf<O>> {
    return this.#call({ ...message, guard }, options, true);
  }
}

/** Where rules hide names, a page may be empty and still have more after it. */
function nextPage({ children, more, after }: Results["children"]): { readonly more: boolean; readonly after?: string } {
  if (more !== true) return { more: false };
  const last = children[children.length - 1];
  const next = after ?? (typeof last === "object" ? last.name : last);
  return next === undefined ? { more: true } : { more: true, after: next };
}

function znodeOf({ data, data64, stat }: Results["get"]): Znode {
  return { data: data ?? null, bytes: data64 === undefined ? null : decodeBase64(data64), stat };
}

function readResult({ op, path }: ReadOp, result: Results["read"]["results"][number]): ReadResult<ReadOp> {
  if ("error" in result) return new CopseError(result.error.code, result.error.message, { path });
  if (op === "get") return znodeOf(result as Results["get"]);
  if (op === "exists") return { stat: (result as Results["exists"]).stat ?? null };
  const { children, stat, more } = result as Results["children"];
  return { children: [...(children as string[])], stat, more: more === true };
}

function encodeData(data: Data): { data?: string; data64?: string } {
  if (data === null) return {};
  return typeof data === "string" ? { data } : { data64: encodeBase64(data) };
}
