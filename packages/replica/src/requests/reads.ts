/**
 * Reads of the local state: what each answers.
 *
 * Invariant: a read sees one state, that of the zxid in its reply. A request that fails leaves no watch; `exists` on a
 * missing znode does not fail. A reply that would pass the frame limit is refused.
 */
import {
  type Children,
  encodeStat,
  type Fields,
  isRefusal,
  joinPath,
  type PageWriter,
  type Read,
  type Refusal,
  type Results,
  refuse,
  reservedRoot,
  type ShownQuota,
  type SingleRead,
  type StatText,
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
import { publicValue, statBeside } from "../ensemble/shown-config.ts";
import { explain } from "./explain.ts";
import { answerInspection } from "./inspection.ts";
import { mayReadAcl, type Reader, type WatchWanted } from "./reader.ts";

/** What is answered from the state alone. */
type AnsweredRead = Exclude<Read, { readonly op: "snapshot" }>;

/** The result as the reader's wire writes it, or why not. */
export function answerRead(tree: Tree, read: AnsweredRead, reader: Reader): Fields | Refusal {
  const wanted: WatchWanted[] = [];
  const fields = answer(tree, read, reader, wanted);
  if (typeof fields !== "string") return fields;
  if (fields.length * 3 >= serverFrameBytesMax && utf8Length(fields) >= serverFrameBytesMax - replyRestBytes) return tooLarge(read);
  return (wanted.length === 0 ? null : reader.watch(wanted)) ?? fields;
}

/** Room for a reply's other fields. */
const replyRestBytes = 4_096;

function tooLarge(read: Read): Refusal {
  return refuse("TOO_LARGE", `the reply is over ${serverFrameBytesMax} bytes; ask for less`, "path" in read ? read.path : undefined);
}

function answer(tree: Tree, read: AnsweredRead, reader: Reader, wanted: WatchWanted[]): Fields | Refusal {
  const { replies } = reader;
  switch (read.op) {
    case "get":
    case "exists":
    case "children":
      return answerSingle(tree, read, reader, wanted);
    case "read": {
      const results = replies.read();
      const budget = new ListBudget();
      for (const single of read.ops) {
        const fields = answerSingle(tree, single, reader, wanted, budget);
        if (typeof fields === "string") results.add(fields);
        else if (fields.code === "TOO_LARGE") return fields;
        else results.addRefusal(fields);
        if (results.units > serverFrameBytesMax) return tooLarge(read);
      }
      return results.end();
    }
    case "getAcl": {
      const znode = tree.find(read.path);
      const isShown = reader.sight.isShown(read.path, reader.caller);
      if (!isShown && tree.rules?.grants(read.path, "admin", reader.caller) !== true) return noAuth(read.path);
      if (znode === undefined) return noNode(read.path);
      if (!mayReadAcl(tree, znode, read.path, reader)) return noAuth(read.path);
      return replies.result("getAcl", aclResult(znode, reader.caller));
    }
    case "count": {
      if (tree.rules?.grantsReadBelow(read.path, reader.caller) === false) return noAuth(read.path);
      const znode = readable(tree, read.path, reader);
      return isRefusal(znode) ? znode : replies.result("count", { count: znode.descendants });
    }
    case "ephemerals": {
      const session = reader.session === null ? undefined : tree.sessions.get(reader.session);
      return page(replies.page("paths"), read, ownEphemerals(session?.ephemerals ?? null, read), (path) => path);
    }
    case "whoami": {
      const { identities, address } = reader.caller;
      const all = address === "" ? identities : [...identities, { scheme: "ip", id: address }];
      const exposed = reader.isRootExposed ? ({ rootOpen: true } as const) : {};
      const ends = reader.expiresAt === null ? {} : { expiresAt: reader.expiresAt };
      return replies.result("whoami", { identities: all, admin: reader.isAdmin, ...exposed, ...ends });
    }
    case "quotas":
      return page(replies.page("quotas"), read, tree.quotas.after(read.after), (use) =>
        mayRead(tree, quotaPath(use.path), reader) ? shownQuota(use) : null,
      );
    case "ensemble":
      return replies.result("ensemble", reader.ensemble());
    case "sessions":
    case "queues":
    case "watchers":
    case "search":
    case "stats":
    case "revoked":
      return reader.isAdmin
        ? answerInspection(tree, read, reader, replies)
        : refuse("NO_AUTH", "needs the permission to administer the root", "/");
    case "explain":
      return explain(tree, read, reader);
    case "sync":
      return replies.result("sync", {});
  }
}

/** Notes in `wanted` the watch that a success leaves. */
function answerSingle(
  tree: Tree,
  read: SingleRead,
  reader: Reader,
  wanted: WatchWanted[],
  budget: ListBudget = new ListBudget(),
): Fields | Refusal {
  const { path } = read;
  const { replies } = reader;
  if (!reader.sight.isShown(path, reader.caller)) return noAuth(path);
  const znode = tree.find(path);
  if (znode === undefined && read.op !== "exists") return noNode(path);
  if (znode !== undefined && !mayDo(znode.acl, "read", reader.caller)) return noAuth(path);
  if (read.watch) wanted.push([path, read.op === "children" ? "child" : "data"]);
  if (znode === undefined) return replies.exists(null);
  if (path === configPath) return answerConfig(tree, znode, read, reader, budget);
  const stat = reader.stats.of(path, znode);
  if (read.op === "exists") return replies.exists(stat);
  if (read.op === "get") return replies.get(znode.value, stat);
  return listChildren(tree, znode, read, stat, reader, budget);
}

/** Beside the configuration stands where edges take clients: they are in no znode. */
function answerConfig(tree: Tree, znode: Znode, read: SingleRead, reader: Reader, budget: ListBudget): Fields | Refusal {
  const { replies } = reader;
  const value = reader.isAdmin ? znode.value : publicValue(configPath, znode.value);
  const stat = encodeStat(statBeside(statOf(znode), value));
  if (read.op === "children") return listChildren(tree, znode, read, stat, reader, budget);
  return read.op === "get" ? replies.get(value, stat, reader.edgeUrls) : replies.exists(stat);
}

function aclResult(znode: Znode, caller: Caller): Results["getAcl"] {
  const { items, defaultItems } = shownAcl(znode.acl, caller);
  const counted = znode.creations > 0 ? { counter: znode.creations } : {};
  const handedOn = defaultItems === null ? {} : { default: defaultItems };
  return { acl: items, ...handedOn, ...counted, stat: statOf(znode) };
}

/** This session's ephemerals whose paths begin with the prefix, after the page before. */
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
 * @param shown null leaves an item out
 */
function page<T>(
  items: PageWriter,
  { op, limit }: { readonly op: string; readonly limit: number | null },
  all: Iterable<T>,
  shown: (item: T) => unknown,
): Fields | Refusal {
  let looked = 0;
  for (const item of all) {
    if (limit !== null && (items.count >= limit || items.units > pageUnits)) return items.end(true);
    if (++looked > listedMax || items.units > serverFrameBytesMax)
      return refuse("TOO_LARGE", `${op}: too much for one reply; ask for pages`);
    const one = shown(item);
    if (one !== null) items.add(one);
  }
  return items.end(false);
}

/** What one request may list: each name takes one, each name with its stat ten. */
class ListBudget {
  left = listedMax;
}

/** UTF-16 units of a page of children. */
const childrenUnits = 2_097_152;
/** What a stat costs, and a look at the rules, beside a name alone. */
const statCost = 10;
const ruleCost = 5;

/** What rules hide is looked at all the same: a page may end without a name, and says where the next one begins. */
function listChildren(
  { rules }: Tree,
  znode: Znode,
  { after, limit, stats, path }: Children,
  stat: StatText,
  { replies, sight, caller }: Reader,
  budget: ListBudget,
): Fields | Refusal {
  const list = replies.children();
  const isFiltered = rules !== null || path === reservedRoot;
  let looked = after;
  for (const child of znode.children?.after(after) ?? []) {
    const isSpent = budget.left <= 0 || list.units > (limit === null ? serverFrameBytesMax : childrenUnits);
    if (limit !== null && (list.count >= limit || isSpent)) return list.end(stat, true, isFiltered ? looked : null);
    if (isSpent) return refuse("TOO_LARGE", "too many children for one reply; ask for pages", path);
    budget.left -= stats ? statCost : isFiltered ? ruleCost : 1;
    looked = child.name;
    if (isFiltered && !sight.isShown(joinPath(path, child.name), caller)) continue;
    if (stats) list.add(child.name, statOf(child));
    else list.add(child.name);
  }
  return list.end(stat, false);
}

function readable(tree: Tree, path: string, { sight, caller }: Reader): Znode | Refusal {
  if (!sight.isShown(path, caller)) return noAuth(path);
  const znode = tree.find(path);
  if (znode === undefined) return noNode(path);
  return mayDo(znode.acl, "read", caller) ? znode : noAuth(path);
}

function mayRead(tree: Tree, path: string, { sight, caller }: Reader): boolean {
  const znode = tree.find(path);
  return znode !== undefined && sight.mayRead(path, znode.acl, caller);
}

function shownQuota({ path, quota, used }: QuotaUse): ShownQuota {
  return { path, ...Object.fromEntries(Object.entries(quota).filter(([, bound]) => bound !== null)), used };
}

function noNode(path: string): Refusal {
  return refuse("NO_NODE", "the znode does not exist", path);
}

function noAuth(path: string): Refusal {
  return refuse("NO_AUTH", "needs the permission to read", path);
}
