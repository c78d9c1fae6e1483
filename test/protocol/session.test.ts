/** S: sessions, from connect to expiry, and writes that happen exactly once. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let hub: Hub;
let other: RawClient;

beforeAll(async () => {
  hub = await startHub({ timeoutMsMin: 500 });
  other = await RawClient.connect(hub.url);
});
afterAll(async () => {
  await other.cut();
  await hub.destroy();
});

function credentials(client: RawClient): Message {
  const { id, secret } = client.session["session"];
  return { id, secret };
}

async function exists(path: string): Promise<boolean> {
  return (await other.ask({ op: "exists", path }))["stat"] !== null;
}

describe("connect", () => {
  it("[S1] gives a session with a clamped timeout", async () => {
    const timeouts: [number | null | undefined, number][] = [
      [undefined, 30_000],
      [null, 30_000],
      [1, 500],
      [7_000, 7_000],
      [10_000_000, 120_000],
    ];
    for (const [asked, agreed] of timeouts) {
      const client = await RawClient.connect(hub.url, { timeout: asked });
      expect(client.session).toMatchObject({ id: 1, resumed: false, lastId: 0, member: "1", role: "leader", session: { timeout: agreed } });
      expect(client.session["session"].id).toMatch(/^[\w-]{22,}$/);
      expect(client.session["session"].secret).toMatch(/^[\w-]{22,}$/);
      await client.cut();
    }
  });

  it("[S2] resumes: ephemerals and identities stay, the older connection is closed and fenced", async () => {
    const older = await RawClient.connect(hub.url);
    await older.ask({ op: "auth", scheme: "digest", credential: "u:p" });
    await older.ask({ op: "create", path: "/resumed", ephemeral: true });
    const newer = await RawClient.connect(hub.url, { session: credentials(older) });
    expect(newer.session).toMatchObject({ resumed: true, lastId: 3, session: credentials(older) });
    expect((await older.closed).code).toBe(4409);
    expect(await exists("/resumed")).toBe(true);
    expect((await newer.ask({ op: "ephemerals", id: 10 }))["paths"]).toEqual(["/resumed"]);
    expect((await newer.ask({ op: "whoami" }))["identities"].map((identity: Message) => identity["scheme"])).toContain("digest");
    await newer.ask({ op: "close" });
    expect(await exists("/resumed")).toBe(false);
  });

  it("[S2] a resume in the middle of the older connection's writes tears none", async () => {
    const older = await RawClient.connect(hub.url);
    older.sendAll(Array.from({ length: 900 }, (_, at) => ({ op: "create", path: `/torn-${at}` })));
    const newer = await RawClient.connect(hub.url, { session: credentials(older) });
    const { lastId } = newer.session;
    await older.closed;
    const acknowledged = older.received.filter((message) => message["path"]?.startsWith("/torn-")).length;
    const { children } = await other.ask({ op: "children", path: "/" });
    const created = (children as string[]).filter((name) => name.startsWith("torn-")).length;
    expect(created).toBeGreaterThanOrEqual(acknowledged);
    expect(created).toBe(Math.max(0, (lastId as number) - 1));
    await newer.cut();
  });

  it("[S3] a lastZxid that is not reached gets UNAVAILABLE and 4503", async () => {
    const client = await RawClient.connect(hub.url, { timeout: 900, lastZxid: 10_000_000 });
    expect(client.session).toMatchObject({ error: { code: "UNAVAILABLE" }, cluster: hub.cluster });
    expect((await client.closed).code).toBe(4503);
  });

  it("[S4] says its cluster, and knows no session of another", async () => {
    const client = await RawClient.connect(hub.url, { cluster: "elsewhere", lastZxid: 10_000_000 });
    expect(client.session).toMatchObject({ cluster: hub.cluster, resumed: false });
    const foreign = await RawClient.connect(hub.url, { cluster: "elsewhere", session: credentials(client) });
    expect(foreign.session).toMatchObject({ error: { code: "SESSION_EXPIRED" }, cluster: hub.cluster });
    expect((await foreign.closed).code).toBe(4410);
    await client.cut();
  });

  it("[S5] an unknown session and a wrong secret can't be told apart", async () => {
    const client = await RawClient.connect(hub.url);
    const unknown = await RawClient.connect(hub.url, { session: { id: "a".repeat(22), secret: "b".repeat(22) } });
    const wrong = await RawClient.connect(hub.url, { session: { ...credentials(client), secret: "b".repeat(22) } });
    expect(wrong.session).toEqual(unknown.session);
    expect(unknown.session["error"].code).toBe("SESSION_EXPIRED");
    expect(await unknown.closed).toEqual(await wrong.closed);
    expect((await wrong.closed).code).toBe(4410);
    await client.cut();
  });

  it("[S6] wrong arguments close with 4400, wrong credentials with 4401", async () => {
    for (const members of [{ timeout: "x" }, { session: { id: 1 } }, { auth: {} }, { lastZxid: -1 }, { readOnly: 1 }]) {
      const client = await RawClient.connect(hub.url, members);
      expect(client.session).toMatchObject({ error: { code: "BAD_ARGUMENTS" }, cluster: hub.cluster });
      expect((await client.closed).code).toBe(4400);
    }
    for (const auth of [
      { scheme: "kerberos", credential: "x" },
      { scheme: "digest", credential: "nocolon" },
    ]) {
      const client = await RawClient.connect(hub.url, { auth: [auth] });
      expect(client.session).toMatchObject({ error: { code: "AUTH_FAILED" } });
      expect((await client.closed).code).toBe(4401);
    }
  });

  it("[S7] a readOnly connection has no session and writes nothing, but reads and follows", async () => {
    const { zxid } = await other.ask({ op: "sync" });
    const client = await RawClient.connect(hub.url, { readOnly: true });
    expect(client.session).toMatchObject({ session: null, lastId: 0, zxid });
    for (const write of [
      { op: "create", path: "/ro" },
      { op: "set", path: "/" },
      { op: "multi", ops: [] },
    ]) {
      expect(await client.ask(write)).toMatchObject({ error: { code: "READ_ONLY" } });
    }
    expect((await client.ask({ op: "auth", scheme: "digest", credential: "u:p" }))["error"]).toBeUndefined();
    expect((await client.ask({ op: "whoami" }))["identities"]).toHaveLength(3);
    await client.ask({ op: "get", path: "/", watch: true });
    expect((await client.ask({ op: "subscribe", path: "/ro-seen", scope: "node" }))["nodes"]).toEqual([]);
    await other.ask({ op: "create", path: "/ro-seen", data: "x" });
    expect(await client.until((message) => message["change"] === "created")).toMatchObject({ path: "/ro-seen", data: "x" });
    expect((await client.ask({ op: "ping" }))["error"]).toBeUndefined();
    expect((await client.ask({ op: "ephemerals" }))["paths"]).toEqual([]);
    await client.ask({ op: "close" });
    expect((await client.closed).code).toBe(1000);
  });

  it("[S15] a read-only server says so and refuses writes", async () => {
    const still = await startHub({ isReadOnly: true });
    const client = await RawClient.connect(still.url);
    expect(client.session).toMatchObject({ readOnly: true });
    expect(await client.ask({ op: "create", path: "/a" })).toMatchObject({ error: { code: "READ_ONLY" } });
    await client.cut();
    await still.destroy();
  });
});

describe("life and death", () => {
  it("[S8] a silent client is asked for a ping, and pings keep the session", async () => {
    const client = await RawClient.connect(hub.url, { timeout: 900 });
    await client.ask({ op: "create", path: "/alive", ephemeral: true });
    for (let asked = 0; asked < 6; asked++) {
      const from = client.received.length;
      await client.until((message) => message["event"] === "ping", from);
      expect((await client.ask({ op: "ping" }))["error"]).toBeUndefined();
    }
    expect(await exists("/alive")).toBe(true);
    await client.cut();
  });

  it("[S9] a session without a sign expires: not before its timeout, ephemerals in one txn, event, 4410", async () => {
    const client = await RawClient.connect(hub.url, { timeout: 1_000 });
    const from = performance.now();
    for (const path of ["/dying", "/dying/b", "/dying/a"]) await other.ask({ op: "create", path });
    await client.ask({ op: "create", path: "/dying/b/2", ephemeral: true });
    await client.ask({ op: "create", path: "/dying/a/1", ephemeral: true });
    const { sub } = await other.ask({ op: "subscribe", path: "/dying", scope: "tree" });
    const { code } = await client.closed;
    expect(code).toBe(4410);
    expect(client.events).toEqual([{ event: "session", state: "expired" }]);
    expect(performance.now() - from).toBeGreaterThan(1_000);
    await other.until((message) => message["change"] === "children" && message["path"] === "/dying/b");
    const deleted = other.events.filter((event) => event["sub"] === sub && event["change"] === "deleted");
    expect(deleted.map((event) => event["path"])).toEqual(["/dying/a/1", "/dying/b/2"]);
    expect(new Set(deleted.map((event) => event["zxid"])).size).toBe(1);
    const again = await RawClient.connect(hub.url, { session: credentials(client) });
    expect(again.session).toMatchObject({ error: { code: "SESSION_EXPIRED" } });
  });

  it("[S9] reads are no sign of life, writes are", async () => {
    const reading = await RawClient.connect(hub.url, { timeout: 1_000 });
    const writing = await RawClient.connect(hub.url, { timeout: 1_000 });
    let isOver = false;
    void reading.closed.then(() => {
      isOver = true;
    });
    while (!isOver) {
      if (reading.socket.readyState === 1) reading.sendAll([{ op: "get", path: "/" }]);
      await writing.ask({ op: "create", path: "/sign-", sequential: true });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect((await reading.closed).code).toBe(4410);
    expect((await writing.ask({ op: "get", path: "/" }))["error"]).toBeUndefined();
    await writing.cut();
  });

  it("[S10] close ends the session: events, reply, 1000", async () => {
    const client = await RawClient.connect(hub.url);
    await client.ask({ op: "create", path: "/closing", ephemeral: true });
    await client.ask({ op: "exists", path: "/closing", watch: true });
    const [before, close] = client.sendAll([{ op: "get", path: "/closing" }, { op: "close" }]);
    expect((await client.closed).code).toBe(1000);
    const ids = client.received.slice(-3).map((message) => message["id"] ?? message["event"]);
    expect(ids).toEqual([before, "deleted", close]);
    expect(await exists("/closing")).toBe(false);
  });
});

describe("exactly once", () => {
  it("[S11] a write sent again gets its first reply, also when it failed, also over a resume and a restart", async () => {
    const data = await startHub();
    let client = await RawClient.connect(data.url);
    const writes = [
      { id: 10, op: "create", path: "/once-", sequential: true },
      { id: 11, op: "set", path: "/missing", data: "x" },
      {
        id: 12,
        op: "multi",
        ops: [
          { op: "create", path: "/m" },
          { op: "set", path: "/m", data: "y" },
        ],
      },
    ];
    const first = [];
    for (const write of writes) first.push(await client.ask(write));
    for (const write of writes) expect(await client.ask(write)).toEqual(first[writes.indexOf(write)]);
    const { session } = client.session;
    client = await RawClient.connect(data.url, { session });
    expect(client.session["lastId"]).toBe(12);
    for (const write of writes) expect(await client.ask({ ...write, ack: 3 })).toEqual(first[writes.indexOf(write)]);
    await data.stop();
    const restarted = await startHub({}, data.data);
    client = await RawClient.connect(restarted.url, { session });
    expect(client.session).toMatchObject({ resumed: true, lastId: 12 });
    for (const write of writes) expect(await client.ask(write)).toEqual(first[writes.indexOf(write)]);
    expect((await client.ask({ op: "children", path: "/" }))["children"]).toEqual(["copse", "m", "once-0000000000"]);
    await client.cut();
    await restarted.destroy();
  });

  it("[S12] the same id with another request is refused", async () => {
    const client = await RawClient.connect(hub.url);
    await client.ask({ id: 5, op: "create", path: "/same" });
    expect(await client.ask({ id: 5, op: "create", path: "/different" })).toMatchObject({ error: { code: "BAD_ARGUMENTS" } });
    expect(await client.ask({ id: 5, op: "create", path: "/same", guard: { path: "/", czxid: 0 } })).toMatchObject({
      error: { code: "BAD_ARGUMENTS" },
    });
    expect(await exists("/different")).toBe(false);
    const long = { id: 6, op: "set", path: "/same", data: "x".repeat(5_000) };
    const first = await client.ask(long);
    expect(await client.ask(long)).toEqual(first);
    for (const another of [
      { ...long, data: `${"x".repeat(4_999)}y` },
      { ...long, data: "short" },
      { ...long, version: 7 },
    ]) {
      expect(await client.ask(another)).toMatchObject({ error: { code: "BAD_ARGUMENTS" } });
    }
    await client.cut();
  });

  it("[S13] [S14] what is acknowledged or over the bound is forgotten, and not executed again", async () => {
    const client = await RawClient.connect(hub.url);
    await client.ask({ id: 5, op: "create", path: "/first" });
    await client.ask({ id: 6, op: "delete", path: "/first", ack: 5 });
    expect(await client.ask({ id: 5, op: "create", path: "/first" })).toMatchObject({ error: { code: "OUTCOME_UNKNOWN" } });
    expect((await client.ask({ id: 6, op: "delete", path: "/first" }))["error"]).toBeUndefined();
    expect(await client.ask({ id: 4, op: "create", path: "/never" })).toMatchObject({ error: { code: "OUTCOME_UNKNOWN" } });
    client.skipTo(10);
    const firstId = 11;
    const many = (): Message[] => Array.from({ length: 500 }, () => ({ op: "create", path: "/many-", sequential: true }));
    for (let round = 0; round < 3; round++) {
      const ids = client.sendAll(many());
      await client.reply(ids[ids.length - 1]!);
    }
    expect(await client.ask({ id: firstId, op: "create", path: "/many-", sequential: true })).toMatchObject({
      error: { code: "OUTCOME_UNKNOWN" },
    });
    const newest = client.received[client.received.length - 2]!;
    expect(await client.ask({ id: 1_510, op: "create", path: "/many-", sequential: true })).toEqual(newest);
    await client.cut();
  });

  it("[S11] cut anywhere in a stream of writes and resumed, each is done once, in order", async () => {
    let client = await RawClient.connect(hub.url, { timeout: 5_000 });
    await client.ask({ op: "create", path: "/stream" });
    const { session } = client.session;
    const total = 600;
    const writes = Array.from({ length: total }, (_, at) => ({
      id: 10 + at,
      op: "create",
      path: "/stream/n-",
      sequential: true,
      data: String(at),
    }));
    const replies = new Map<number, Message>();
    let cuts = 0;
    while (replies.size < total) {
      const left = writes.filter(({ id }) => !replies.has(id));
      const taken = left.slice(0, 97);
      for (const write of taken) client.send(write);
      const upTo = taken[(cuts * 31) % taken.length]!.id;
      await client.until((message) => message["id"] === upTo);
      await client.cut();
      cuts++;
      for (const message of client.received) if (message["id"] >= 10 && !replies.has(message["id"])) replies.set(message["id"], message);
      client = await RawClient.connect(hub.url, { session });
      expect(client.session).toMatchObject({ resumed: true });
      client.skipTo(10_000);
    }
    expect(cuts).toBeGreaterThan(5);
    expect([...replies.values()].filter((reply) => reply["error"] !== undefined)).toEqual([]);
    const { children } = await client.ask({ op: "children", path: "/stream" });
    expect(children).toHaveLength(total);
    for (const [at, write] of writes.entries()) expect(replies.get(write.id)!["path"]).toBe(`/stream/n-${String(at).padStart(10, "0")}`);
    await client.cut();
  });
});
