/**
 * What a peer sends, checked before anything relies on it.
 *
 * Who answers at an endpoint need not be a copse server: a port may be forwarded elsewhere, a balancer may answer by itself. Invariants:
 * nothing of a frame reaches the client unless all of it has the shape of the protocol; members, events and kinds of change that are
 * not known are left out, as the protocol asks of clients.
 */
import type { Op, Reply, ReplyOf } from "@copse/protocol";

export type Message = Record<string, unknown>;
type Check = (value: unknown) => boolean;

const watchEvents: ReadonlySet<unknown> = new Set(["created", "deleted", "changed", "childrenChanged", "resync"]);
const changeKinds: ReadonlySet<unknown> = new Set(["created", "changed", "deleted", "acl", "children"]);
const statCounts = ["czxid", "mzxid", "pzxid", "ctime", "mtime", "version", "cversion", "aversion", "dataLength", "numChildren"] as const;
/** Bytes of the smallest frame in which a client can do anything. */
const frameBytesMin = 1_024;
/** The longest time that a host's timer can wait, in milliseconds. */
const timeoutMsMax = 2 ** 31 - 1;
/** Refusals of a connect that every attempt would get. */
export const lastingRefusals: ReadonlySet<string> = new Set([
  "AUTH_FAILED",
  "BAD_ARGUMENTS",
  "NO_AUTH",
  "QUOTA_EXCEEDED",
  "TOO_LARGE",
  "UNIMPLEMENTED",
]);
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The messages of a frame that are known here, or null where it is none of a copse server. */
export function messagesOf(text: string): readonly Message[] | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const messages = Array.isArray(parsed) ? parsed : [parsed];
  return messages.every(fits) ? messages.filter(isKnown) : null;
}

/** True if the reply is one to a connect. */
export function isConnectReply(reply: object): reply is ReplyOf<"connect"> {
  const { session, cluster, lastId, limits } = reply as Message;
  if (typeof cluster !== "string" || !isCount(lastId)) return false;
  if (!isAbsentOr(limits, areLimits) || !areProved(reply as Message)) return false;
  if (session === null) return true;
  if (!isObject(session) || typeof session["id"] !== "string" || typeof session["secret"] !== "string") return false;
  const { timeout } = session;
  return isCount(timeout) && timeout > 0 && timeout <= timeoutMsMax;
}

/** What a session has proved, and when the first of it ends. */
function areProved({ identities, expiresAt }: Message): boolean {
  const isIdentity: Check = (one) => isObject(one) && isText(one["scheme"]) && isText(one["id"]);
  return isAbsentOr(identities, (list) => isListOf(list, isIdentity)) && isAbsentOr(expiresAt, isCount);
}

function areLimits(limits: unknown): boolean {
  return isObject(limits) && isCount(limits["frameBytes"]) && limits["frameBytes"] >= frameBytesMin && isCount(limits["requests"]);
}

type ReplyCheck = (result: Message, request: Message) => boolean;

const isAnything: ReplyCheck = () => true;
const hasStat: ReplyCheck = ({ stat }) => isStat(stat);
const hasMembers: ReplyCheck = ({ members }) => isListOf(members, (member) => isObject(member) && isText(member["id"]));
const hasPaths: ReplyCheck = ({ paths }) => isListOf(paths, isText);
const hasResults: ReplyCheck = ({ results }, { ops }) => isResults(results, ops as readonly Message[]);

/** What the reply to each op has to hold: an op without an entry does not compile. */
const checks: Readonly<Record<Exclude<Op, "connect">, ReplyCheck>> = {
  create: ({ path, stat }) => isPath(path) && isStat(stat),
  set: hasStat,
  setAcl: hasStat,
  delete: isAnything,
  check: isAnything,
  multi: hasResults,
  reconfig: hasMembers,
  stepTime: ({ time }) => isCount(time),
  auth: areProved,
  get: (result) => isValue(result) && isStat(result["stat"]),
  exists: ({ stat }) => isAbsentOr(stat, isStat),
  children: ({ children, stat }, { stats }) => isListOf(children, stats === true ? isNamed : isText) && isStat(stat),
  read: hasResults,
  getAcl: ({ acl, default: handedOn, stat }) =>
    isListOf(acl, isObject) && isAbsentOr(handedOn, (list) => isListOf(list, isObject)) && isStat(stat),
  count: ({ count }) => isCount(count),
  ephemerals: hasPaths,
  whoami: ({ identities }) => isListOf(identities, isObject),
  quotas: ({ quotas }) => isListOf(quotas, isObject),
  ensemble: hasMembers,
  sync: isAnything,
  snapshot: ({ data64 }) => isText(data64),
  sessions: ({ sessions }) => isListOf(sessions, isObject),
  queues: ({ queues }) => isListOf(queues, isObject),
  watchers: ({ watchers }) => isListOf(watchers, isObject),
  search: hasPaths,
  stats: ({ stats }) => isObject(stats),
  logout: isAnything,
  revoke: isAnything,
  revoked: ({ list }) => isListOf(list, isObject),
  endSession: isAnything,
  explain: ({ allowed, because }) => typeof allowed === "boolean" && isText(because),
  subscribe: ({ sub, resumed, nodes }) => isCount(sub) && (resumed === true || isListOf(nodes, isNode)),
  addWatch: isAnything,
  removeWatch: isAnything,
  restoreWatches: isAnything,
  unsubscribe: isAnything,
  ping: isAnything,
  close: isAnything,
};

/** True if a reply without an error has what this request asks for. */
export function isReplyTo(request: Message, reply: Reply): boolean {
  return checks[request["op"] as keyof typeof checks](reply as unknown as Message, request);
}

/** The URLs that the znode of the configuration names, and those of edges beside it; none where they can't be read. */
export function memberUrls({ data, edges }: { readonly data?: unknown; readonly edges?: unknown }): readonly string[] {
  try {
    const { members } = JSON.parse(String(data)) as { members: readonly { url: unknown }[] };
    return [...members.map(({ url }) => url), ...((edges ?? []) as unknown[])].filter(isText);
  } catch {
    return [];
  }
}

/** True for a refused connect, beside a cluster or none. */
export function isConnectRefusal({ error, ...reply }: object & { readonly error?: unknown }): boolean {
  return isRefusal(error) && isAbsentOr((reply as Message)["cluster"], isText);
}

function fits(message: unknown): message is Message {
  if (!isObject(message)) return false;
  const { id, zxid, error, sub, event, path, change } = message;
  if (error === null) delete message["error"];
  if (zxid !== undefined && !isCount(zxid)) return false;
  if (id !== undefined) return isCount(id) && zxid !== undefined && isAbsentOr(error, isRefusal);
  if (sub !== undefined) {
    if (!isCount(sub) || zxid === undefined) return false;
    if (message["nodes"] !== undefined) return isListOf(message["nodes"], isNode);
    if (!changeKinds.has(change)) return isText(change);
    return isPath(path) && isValue(message) && (change === "deleted" || isStat(message["stat"]));
  }
  if (watchEvents.has(event)) return isPath(path) && zxid !== undefined;
  if (event === "auth") return isText(message["identity"]) && isCount(message["expiresAt"]);
  return isText(event);
}

function isKnown({ id, sub, nodes, change, event }: Message): boolean {
  if (id !== undefined) return true;
  if (sub !== undefined) return nodes !== undefined || changeKinds.has(change);
  return watchEvents.has(event) || event === "ping" || event === "session" || event === "auth";
}

function isResults(results: unknown, ops: readonly Message[]): boolean {
  if (!Array.isArray(results) || results.length !== ops.length) return false;
  return results.every(
    (result, at) =>
      isObject(result) &&
      (result["error"] === undefined ? checks[ops[at]!["op"] as keyof typeof checks]?.(result, ops[at]!) : isRefusal(result["error"])),
  );
}

function isNamed(child: unknown): boolean {
  return isObject(child) && isText(child["name"]) && isStat(child["stat"]);
}

function isNode(node: unknown): boolean {
  return isObject(node) && isPath(node["path"]) && isStat(node["stat"]) && isValue(node);
}

function isValue({ data, data64 }: Message): boolean {
  return isAbsentOr(data, isText) && isAbsentOr(data64, (text) => isText(text) && text.length % 4 === 0 && base64.test(text));
}

function isStat(stat: unknown): boolean {
  if (!isObject(stat)) return false;
  for (const count of statCounts) if (!Number.isSafeInteger(stat[count])) return false;
  return isAbsentOr(stat["ephemeralOwner"], isText);
}

function isRefusal(error: unknown): boolean {
  return isObject(error) && isText(error["code"]) && isText(error["message"]);
}

function isPath(path: unknown): boolean {
  return typeof path === "string" && path.startsWith("/");
}

function isText(text: unknown): text is string {
  return typeof text === "string";
}

/** A zxid, an id, or how many. */
function isCount(count: unknown): count is number {
  return Number.isSafeInteger(count) && (count as number) >= 0;
}

function isListOf(list: unknown, check: Check): boolean {
  return Array.isArray(list) && list.every(check);
}

/** An optional member that is null counts as absent. */
function isAbsentOr(value: unknown, check: Check): boolean {
  return value === undefined || value === null || check(value);
}

function isObject(value: unknown): value is Message {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
