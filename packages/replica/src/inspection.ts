/**
 * What operators ask: sessions, the queues of locks and elections, who watches what, and this member's figures.
 *
 * Invariants: only who may administer the root is answered. Nothing secret is in an answer: no secrets of sessions, no data of znodes.
 * What is replicated is told of the whole ensemble, what belongs to connections of this member alone. A list comes in pages.
 */
import { type Identity, type InspectionOp, type Refusal, refuse, type WatchKind } from "@copse/protocol";
import { type Caller, mayDo, type Session, type Tree } from "@copse/tree";
import type { Connection } from "./connection.ts";

/** What an inspection looks at besides the tree. */
export interface Inspected {
  readonly connections: () => Iterable<Connection>;
  readonly subscriptionsOf: (connection: Connection) => number;
  readonly watchers: (path: string) => readonly (readonly [Connection, readonly WatchKind[]])[];
  /** Numbers and names of this member, as JSON. */
  readonly stats: () => object;
  /** On the member's clock, in milliseconds. */
  readonly now: () => number;
}

/** Items of one page, unless fewer are asked for. */
const pageItemsMax = 1_000;
/** Places of one queue that are listed; how many there are is always told. */
const placesMax = 1_000;
/** What recipes call the znodes of those who queue (recipes). */
const placeName = /^(.+)\/((?:lock|read|write|candidate|lease)-\d{10})$/;

/** The members of the reply as JSON text, each with a comma before it, or why not. */
export function answerInspection(tree: Tree, op: InspectionOp, caller: Caller, inspected: Inspected): string | Refusal {
  if (!mayDo(tree.root.acl, "admin", caller)) return refuse("NO_AUTH", "needs the permission to administer the root", "/");
  switch (op.op) {
    case "sessions":
      return page("sessions", shownSessions(tree, inspected), ({ id }) => id, op);
    case "queues":
      return page("queues", shownQueues(tree), ({ path }) => path, op);
    case "watchers":
      return `,"watchers":${JSON.stringify(
        inspected
          .watchers(op.path)
          .map(([connection, kinds]) => ({ session: connection.session?.id ?? null, address: connection.address, kinds })),
      )}`;
    case "stats":
      return `,"stats":${JSON.stringify(inspected.stats())}`;
  }
}

interface ShownSession {
  readonly id: string;
  readonly timeout: number;
  readonly ephemerals: number;
  /** Their names alone: what follows the colon is made of a password. */
  readonly identities: readonly Pick<Identity, "scheme" | "id">[];
  /** Where it is connected to this member. */
  readonly connection: object | null;
}

/** In the order of their ids. */
function shownSessions(tree: Tree, { connections, subscriptionsOf, now }: Inspected): ShownSession[] {
  const here = new Map<string, Connection>();
  for (const connection of connections()) if (connection.session !== null) here.set(connection.session.id, connection);
  const shown = ({ id, timeoutMs, ephemerals, identities }: Session): ShownSession => {
    const connection = here.get(id);
    const named = identities.map((identity) => ({ scheme: identity.scheme, id: identity.id.split(":", 1)[0]! }));
    const of = { id, timeout: timeoutMs, ephemerals: ephemerals.size, identities: named };
    if (connection === undefined) return { ...of, connection: null };
    const { address, openedAt, heardAt, watches, unsentBytes } = connection;
    const at = { address, ageMs: Math.round(now() - openedAt), silentMs: Math.round(now() - heardAt) };
    return { ...of, connection: { ...at, watches, subscriptions: subscriptionsOf(connection), queueBytes: unsentBytes } };
  };
  return [...tree.sessions.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map(shown);
}

interface Place {
  readonly name: string;
  readonly session: string;
  /** Its fencing token. */
  readonly czxid: number;
  /** When it was taken, in milliseconds since the epoch. */
  readonly ctime: number;
}

interface Queue {
  readonly path: string;
  readonly size: number;
  readonly places: readonly Place[];
}

/** Parents of places, in the order of their paths; the places of each in their own order. */
function shownQueues(tree: Tree): Queue[] {
  const queues = new Map<string, Place[]>();
  for (const { id, ephemerals } of tree.sessions.values()) {
    for (const path of ephemerals.after(null)) {
      const [, parent, name] = placeName.exec(path) ?? [];
      const znode = name === undefined ? undefined : tree.find(path);
      if (parent === undefined || name === undefined || znode === undefined) continue;
      const place = { name, session: id, czxid: znode.czxid, ctime: znode.ctime };
      const places = queues.get(parent);
      if (places === undefined) queues.set(parent, [place]);
      else places.push(place);
    }
  }
  const order = ({ name }: Place): string => name.slice(-10);
  return [...queues.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, places]) => {
      places.sort((a, b) => (order(a) < order(b) ? -1 : 1));
      return { path, size: places.length, places: places.slice(0, placesMax) };
    });
}

function page<T>(
  name: string,
  items: readonly T[],
  keyOf: (item: T) => string,
  { after, limit }: { readonly after: string | null; readonly limit: number | null },
): string {
  const size = Math.min(limit ?? pageItemsMax, pageItemsMax);
  const rest = after === null ? items : items.filter((item) => keyOf(item) > after);
  const more = rest.length > size ? ',"more":true' : "";
  return `,"${name}":${JSON.stringify(rest.slice(0, size))},"total":${items.length}${more}`;
}
