/**
 * session, locks and unlock: operators list sessions and locks, end a session, and break a lock.
 */
import { type Copse, CopseError, type ShownQueue, type ShownSession } from "@copse/client";
import { print, printTable, type Shared, withClient } from "../terminal.ts";

export async function listSessions(shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const sessions: ShownSession[] = [];
    for (let after: string | undefined, more = true; more; after = sessions.at(-1)?.id) {
      const page = await copse.sessions(after === undefined ? {} : { after });
      sessions.push(...page.sessions);
      more = page.more && page.sessions.length > 0;
    }
    if (shared.output === "json") return print(JSON.stringify(sessions));
    const rows = sessions.map(({ id, timeout, ephemerals, identities, connection }) => [
      id,
      `${timeout / 1_000} s`,
      String(ephemerals),
      connection?.name ?? "–",
      connection?.address ?? "another member",
      connection === null ? "–" : `${Math.round(connection.silentMs / 1_000)} s`,
      identities.map(({ scheme, id: name }) => `${scheme}:${name}`).join(" ") || "–",
    ]);
    printTable([["id", "timeout", "ephemerals", "name", "address", "silent", "identities"], ...rows]);
  });
}

export async function killSession(id: string, shared: Shared): Promise<void> {
  await withClient(shared, {}, async (copse) => {
    await copse.endSession(id);
    print(shared.output === "json" ? JSON.stringify({ id }) : `ended session ${id}`);
  });
}

export async function listLocks(path: string, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const below = path === "/" ? "/" : `${path}/`;
    const queues = (await queuesOf(copse)).filter((queue) => queue.path === path || queue.path.startsWith(below));
    if (shared.output === "json") return print(JSON.stringify(queues));
    const rows = queues.flatMap(({ path: at, places }) =>
      places.map(({ name, session, client, czxid, ctime }, place) => [
        at,
        name,
        place === 0 ? "first" : `waits (${place + 1})`,
        String(czxid),
        client ?? "–",
        session,
        new Date(ctime).toISOString(),
      ]),
    );
    printTable([["path", "place", "state", "token", "name", "session", "since"], ...rows]);
  });
}

export async function unlock(path: string, token: number, shared: Shared): Promise<void> {
  await withClient(shared, {}, async (copse) => {
    const queue = (await queuesOf(copse)).find((one) => one.path === path);
    const place = queue?.places.find(({ czxid }) => czxid === token);
    if (place === undefined) {
      const first = queue?.places[0];
      const now = first === undefined ? "nobody holds it" : `its first place has token ${first.czxid}`;
      throw new CopseError("GUARD_FAILED", `nobody has token ${token} there: ${now}`, { path });
    }
    const at = `${path === "/" ? "" : path}/${place.name}`;
    // If another client has taken the place since, its token differs and the guard refuses.
    await copse.delete(at, { guard: { path: at, czxid: token } });
    print(shared.output === "json" ? JSON.stringify({ path: at, token }) : `broke ${at}: session ${place.session} is told`);
  });
}

async function queuesOf(copse: Copse): Promise<readonly ShownQueue[]> {
  const queues: ShownQueue[] = [];
  for (let after: string | undefined, more = true; more; after = queues.at(-1)?.path) {
    const page = await copse.queues(after === undefined ? {} : { after });
    queues.push(...page.queues);
    more = page.more && page.queues.length > 0;
  }
  return queues;
}
