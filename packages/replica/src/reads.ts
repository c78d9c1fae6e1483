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
  isWithin,
  type Read,
  type Refusal,
  refuse,
  type SingleRead,
  serverFrameBytesMax,
  utf8Length,
} from "@copse/protocol";
import { type Caller, mayDo, type QuotaUse, quotaPath, shownItems, statOf, type Tree, type Znode } from "@copse/tree";
import { answerInspection, type Inspected } from "./inspection.ts";
import type { StatTexts } from "./stat-texts.ts";

/** Who reads, and what a read may touch besides the tree. */
export interface Reader {
  readonly caller: Caller;
  readonly stats: StatTexts;
  readonly session: string | null;
  /** Leaves a one-shot watch; false where there is no room. */
  watch(path: string, kind: "data" | "child"): boolean;
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
  for (const [path, kind] of wanted) if (!reader.watch(path, kind)) return noRoom(path);
  return members;
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
      for (const single of read.ops) {
        const members = answerSingle(tree, single, reader, wanted);
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
      return `,"acl":${JSON.stringify(shownItems(znode.acl, reader.caller))},"stat":${encodeStat(statOf(znode))}`;
    }
    case "count": {
      const znode = readable(tree, read.path, reader);
      return isRefusal(znode) ? znode : `,"count":${znode.descendants}`;
    }
    case "ephemerals": {
      const session = reader.session === null ? undefined : tree.sessions.get(reader.session);
      const paths = session === undefined ? [] : [...session.ephemerals.after(null)];
      const inPrefix = paths.filter((path) => path.startsWith(read.prefix) || isWithin(path, read.prefix));
      return `,"paths":${JSON.stringify(inPrefix)}`;
    }
    case "whoami": {
      const { identities, address } = reader.caller;
      return `,"identities":${JSON.stringify(address === "" ? identities : [...identities, { scheme: "ip", id: address }])}`;
    }
    case "quotas":
      return `,"quotas":${JSON.stringify(
        tree.quotas
          .all()
          .filter(({ path }) => mayRead(tree, quotaPath(path), reader))
          .map(shownQuota),
      )}`;
    case "ensemble":
      return reader.ensemble();
    case "sessions":
    case "queues":
    case "watchers":
    case "search":
    case "stats":
      return answerInspection(tree, read, reader.caller, reader.inspected);
    case "sync":
      return "";
  }
}

/** Notes in `wanted` the watch that a success leaves. */
function answerSingle(tree: Tree, read: SingleRead, reader: Reader, wanted: WatchWanted[]): string | Refusal {
  const { path } = read;
  const znode = tree.find(path);
  if (znode === undefined && read.op !== "exists") return noNode(path);
  if (znode !== undefined && !mayDo(znode.acl, "read", reader.caller)) return noAuth(path);
  if (read.watch) wanted.push([path, read.op === "children" ? "child" : "data"]);
  if (znode === undefined) return ',"stat":null';
  const stat = `,"stat":${reader.stats.of(path, znode)}`;
  if (read.op === "exists") return stat;
  if (read.op === "get") return encodeValue(znode.value) + stat;
  return encodeChildren(znode, read, stat);
}

function encodeChildren(znode: Znode, { after, limit, stats, path }: Children, stat: string): string | Refusal {
  const items: string[] = [];
  let units = 0;
  for (const child of znode.children?.after(after) ?? []) {
    if (limit !== null && items.length >= limit) return `,"children":[${items.join(",")}]${stat},"more":true`;
    const name = JSON.stringify(child.name);
    const item = stats ? `{"name":${name},"stat":${encodeStat(statOf(child))}}` : name;
    units += item.length + 1;
    if (units > serverFrameBytesMax) return refuse("TOO_LARGE", "too many children for one reply; ask for pages", path);
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

function noRoom(path: string): Refusal {
  return refuse("QUOTA_EXCEEDED", "the connection has no room for another watch", path);
}
