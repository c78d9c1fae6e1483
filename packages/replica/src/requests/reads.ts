/**
 * Reads of the local state: what each answers.
 *
 * Invariant: a read sees one state, that of the zxid in its reply. A request that fails leaves no watch; `exists` on a
 * missing znode does not fail. A reply that would pass the frame limit is refused.
 */
import {
  type Children,
  encodeRefusal,
  encodeStat,
  encodeValue,
  isRefusal,
  type Read,
  type Refusal,
  refuse,
  type SingleRead,
  serverFrameBytesMax,
  utf8Length,
} from "@copse/protocol";
import {
  type Caller,
  configPath,
  mayDo,
  type QuotaUse,
  quotaPath,
  type SortedList,
  shownAcl,
  statOf,
  type Tree,
  type Znode,
} from "@copse/tree";
import { answerInspection, type Inspected } from "./inspection.ts";
import { publicValue, statBeside } from "./shown-config.ts";
import type { StatTexts } from "./stat-texts.ts";

/** Who reads, and what a read may touch besides the tree. */
export interface Reader {
  readonly caller: Caller;
  readonly stats: StatTexts;
  readonly session: string | null;
  /** True for who may ask what concerns the whole ensemble. */
  readonly isAdmin: boolean;
  /** True where strangers may come, and everyone may change what is below the root. */
  readonly isRootExposed: boolean;
  /** Leaves one-shot watches; none where they are refused. */
  watch(wanted: readonly WatchWanted[]): Refusal | null;
  /** The reply members of `ensemble`. */
  ensemble(): string;
  readonly inspected: Inspected;
}

type WatchWanted = readonly [path: string, kind: "data" | "child"];

/** The members of the result as JSON text, each with a comma before it, or why not. */
export function answerRead(tree: Tree, read: Read, reader: Reader): string | Refusal {
  const wanted: WatchWanted[] = [];
  const members = answer(tree, read, reader, wanted);
  if (typeof members !== "string") return members;
  if (members.length * 3 >= serverFrameBytesMax && utf8Length(members) >= serverFrameBytesMax - replyRestBytes) return tooLarge(read);
  return (wanted.length === 0 ? null : reader.watch(wanted)) ?? members;
}

/** Room for a reply's other members. */
const replyRestBytes = 4_096;

function tooLarge(read: Read): Refusal {
  return refuse("TOO_LARGE", `the reply is over ${serverFrameBytesMax} bytes; ask for less`, "path" in read ? read.path : undefined);
}

function answer(tree: Tree, read: Read, reader: Reader, wanted: WatchWanted[]): string | Refusal {
  switch (read.op) {
    case "get":
    case "exists":
    case "children":
      return answerSingle(tree, read, reader, wanted);
    case "read": {
      const results: string[] = [];
      let units = 0;
      const budget = new ListBudget();
      for (const single of read.ops) {
        const members = answerSingle(tree, single, reader, wanted, budget);
        if (typeof members !== "string" && members.code === "TOO_LARGE") return members;
        results.push(typeof members === "string" ? `{${members.slice(1)}}` : `{"error":${encodeRefusal(members)}}`);
        units += results[results.length - 1]!.length;
        if (units > serverFrameBytesMax) return tooLarge(read);
      }
      return `,"results":[${results.join(",")}]`;
    }
    case "getAcl": {
      const znode = tree.find(read.path);
      if (znode === undefined) return noNode(read.path);
      if (!mayDo(znode.acl, "read", reader.caller) && !mayDo(znode.acl, "admin", reader.caller)) return noAuth(read.path);
      return encodeAcl(znode, reader.caller);
    }
    case "count": {
      const znode = readable(tree, read.path, reader);
      return isRefusal(znode) ? znode : `,"count":${znode.descendants}`;
    }
    case "ephemerals": {
      const session = reader.session === null ? undefined : tree.sessions.get(reader.session);
      return page("paths", read, ownEphemerals(session?.ephemerals ?? null, read), (path) => JSON.stringify(path));
    }
    case "whoami": {
      const { identities, address } = reader.caller;
      const all = address === "" ? identities : [...identities, { scheme: "ip", id: address }];
      return `,"identities":${JSON.stringify(all)},"admin":${reader.isAdmin}${reader.isRootExposed ? ',"rootOpen":true' : ""}`;
    }
    case "quotas":
      return page("quotas", read, tree.quotas.after(read.after), (use) =>
        mayRead(tree, quotaPath(use.path), reader) ? JSON.stringify(shownQuota(use)) : null,
      );
    case "ensemble":
      return reader.ensemble();
    case "sessions":
    case "queues":
    case "watchers":
    case "search":
    case "stats":
      return reader.isAdmin
        ? answerInspection(tree, read, reader.inspected)
        : refuse("NO_AUTH", "needs the permission to administer the root", "/");
    case "sync":
      return "";
  }
}

/** Notes in `wanted` the watch that a success leaves. */
function answerSingle(
  tree: Tree,
  read: SingleRead,
  reader: Reader,
  wanted: WatchWanted[],
  budget: ListBudget = new ListBudget(),
): string | Refusal {
  const { path } = read;
  const znode = tree.find(path);
  if (znode === undefined && read.op !== "exists") return noNode(path);
  if (znode !== undefined && !mayDo(znode.acl, "read", reader.caller)) return noAuth(path);
  if (read.watch) wanted.push([path, read.op === "children" ? "child" : "data"]);
  if (znode === undefined) return ',"stat":null';
  if (path === configPath && !reader.isAdmin) return publicConfig(znode, read, budget);
  const stat = `,"stat":${reader.stats.of(path, znode)}`;
  if (read.op === "exists") return stat;
  if (read.op === "get") return encodeValue(znode.value) + stat;
  return encodeChildren(znode, read, stat, budget);
}

function publicConfig(znode: Znode, read: SingleRead, budget: ListBudget): string | Refusal {
  const value = publicValue(configPath, znode.value);
  const stat = `,"stat":${encodeStat(statBeside(statOf(znode), value))}`;
  if (read.op === "children") return encodeChildren(znode, read, stat, budget);
  return read.op === "get" ? encodeValue(value) + stat : stat;
}

function encodeAcl(znode: Znode, caller: Caller): string {
  const { items, defaultItems } = shownAcl(znode.acl, caller);
  const handedOn = defaultItems === null ? "" : `,"default":${JSON.stringify(defaultItems)}`;
  return `,"acl":${JSON.stringify(items)}${handedOn},"stat":${encodeStat(statOf(znode))}`;
}

/** This session's ephemerals whose paths begin with the prefix, behind the page before. */
function* ownEphemerals(paths: SortedList<string> | null, { prefix, after }: { prefix: string; after: string | null }): Generator<string> {
  if (paths === null) return;
  if (after === null && paths.get(prefix) !== undefined) yield prefix;
  for (const path of paths.after(after !== null && after > prefix ? after : prefix)) {
    if (!path.startsWith(prefix)) return;
    yield path;
  }
}

/** Items that one reply lists, and UTF-16 units of those of a page: what takes a few milliseconds to write. */
const listedMax = 100_000;
const pageUnits = 1_048_576;

/**
 * A list as far as one reply goes. With a limit it ends where that, or a page, is full, and says whether there is more; without one,
 * what is too large for one reply is refused.
 * @param encode null leaves an item out
 */
function page<T>(
  name: string,
  { op, limit }: { readonly op: string; readonly limit: number | null },
  all: Iterable<T>,
  encode: (item: T) => string | null,
): string | Refusal {
  const items: string[] = [];
  let units = 0;
  let looked = 0;
  for (const item of all) {
    const isFull = limit !== null && (items.length >= limit || units > pageUnits);
    if (isFull) return `,"${name}":[${items.join(",")}],"more":true`;
    if (++looked > listedMax || units > serverFrameBytesMax) return refuse("TOO_LARGE", `${op}: too much for one reply; ask for pages`);
    const text = encode(item);
    if (text === null) continue;
    items.push(text);
    units += text.length + 1;
  }
  return `,"${name}":[${items.join(",")}]`;
}

/** What one request may list: each name takes one, each name with its stat ten. */
class ListBudget {
  left = listedMax;
}

/** UTF-16 units of a page of children. */
const childrenUnits = 2_097_152;
/** What a stat costs, beside a name alone. */
const statCost = 10;

function encodeChildren(znode: Znode, { after, limit, stats, path }: Children, stat: string, budget: ListBudget): string | Refusal {
  const items: string[] = [];
  let units = 0;
  for (const child of znode.children?.after(after) ?? []) {
    const isSpent = budget.left <= 0 || units > (limit === null ? serverFrameBytesMax : childrenUnits);
    if (limit !== null && (items.length >= limit || isSpent)) return `,"children":[${items.join(",")}]${stat},"more":true`;
    if (isSpent) return refuse("TOO_LARGE", "too many children for one reply; ask for pages", path);
    const name = JSON.stringify(child.name);
    const item = stats ? `{"name":${name},"stat":${encodeStat(statOf(child))}}` : name;
    budget.left -= stats ? statCost : 1;
    units += item.length + 1;
    items.push(item);
  }
  return `,"children":[${items.join(",")}]${stat}`;
}

function readable(tree: Tree, path: string, reader: Reader): Znode | Refusal {
  const znode = tree.find(path);
  if (znode === undefined) return noNode(path);
  return mayDo(znode.acl, "read", reader.caller) ? znode : noAuth(path);
}

function mayRead(tree: Tree, path: string, { caller }: Reader): boolean {
  const znode = tree.find(path);
  return znode !== undefined && mayDo(znode.acl, "read", caller);
}

function shownQuota({ path, quota, used }: QuotaUse): object {
  return { path, ...Object.fromEntries(Object.entries(quota).filter(([, bound]) => bound !== null)), used };
}

function noNode(path: string): Refusal {
  return refuse("NO_NODE", "the znode does not exist", path);
}

function noAuth(path: string): Refusal {
  return refuse("NO_AUTH", "needs the permission to read", path);
}
