/**
 * Watches: which connections watch which path, and what each change tells them (ZooKeeper's rules, SPEC.md).
 *
 * Data watches (left by get and exists) and child watches fire once; persistent and recursive ones stay. Invariants: one
 * connection gets one event for each op of a txn and path, however many of its watches match; an event is withheld from connections that
 * may not read the znode (for a parent's event, the parent), and their watches stay (`WithheldEvents`). Watches belong to connections,
 * never to sessions.
 */
import {
  chunk,
  encodeWatchEvent,
  parentOf,
  type Refusal,
  refuse,
  rulesPath,
  type WatchEventKind,
  type WatchKind,
  watchKinds,
} from "@copse/protocol";
import { type Acl, type Change, mayDo, PathTrie, ShardedMap, type Tree } from "@copse/tree";
import type { Budgets } from "../connections/budgets.ts";
import type { Connection } from "../connections/connection.ts";
import type { Sight } from "./sight.ts";
import { eventSince, WithheldEvents } from "./withheld.ts";

type Watchers = Map<Connection, number>;

/** The connections that watch the subtree of a path. */
interface Subtree {
  readonly path: string;
  readonly connections: Set<Connection>;
}

/** By paths of watches that stay: the ACLs of the znodes whose changes they miss. */
type Missed = Map<string, Set<Acl>>;

const bit: Record<WatchKind, number> = { data: 1, child: 2, persistent: 4, recursive: 8 };

/**
 * Events of one txn: as many as a recursive delete of the largest size makes for two watchers. Past it watches that stay are told
 * `resync` once, so a txn costs no more than its changes and its watchers, not their product.
 */
const eventsMax = 250_000;
/** ACLs that are asked for one path whether a watcher may know; where there are more, it is told. */
const aclsMax = 64;
/** Bytes that a connection's watches of one path are weighed with, beside the path, and those that a recursive one is more. */
const watchBytes = 300;
const subtreeBytes = 500;
/** Watches of closed connections that go in one turn. */
const goneMax = 4_096;

export class WatchTable {
  readonly #byPath: ShardedMap<Watchers> = new ShardedMap();
  readonly #byConnection: Map<Connection, Set<string>> = new Map();
  /** Those of recursive watches, once more: found on the way down to what has changed. */
  readonly #recursive: PathTrie<Subtree> = new PathTrie();
  /** Closed connections with many watches: they go in slices. */
  readonly #leaving: Set<Connection> = new Set();
  readonly #withheld: WithheldEvents = new WithheldEvents();
  readonly #tree: Tree;
  readonly #sight: Sight;
  readonly #budgets: Budgets;
  readonly #watchesMax: number;
  #size = 0;

  /** @param watchesMax watches of one connection */
  constructor(tree: Tree, sight: Sight, budgets: Budgets, watchesMax: number) {
    this.#tree = tree;
    this.#sight = sight;
    this.#budgets = budgets;
    this.#watchesMax = watchesMax;
  }

  /** Watches of all connections. */
  get size(): number {
    return this.#size;
  }

  /** Why the connection may not have all of these, or null; to set one again takes no room. */
  refusal(connection: Connection, wanted: readonly (readonly [path: string, kind: WatchKind])[]): Refusal | null {
    let count = 0;
    let bytes = 0;
    for (const [path, kind] of wanted) {
      const kinds = this.#byPath.get(path)?.get(connection) ?? 0;
      if ((kinds & bit[kind]) !== 0) continue;
      count++;
      bytes += bytesOf(path, kinds | bit[kind]) - bytesOf(path, kinds);
    }
    if (count === 0) return null;
    if (connection.watches + count > this.#watchesMax) {
      return refuse("QUOTA_EXCEEDED", `a connection has at most ${this.#watchesMax} watches`);
    }
    const beyond = connection.holder?.refusal("watches", count) ?? null;
    if (beyond !== null) {
      this.#budgets.refused("watchesPerIdentity");
      return beyond;
    }
    return this.#budgets.refusalToFollow(connection.account, bytes);
  }

  /** Sets a watch that `refusal` has nothing against. */
  add(connection: Connection, path: string, kind: WatchKind): void {
    let watchers = this.#byPath.get(path);
    const kinds = watchers?.get(connection) ?? 0;
    if ((kinds & bit[kind]) !== 0) return;
    if (watchers === undefined) {
      watchers = new Map();
      this.#byPath.set(path, watchers);
    }
    watchers.set(connection, kinds | bit[kind]);
    this.#weigh(connection, path, kinds, kinds | bit[kind]);
    if (kind === "recursive") this.#addRecursive(connection, path);
    const paths = this.#byConnection.get(connection);
    if (paths === undefined) this.#byConnection.set(connection, new Set([path]));
    else paths.add(path);
    this.#count(connection, bit[kind], 1);
  }

  /** Removes one kind of watch, or all on the path for null; false if there was none. */
  remove(connection: Connection, path: string, kind: WatchKind | null): boolean {
    const kinds = this.#byPath.get(path)?.get(connection) ?? 0;
    const gone = kind === null ? kinds : kinds & bit[kind];
    if (gone === 0) return false;
    this.#drop(connection, path, gone);
    return true;
  }

  /** The connections that watch this very path, and how: at most this many. */
  watchersOf(path: string, most: number): (readonly [Connection, WatchKind[]])[] {
    const found: (readonly [Connection, WatchKind[]])[] = [];
    for (const [connection, bits] of this.#byPath.get(path) ?? []) {
      if (found.length >= most) break;
      found.push([connection, kindsOf(bits)]);
    }
    return found;
  }

  /** The connection is closed: its watches go with it. Many go in slices: what they fire meanwhile reaches nobody. */
  forget(connection: Connection): void {
    if (this.#byConnection.has(connection)) this.#leaving.add(connection);
    this.work();
  }

  /** True while watches of closed connections are still to go. */
  get hasWork(): boolean {
    return this.#leaving.size > 0;
  }

  /** Lets some of the watches of closed connections go. */
  work(): void {
    let gone = 0;
    for (const connection of this.#leaving) {
      for (const path of this.#byConnection.get(connection) ?? []) {
        if (gone++ >= goneMax) return;
        this.remove(connection, path, null);
      }
      this.#leaving.delete(connection);
    }
  }

  /** Sends the events of one txn's changes, in the order of its ops. */
  fire(changes: readonly Change[], zxid: number): void {
    if (this.#size === 0) return;
    this.#fire(changes, zxid);
    if (!this.#withheld.isEmpty) this.#lookForReturned(changes);
  }

  /** The connection has other identities: what was withheld from it may be told. */
  identitiesChanged(connection: Connection): void {
    if (this.#withheld.isEmpty) return;
    for (const path of this.#withheld.pathsOf(connection)) this.#tellWithheld(connection, path);
  }

  /** A watch that stands was not told of an event of this zxid. */
  withhold(connection: Connection, path: string, kind: WatchKind, event: WatchEventKind, zxid: number): void {
    this.#withheld.add(connection, path, [kind], event, zxid);
  }

  /** Rules and ACLs may give back what they had taken. */
  #lookForReturned(changes: readonly Change[]): void {
    if (changes.some(({ path }) => path === rulesPath))
      for (const connection of [...this.#withheld.connections]) this.identitiesChanged(connection);
    for (const { kind, path } of changes) {
      if (kind !== "acl") continue;
      for (const connection of [...this.#withheld.connections]) {
        for (let at = path; ; at = parentOf(at)) {
          if (at === path || this.#withheld.get(connection, at)?.kinds.has("recursive") === true) this.#tellWithheld(connection, at);
          if (at === "/") break;
        }
      }
    }
  }

  #tellWithheld(connection: Connection, path: string): void {
    const entry = this.#withheld.get(connection, path);
    if (entry === undefined) return;
    const znode = this.#tree.find(path);
    const { caller } = connection;
    if (znode === undefined ? !this.#sight.isShown(path, caller) : !this.#sight.mayRead(path, znode.acl, caller)) return;
    const told = new Set<string>();
    for (const kind of [...entry.kinds]) {
      const found = eventSince(kind, entry, znode, this.#tree.zxid);
      this.#withheld.remove(connection, path, [kind]);
      if (found === null) continue;
      if (kind === "data" || kind === "child") this.#drop(connection, path, bit[kind]);
      const message = encodeWatchEvent(found.event, path, found.zxid);
      if (!told.has(message)) connection.send(chunk(message));
      told.add(message);
    }
  }

  #fire(changes: readonly Change[], zxid: number): void {
    if (changes.length * this.#byConnection.size * 2 > eventsMax && this.#hasMoreThan(eventsMax, changes)) {
      return this.#fireOnce(changes, zxid);
    }
    for (const change of changes) {
      if (change.kind === "acl" || change.kind === "children") continue;
      this.#fireOwn(change, change.kind, zxid);
      if (change.kind !== "changed" && change.parentAcl !== null) this.#fireChildren(parentOf(change.path), change.parentAcl, zxid);
    }
  }

  /** True if the changes make more events than so many. */
  #hasMoreThan(most: number, changes: readonly Change[]): boolean {
    let events = 0;
    for (const { kind, path } of changes) {
      if (kind === "acl" || kind === "children") continue;
      events += this.#byPath.get(path)?.size ?? 0;
      if (kind !== "changed") events += this.#byPath.get(parentOf(path))?.size ?? 0;
      this.#recursive.visitWay(path, ({ connections }) => {
        events += connections.size;
      });
      if (events > most) return true;
    }
    return false;
  }

  /**
   * As `fire`, for a txn with too many events: one-shot watches fire as ever, and each path with watches that stay gets one `resync`. One-shot
   * watches are gone once they have fired, so each path is walked through once.
   */
  #fireOnce(changes: readonly Change[], zxid: number): void {
    const persistent: Missed = new Map();
    const recursive: Missed = new Map();
    const fired = new Set<string>();
    const fire = (path: string, kinds: number, acl: Acl, event: WatchEventKind): void => {
      if (!this.#byPath.has(path)) return;
      miss(persistent, path, acl);
      const what = `${kinds} ${path}`;
      if (fired.has(what)) return;
      fired.add(what);
      this.#fireOneShot(path, kinds, acl, event, zxid);
    };
    for (const { kind, path, acl, parentAcl } of changes) {
      if (kind === "acl" || kind === "children") continue;
      fire(path, kind === "deleted" ? bit.data | bit.child : bit.data, acl, kind);
      this.#recursive.visitWay(path, (subtree) => miss(recursive, subtree.path, acl));
      if (kind !== "changed" && parentAcl !== null) fire(parentOf(path), bit.child, parentAcl, "childrenChanged");
    }
    for (const path of new Set([...persistent.keys(), ...recursive.keys()]))
      this.#resync(path, persistent.get(path), recursive.get(path), zxid);
  }

  #fireOneShot(path: string, fired: number, acl: Acl, event: WatchEventKind, zxid: number): void {
    const told = new Set<Connection>();
    for (const [connection, kinds] of this.#byPath.get(path)!) {
      if ((kinds & fired) === 0 || this.#withholds(connection, path, path, kinds & fired, acl, event, zxid)) continue;
      told.add(connection);
      this.#drop(connection, path, kinds & fired);
    }
    tell(told, event, path, zxid);
  }

  /** True where the connection may not read what has changed: its watches are not told, and stay. */
  #withholds(connection: Connection, watched: string, path: string, kinds: number, acl: Acl, event: WatchEventKind, zxid: number): boolean {
    if (this.#sight.mayRead(path, acl, connection.caller)) return false;
    this.#withheld.add(connection, watched, kindsOf(kinds), event, zxid);
    return true;
  }

  /** Tells the watches that stay on a path to look again, where they may read some of what has changed. */
  #resync(path: string, persistent: ReadonlySet<Acl> | undefined, recursive: ReadonlySet<Acl> | undefined, zxid: number): void {
    const message = chunk(encodeWatchEvent("resync", path, zxid));
    for (const [connection, kinds] of this.#byPath.get(path) ?? []) {
      const acls = [...(((kinds & bit.persistent) !== 0 && persistent) || []), ...(((kinds & bit.recursive) !== 0 && recursive) || [])];
      const isReadable = acls.length >= aclsMax || acls.some((acl) => mayDo(acl, "read", connection.caller));
      if (isReadable && this.#sight.isShown(path, connection.caller)) connection.send(message);
      else this.#withheld.add(connection, path, kindsOf(kinds & (bit.persistent | bit.recursive)), "resync", zxid);
    }
  }

  #fireOwn(change: Change, event: WatchEventKind, zxid: number): void {
    const { path, acl } = change;
    const watchers = this.#byPath.get(path);
    const told = new Set<Connection>();
    const fired = event === "deleted" ? bit.data | bit.child : bit.data;
    for (const [connection, kinds] of watchers ?? []) {
      const concerned = kinds & (fired | bit.persistent | bit.recursive);
      if (concerned === 0 || this.#withholds(connection, path, path, concerned, acl, event, zxid)) continue;
      told.add(connection);
      if ((kinds & fired) !== 0) this.#drop(connection, path, kinds & fired);
    }
    if (this.#recursive.size > 0) {
      this.#recursive.visitWay(path, ({ path: top, connections }) => {
        for (const connection of connections) {
          if (!told.has(connection) && !this.#withholds(connection, top, path, bit.recursive, acl, event, zxid)) told.add(connection);
        }
      });
    }
    tell(told, event, path, zxid);
  }

  #fireChildren(parent: string, acl: Acl, zxid: number): void {
    const told = new Set<Connection>();
    for (const [connection, kinds] of this.#byPath.get(parent) ?? []) {
      const concerned = kinds & (bit.child | bit.persistent);
      if (concerned === 0 || this.#withholds(connection, parent, parent, concerned, acl, "childrenChanged", zxid)) continue;
      told.add(connection);
      if ((kinds & bit.child) !== 0) this.#drop(connection, parent, bit.child);
    }
    tell(told, "childrenChanged", parent, zxid);
  }

  #drop(connection: Connection, path: string, gone: number): void {
    const watchers = this.#byPath.get(path)!;
    const kinds = watchers.get(connection)!;
    const left = kinds & ~gone;
    this.#weigh(connection, path, kinds, left);
    this.#count(connection, gone, -1);
    if (!this.#withheld.isEmpty) this.#withheld.remove(connection, path, kindsOf(gone));
    if ((gone & bit.recursive) !== 0) this.#removeRecursive(connection, path);
    if (left !== 0) {
      watchers.set(connection, left);
      return;
    }
    watchers.delete(connection);
    if (watchers.size === 0) this.#byPath.delete(path);
    const paths = this.#byConnection.get(connection)!;
    paths.delete(path);
    if (paths.size === 0) this.#byConnection.delete(connection);
  }

  #weigh(connection: Connection, path: string, before: number, after: number): void {
    this.#budgets.follow(connection.account, bytesOf(path, after) - bytesOf(path, before));
  }

  #count(connection: Connection, kinds: number, step: 1 | -1): void {
    for (let left = kinds; left !== 0; left &= left - 1) {
      connection.watches += step;
      if (connection.holder !== null) connection.holder.watches += step;
      this.#size += step;
    }
  }

  #addRecursive(connection: Connection, path: string): void {
    const subtree = this.#recursive.get(path);
    if (subtree === undefined) this.#recursive.set(path, { path, connections: new Set([connection]) });
    else subtree.connections.add(connection);
  }

  #removeRecursive(connection: Connection, path: string): void {
    const subtree = this.#recursive.get(path);
    subtree?.connections.delete(connection);
    if (subtree?.connections.size === 0) this.#recursive.delete(path);
  }
}

/** What a connection's watches of one path weigh; nothing where it has none. */
function bytesOf(path: string, kinds: number): number {
  if (kinds === 0) return 0;
  return watchBytes + path.length + ((kinds & bit.recursive) === 0 ? 0 : subtreeBytes + path.length);
}

function miss(missed: Missed, path: string, acl: Acl): void {
  const acls = missed.get(path);
  if (acls === undefined) missed.set(path, new Set([acl]));
  else if (acls.size < aclsMax) acls.add(acl);
}

function kindsOf(bits: number): WatchKind[] {
  return watchKinds.filter((kind) => (bits & bit[kind]) !== 0);
}

function tell(connections: ReadonlySet<Connection>, event: WatchEventKind, path: string, zxid: number): void {
  if (connections.size === 0) return;
  const message = chunk(encodeWatchEvent(event, path, zxid));
  for (const connection of connections) connection.send(message);
}
