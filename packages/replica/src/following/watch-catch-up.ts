/**
 * restoreWatches: what a connection's watches missed while it was away, then the watches themselves.
 *
 * One-shot watches are judged by the present state, as in ZooKeeper: fired where it has moved past `since`, armed where
 * not. Persistent and recursive watches are given the events of the history, or told to resync where it does not reach
 * back. Invariant: the events leave in zxid order, one for each op and path, before the reply.
 */
import { chunk, encodeWatchEvent, parentOf, type Refusal, type RestoreWatches, type WatchEventKind, type WatchKind } from "@copse/protocol";
import { type Acl, PathTrie, type Tree, type Znode } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";
import type { Happened, History } from "./history.ts";
import type { Sight } from "./sight.ts";
import type { WatchTable } from "./watch-table.ts";

interface Missed {
  readonly zxid: number;
  readonly event: WatchEventKind | "resync";
  readonly path: string;
  readonly ops: Set<number>;
}

/** Restores the watches of one request; a refusal leaves none of them armed that were not before. */
export function restoreWatches(
  request: RestoreWatches,
  connection: Connection,
  state: { readonly tree: Tree; readonly history: History; readonly watches: WatchTable; readonly sight: Sight },
): Refusal | null {
  const { tree, history, watches } = state;
  const asked: [WatchKind, readonly string[]][] = [
    ["data", [...request.data, ...request.exist]],
    ["child", request.child],
    ["persistent", request.persistent],
    ["recursive", request.recursive],
  ];
  const refusal = watches.refusal(
    connection,
    asked.flatMap(([kind, paths]) => paths.map((path) => [path, kind] as const)),
  );
  if (refusal !== null) return refusal;
  const happened = history.since(request.since);
  const missed = new MissedEvents(connection, happened, tree.zxid, state.sight);
  const { since } = request;
  const armed: [string, WatchKind][] = [];
  /** With whether there was no such znode at `since`. */
  const withheld: [string, WatchKind, boolean][] = [];
  const judge = (path: string, kind: WatchKind, verdict: (znode: Znode | undefined) => WatchEventKind | null): void => {
    const znode = tree.find(path);
    const event = verdict(znode);
    const { caller } = connection;
    const isHidden = znode === undefined ? !state.sight.isShown(path, caller) : !state.sight.mayRead(path, znode.acl, caller);
    if (event !== null && isHidden) withheld.push([path, kind, znode?.czxid === undefined || znode.czxid > since]);
    if (event === null || isHidden) armed.push([path, kind]);
    else if (event === "deleted") missed.addDeletion(path);
    else missed.add(event === "created" ? znode!.czxid : event === "changed" ? znode!.mzxid : znode!.pzxid, event, path, znode!.acl);
  };
  for (const path of request.data) judge(path, "data", (z) => (z === undefined ? "deleted" : z.mzxid > since ? "changed" : null));
  for (const path of request.exist) judge(path, "data", (z) => (z === undefined ? null : "created"));
  for (const path of request.child) judge(path, "child", (z) => (z === undefined ? "deleted" : z.pzxid > since ? "childrenChanged" : null));
  missed.replay(new Set(request.persistent), new Set(request.recursive));
  for (const path of request.persistent) armed.push([path, "persistent"]);
  for (const path of request.recursive) armed.push([path, "recursive"]);
  missed.send();
  for (const [path, kind] of armed) watches.add(connection, path, kind);
  for (const [path, kind, wasMissing] of withheld) watches.withhold(connection, path, kind, wasMissing ? "created" : "changed", since + 1);
  return null;
}

interface Deletion {
  readonly zxid: number;
  readonly op: number;
  readonly acl: Acl;
}

function newestDeletions(happened: readonly Happened[]): Map<string, Deletion> {
  const deletions = new Map<string, Deletion>();
  for (const { zxid, changes } of happened) {
    for (const [op, { kind, path, acl }] of changes.entries()) if (kind === "deleted") deletions.set(path, { zxid, op, acl });
  }
  return deletions;
}

class MissedEvents {
  readonly #connection: Connection;
  readonly #happened: readonly Happened[] | null;
  readonly #newest: number;
  readonly #sight: Sight;
  readonly #events: Map<string, Missed> = new Map();
  #deletions: Map<string, Deletion> | null = null;

  constructor(connection: Connection, happened: readonly Happened[] | null, newest: number, sight: Sight) {
    this.#sight = sight;
    this.#connection = connection;
    this.#happened = happened;
    this.#newest = newest;
  }

  /**
   * Notes an event once.
   * @param op which change of the zxid it was (two ops of one multi give two events), or -1 where the state tells no op
   */
  add(zxid: number, event: Missed["event"], path: string, acl: Acl | null, op = -1): void {
    const { caller } = this.#connection;
    if (acl === null ? !this.#sight.isShown(path, caller) : !this.#sight.mayRead(path, acl, caller)) return;
    const what = `${zxid} ${event} ${path}`;
    const ops = this.#events.get(what);
    if (ops === undefined) this.#events.set(what, { zxid, event, path, ops: new Set([op]) });
    else if (op >= 0) {
      ops.ops.delete(-1);
      ops.ops.add(op);
    }
  }

  /** A znode that is gone: when it went, if the history still knows. */
  addDeletion(path: string): void {
    this.#deletions ??= newestDeletions(this.#happened ?? []);
    const known = this.#deletions.get(path);
    if (known === undefined) this.add(this.#newest, "deleted", path, null);
    else this.add(known.zxid, "deleted", path, known.acl, known.op);
  }

  /** What watches that stay have missed: one walk through the history for all of them. */
  replay(persistent: ReadonlySet<string>, recursive: ReadonlySet<string>): void {
    if (this.#happened === null) {
      for (const path of [...persistent, ...recursive]) this.add(this.#newest, "resync", path, null);
      return;
    }
    if (persistent.size + recursive.size === 0) return;
    const tops = new PathTrie<true>();
    for (const path of recursive) tops.set(path, true);
    for (const { zxid, changes } of this.#happened) {
      for (const [op, { kind, path, acl, parentAcl }] of changes.entries()) {
        if (kind === "acl" || kind === "children") continue;
        if (persistent.has(path) || tops.hasOnWay(path)) this.add(zxid, kind, path, acl, op);
        const parent = parentOf(path);
        if (kind !== "changed" && parentAcl !== null && persistent.has(parent)) this.add(zxid, "childrenChanged", parent, parentAcl, op);
      }
    }
  }

  send(): void {
    const events = [...this.#events.values()].flatMap(({ ops, ...event }) => [...ops].map((op) => ({ ...event, op })));
    events.sort((left, right) => left.zxid - right.zxid || left.op - right.op || rankOf(left.event) - rankOf(right.event));
    for (const { zxid, event, path } of events) this.#connection.send(chunk(encodeWatchEvent(event, path, zxid)));
  }
}

/** Within one op the znode's own event stands before its parent's. */
function rankOf(event: Missed["event"]): number {
  return event === "childrenChanged" ? 1 : 0;
}
