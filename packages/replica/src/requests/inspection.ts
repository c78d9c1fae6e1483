/**
 * What operators ask: sessions, the queues of locks and elections, who watches what, where a name is, and this member's figures.
 *
 * Invariants: only admins are answered. Nothing secret is in an answer: no secrets of sessions, no data of znodes.
 * What is replicated is told of the whole ensemble, what belongs to connections of this member alone. A list comes in pages.
 */
import {
  type Fields,
  type Identity,
  type InspectionOp,
  joinPath,
  type Refusal,
  type ReplyWriter,
  refuse,
  type ShownChange,
  type ShownQueue,
  type ShownSession,
  type WatchKind,
} from "@copse/protocol";
import type { Caller, Session, Tree } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";
import type { Observed } from "../figures/observed.ts";
import type { Sight } from "../following/sight.ts";
import type { Queues } from "./queues.ts";
import { search } from "./search.ts";

/** What an inspection looks at besides the tree. */
export interface Inspected {
  readonly connections: () => Iterable<Connection>;
  readonly queues: Queues;
  /** What the client of a session calls itself, or "". */
  readonly nameOf: (session: string) => string;
  readonly subscriptionsOf: (connection: Connection) => number;
  readonly watchers: (path: string, most: number) => readonly (readonly [Connection, readonly WatchKind[]])[];
  readonly observed: Observed;
  /** On the member's clock, in milliseconds. */
  readonly now: () => number;
}

/** Items of one page, unless fewer are asked for. */
const pageItemsMax = 1_000;
/** Places that are listed in one reply, the first of each queue apart; how many there are is always told. */
const placesMax = 1_000;
/** What is answered, or why not. The caller is an admin. */
export function answerInspection(
  tree: Tree,
  op: InspectionOp,
  { inspected, sight, caller }: { readonly inspected: Inspected; readonly sight: Sight; readonly caller: Caller },
  replies: ReplyWriter,
): Fields | Refusal {
  const isShown = (path: string): boolean => sight.isShown(path, caller);
  switch (op.op) {
    case "sessions": {
      const { items, ...more } = shownSessions(tree, op, inspected);
      return replies.result("sessions", { sessions: items, total: tree.sessions.size, ...more });
    }
    case "queues": {
      const { items, ...more } = shownQueues(inspected, op, tree, isShown);
      return replies.result("queues", { queues: items, total: inspected.queues.size, ...more });
    }
    case "watchers": {
      const watching = inspected.watchers(op.path, Math.min(op.limit ?? pageItemsMax, pageItemsMax));
      const watchers = watching.map(([{ session, address }, kinds]) => ({ session: session?.id ?? null, address, kinds }));
      return replies.result("watchers", { watchers });
    }
    case "search": {
      if (!isShown(op.path)) return refuse("NO_AUTH", "needs the permission to read", op.path);
      if (tree.find(op.path) === undefined) return refuse("NO_NODE", "there is nothing to search", op.path);
      const { paths, looked, after } = search(tree, op, isShown);
      return replies.result("search", after === null ? { paths, looked } : { paths, looked, after });
    }
    case "stats":
      return replies.result("stats", {
        stats: inspected.observed.stats(),
        ...(op.history === null ? {} : { history: inspected.observed.history(op.history) }),
        ...(op.changes === null ? {} : { changes: shownChanges(op.changes, inspected, isShown) }),
      });
    case "revoked":
      return replies.result("revoked", { list: tree.revocations.all().map(({ identity, before, at }) => ({ identity, before, at })) });
  }
}

interface Paged {
  readonly after: string | null;
  readonly limit: number | null;
}

/** In the order of their ids; one more than the page holds, where there are more. */
function shownSessions(tree: Tree, paged: Paged, { connections, subscriptionsOf, now }: Inspected): Selected<ShownSession> {
  const here = new Map<string, Connection>();
  for (const connection of connections()) if (connection.session !== null) here.set(connection.session.id, connection);
  const shown = ({ id, timeoutMs, ephemerals, identities }: Session): ShownSession => {
    const connection = here.get(id);
    const named = identities.map((identity) => ({ scheme: identity.scheme, id: shownId(identity) }));
    const of = { id, timeout: timeoutMs, ephemerals: ephemerals.size, identities: named };
    if (connection === undefined) return { ...of, connection: null };
    const { address, name, openedAt, heardAt, watches, unsentBytes } = connection;
    const at = { address, ...(name === "" ? {} : { name }), ageMs: Math.round(now() - openedAt), silentMs: Math.round(now() - heardAt) };
    return { ...of, connection: { ...at, watches, subscriptions: subscriptionsOf(connection), queueBytes: unsentBytes } };
  };
  const { items, ...more } = selected(tree.sessions.values(), ({ id }) => id, paged);
  return { items: items.map(shown), ...more };
}

/** The newest of a page, oldest first. */
function shownChanges(after: number, { observed }: Inspected, isShown: (path: string) => boolean): readonly ShownChange[] {
  const shown = [...observed.recent.after(after)].filter(({ path }) => isShown(path));
  return shown.slice(-pageItemsMax).map(({ identities, name, units: _, ...change }) => {
    const shownIdentities = identities.map((identity) => ({ scheme: identity.scheme, id: shownId(identity) }));
    return { ...change, ...(name === "" ? {} : { name }), identities: shownIdentities };
  });
}

/** Without what a password hashes to; ids of tokens are shown whole. */
function shownId({ scheme, id }: Identity): string {
  return scheme === "digest" || scheme === "scrypt" ? id.split(":", 1)[0]! : id;
}

/** In the order of their paths; the places of each in their own order. */
function shownQueues(
  { queues, nameOf }: Inspected,
  { after, limit }: Paged,
  tree: Tree,
  isShown: (path: string) => boolean,
): Selected<ShownQueue> {
  const size = Math.min(limit ?? pageItemsMax, pageItemsMax);
  const items: ShownQueue[] = [];
  let room = placesMax;
  for (const { path, names } of queues.after(after)) {
    if (items.length === size) return { items, more: true };
    if (!isShown(path)) continue;
    const places: ShownQueue["places"][number][] = [];
    for (const name of names.after(null)) {
      if (places.length >= Math.max(1, room)) break;
      const znode = isShown(joinPath(path, name)) ? tree.find(joinPath(path, name)) : undefined;
      if (znode?.kind.owner == null) continue;
      const { owner: session } = znode.kind;
      const client = nameOf(session);
      places.push({ name, session, ...(client === "" ? {} : { client }), czxid: znode.czxid, ctime: znode.ctime });
    }
    room -= places.length;
    items.push({ path, size: names.size, places });
  }
  return { items };
}

interface Selected<T> {
  readonly items: readonly T[];
  readonly more?: true;
}

/** The first of a page, by key, without sorting what is not on it. */
function selected<T>(all: Iterable<T>, keyOf: (item: T) => string, { after, limit }: Paged): Selected<T> {
  const size = Math.min(limit ?? pageItemsMax, pageItemsMax);
  let kept: T[] = [];
  let hasMore = false;
  // Past this key nothing is on the page.
  let bound = null as string | null;
  const cut = (): void => {
    kept.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    if (kept.length <= size) return;
    hasMore = true;
    kept = kept.slice(0, size);
    bound = keyOf(kept[size - 1]!);
  };
  for (const item of all) {
    const key = keyOf(item);
    if (after !== null && key <= after) continue;
    if (bound !== null && key > bound) continue;
    kept.push(item);
    if (kept.length >= 4 * size) cut();
  }
  cut();
  return hasMore ? { items: kept, more: true } : { items: kept };
}
