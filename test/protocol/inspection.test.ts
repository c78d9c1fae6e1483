/** I: what operators may ask. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let hub: Hub;
let client: RawClient;
let other: RawClient;

beforeAll(async () => {
  hub = await startHub();
  client = await RawClient.connect(hub.url);
  other = await RawClient.connect(hub.url, { timeout: 7_000, auth: [{ scheme: "digest", credential: "bob:secret" }] });
});
afterAll(() => hub.destroy());

function sessionOf(who: RawClient): { id: string; secret: string } {
  return who.session["session"] as { id: string; secret: string };
}

function idOf(who: RawClient): string {
  return sessionOf(who).id;
}

describe("an inspection", () => {
  it("[I2] lists sessions in pages, with what belongs to their connections here, and nothing secret", async () => {
    await other.ask({ op: "create", path: "/mine", ephemeral: true });
    await other.ask({ op: "addWatch", path: "/mine", mode: "persistent" });
    await other.ask({ op: "subscribe", path: "/mine", scope: "node" });
    const reply = await client.ask({ op: "sessions" });
    const shown = (reply["sessions"] as Message[]).find(({ id }) => id === idOf(other));
    expect(shown).toEqual({
      id: idOf(other),
      timeout: 7_000,
      ephemerals: 1,
      identities: [
        { scheme: "digest", id: "bob" },
        { scheme: "scrypt", id: "bob" },
      ],
      connection: {
        address: "127.0.0.1",
        ageMs: expect.any(Number),
        silentMs: expect.any(Number),
        watches: 1,
        subscriptions: 1,
        queueBytes: expect.any(Number),
      },
    });
    expect([reply["total"], reply["more"]]).toEqual([2, undefined]);
    const first = await client.ask({ op: "sessions", limit: 1 });
    const [{ id }] = first["sessions"] as [Message];
    const rest = await client.ask({ op: "sessions", limit: 1, after: id });
    expect([first["more"], rest["more"], (rest["sessions"] as Message[]).length]).toEqual([true, undefined, 1]);
    expect((await client.ask({ op: "sessions", limit: 0 }))["error"]?.code).toBe("BAD_ARGUMENTS");
    expect(JSON.stringify(reply)).not.toContain(sessionOf(other).secret);
  });

  it("[I3] lists the queues of locks and elections, their places in order", async () => {
    await client.ask({ op: "create", path: "/locks/a/lock-", ephemeral: true, sequential: true, parents: true });
    const waiting = await other.ask({ op: "create", path: "/locks/a/lock-", ephemeral: true, sequential: true });
    await client.ask({ op: "create", path: "/locks/plain", ephemeral: true });
    const { queues, total } = await client.ask({ op: "queues" });
    expect(total).toBe(1);
    expect(queues).toEqual([
      {
        path: "/locks/a",
        size: 2,
        places: [
          { name: "lock-0000000000", session: idOf(client), czxid: expect.any(Number), ctime: expect.any(Number) },
          { name: "lock-0000000001", session: idOf(other), czxid: (waiting["stat"] as Message)["czxid"], ctime: expect.any(Number) },
        ],
      },
    ]);
    expect((await client.ask({ op: "queues", after: "/locks/a" }))["queues"]).toEqual([]);
  });

  it("[I4] says who watches a path, and how", async () => {
    await other.ask({ op: "get", path: "/mine", watch: true });
    const { watchers } = await client.ask({ op: "watchers", path: "/mine" });
    expect(watchers).toEqual([{ session: idOf(other), address: "127.0.0.1", kinds: ["data", "persistent"] }]);
    expect((await client.ask({ op: "watchers", path: "/nothing" }))["watchers"]).toEqual([]);
    expect((await client.ask({ op: "watchers", path: "bad" }))["error"]?.code).toBe("BAD_ARGUMENTS");
  });

  it("[I5] gives the member's figures", async () => {
    const { stats } = await client.ask({ op: "stats" });
    expect(stats).toMatchObject({
      member: "1",
      role: "leader",
      leader: "1",
      connections: 2,
      sessions: 2,
      watches: 2,
      subscriptions: 1,
      followedBytes: expect.toSatisfy((bytes: number) => bytes > 0),
      ...Object.fromEntries(["receivedBytes", "unsentBytes", "asideBytes", "aclBytes"].map((name) => [name, expect.any(Number)])),
      requests: { create: 4, watchers: 2 },
      refusals: { BAD_ARGUMENTS: 2 },
    });
    const { zxid, znodes, syncMsP99, index, committed, snapshotAgeMs } = stats as Message;
    for (const figure of [zxid, znodes, syncMsP99]) expect(figure).toBeGreaterThanOrEqual(0);
    expect(committed).toBeGreaterThanOrEqual(index as number);
    // The snapshot that an ensemble begins with holds nothing that could be old.
    expect(snapshotAgeMs).toBe(null);
  });

  it("[I5] remembers the newest changes, and who made them", async () => {
    const named = await RawClient.connect(hub.url, { name: "worker", auth: [{ scheme: "digest", credential: "eve:secret" }] });
    const { zxid } = await named.ask({ op: "create", path: "/recent", data: "x" });
    await named.ask({ op: "create", path: "/recent/mine", ephemeral: true });
    await named.ask({ op: "close" });
    const { stats, changes, history } = await client.ask({ op: "stats", changes: zxid - 1 });
    expect([stats["member"], history]).toEqual(["1", undefined]);
    const by = { session: idOf(named), name: "worker", address: "127.0.0.1" };
    expect(changes).toMatchObject([
      { kind: "created", path: "/recent", op: "create", zxid, ...by, identities: [{ scheme: "digest", id: "eve" }, {}] },
      { kind: "created", path: "/recent/mine", op: "create", ...by },
      { kind: "deleted", path: "/recent/mine", op: "close", session: idOf(named), address: null },
    ]);
    expect(JSON.stringify(changes)).not.toContain("secret");
    const [last] = (changes as Message[]).slice(-1) as [Message];
    expect((await client.ask({ op: "stats", changes: last["zxid"] }))["changes"]).toEqual([]);
    expect((await client.ask({ op: "stats", changes: -1 }))["error"]?.code).toBe("BAD_ARGUMENTS");
    const { history: samples } = await client.ask({ op: "stats", history: 0 });
    expect(samples).toMatchObject({ everyMs: 10_000, samples: expect.any(Array) });
    await client.ask({ op: "delete", path: "/recent" });
  });

  it("[T3] steps the state's time to the member's clock, whatever a client says, and in no multi", async () => {
    const before = Date.now();
    const { time } = await client.ask({ op: "stepTime", time: before + 1e9 });
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now() + 1);
    expect(await client.ask({ op: "multi", ops: [{ op: "stepTime" }] })).toMatchObject({ error: { code: "BAD_ARGUMENTS" } });
  });

  it("[I3] orders places by their numbers, also past ten digits", async () => {
    for (const name of ["lock-10000000000", "write-9999999999", "lock-0000000007"])
      await client.ask({ op: "create", path: `/locks/far/${name}`, ephemeral: true, parents: true });
    const { queues } = await client.ask({ op: "queues" });
    const [{ places }] = (queues as Message[]).filter(({ path }) => path === "/locks/far") as [Message];
    expect((places as Message[]).map(({ name }) => name)).toEqual(["lock-0000000007", "write-9999999999", "lock-10000000000"]);
    await client.ask({ op: "delete", path: "/locks/far", recursive: true });
  });

  it("[I5] tells how old the newest snapshot is, after a restart too", async () => {
    const small = await startHub({ snapshotLogBytes: 5_000 });
    const ageOf = async (writer: RawClient): Promise<unknown> => ((await writer.ask({ op: "stats" }))["stats"] as Message)["snapshotAgeMs"];
    const writer = await RawClient.connect(small.url);
    while ((await ageOf(writer)) === null) await writer.ask({ op: "set", path: "/", data: "x".repeat(1_000) });
    expect(await ageOf(writer)).toBeGreaterThanOrEqual(0);
    await small.stop();
    const again = await startHub({}, small.data);
    expect(await ageOf(await RawClient.connect(again.url))).toBeGreaterThanOrEqual(0);
    await again.destroy();
  });

  it("[I6] finds names that contain a text, a bounded look at a time, and goes on where it was", async () => {
    const names = Array.from({ length: 1_200 }, (_, at) => `${at % 100 === 0 ? "Needle" : "straw"}-${String(at).padStart(4, "0")}`);
    for (const parent of ["/search", "/search/b"]) {
      await client.ask({ op: "create", path: parent });
      await client.ask({ op: "multi", ops: names.map((name) => ({ op: "create", path: `${parent}/${name}` })) });
    }
    const needles = names.filter((name) => name.startsWith("N"));
    const expected = [...needles.map((name) => `/search/${name}`), ...needles.map((name) => `/search/b/${name}`)];
    const ask = async (asked: object): Promise<Message> => client.ask({ op: "search", path: "/search", contains: "nEEdle", ...asked });
    expect(await ask({})).toMatchObject({ paths: expected, looked: 2_401 });
    const found: unknown[] = [];
    let after: string | undefined;
    do {
      const reply = await ask({ limit: 5, after });
      found.push(...(reply["paths"] as unknown[]));
      expect((reply["paths"] as unknown[]).length).toBeLessThanOrEqual(5);
      after = reply["after"] as string | undefined;
      // What goes between two pages is passed over.
      if (after === "/search/b/Needle-0300") await client.ask({ op: "delete", path: after });
    } while (after !== undefined);
    expect(found).toEqual(expected);
    expect((await client.ask({ op: "search", path: "/", contains: "Needle-1100" }))["paths"]).toEqual([
      "/search/Needle-1100",
      "/search/b/Needle-1100",
    ]);
    expect((await ask({ path: "/nowhere" }))["error"]?.code).toBe("NO_NODE");
    for (const bad of [{ after: "/elsewhere" }, { after: "/searching" }, { contains: 7 }, { limit: 0 }]) {
      expect((await ask(bad))["error"]?.code).toBe("BAD_ARGUMENTS");
    }
  });

  it("[I1] is for those who may administer the root", async () => {
    const bobs = [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "auth", id: "" }];
    const all = [{ perms: ["read", "write", "create", "delete"], scheme: "world", id: "anyone" }];
    await other.ask({ op: "setAcl", path: "/", acl: [...bobs, ...all] });
    const codes = async (who: RawClient): Promise<unknown[]> =>
      Promise.all(
        [
          { op: "sessions" },
          { op: "queues" },
          { op: "watchers", path: "/" },
          { op: "search", path: "/", contains: "" },
          { op: "stats" },
        ].map(async (message) => (await who.ask(message))["error"]?.code),
      );
    expect(await codes(client)).toEqual(Array.from({ length: 5 }, () => "NO_AUTH"));
    expect(await codes(other)).toEqual(Array.from({ length: 5 }));
  });
});
