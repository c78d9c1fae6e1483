/**
 * What random scripts do not reach, on ZooKeeper 3.8 and on copse: what goes by time, rules of paths, and each line of
 * "different on purpose".
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killAll, until } from "../support/processes.ts";
import { CopseStore } from "./copse-store.ts";
import type { Outcome, Request, Store, StoreEvent, StoreSession } from "./store.ts";
import { hasZooKeeper, startZooKeeper } from "./zookeeper-server.ts";
import { ZooKeeperStore } from "./zookeeper-store.ts";

/** How often both look for what has had its time. */
const reapMs = 100;
const timeoutMs = 30_000;
/** The shortest that both take. */
const shortMs = 400;

let zookeeper: Store;
let copse: CopseStore;

afterAll(async () => {
  await zookeeper?.stop();
  await copse?.stop();
  killAll();
});

/** What both make of the same. */
async function both<T>(run: (session: StoreSession, store: Store) => Promise<T>): Promise<{ zookeeper: T; copse: T }> {
  const results: T[] = [];
  for (const store of [zookeeper, copse]) {
    store.begin();
    const session = await store.open(timeoutMs);
    results.push(await run(session, store));
    await session.close();
  }
  return { zookeeper: results[0]!, copse: results[1]! };
}

async function expectSame<T>(run: (session: StoreSession, store: Store) => Promise<T>): Promise<T> {
  const { zookeeper: one, copse: other } = await both(run);
  expect(other).toEqual(one);
  return other;
}

/** Several requests, one after the other. */
async function askAll(session: StoreSession, requests: readonly Request[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const request of requests) outcomes.push(await session.ask(request));
  return outcomes;
}

/** All events so far. */
async function heard(session: StoreSession): Promise<StoreEvent[]> {
  await session.ask({ op: "sync" });
  const { own, others } = session.takeEvents();
  return [...own, ...others];
}

async function isGone(session: StoreSession, path: string): Promise<boolean> {
  return (await session.ask({ op: "exists", path }))["stat"] === null;
}

describe.runIf(hasZooKeeper())("copse beside ZooKeeper", () => {
  beforeAll(async () => {
    zookeeper = new ZooKeeperStore(await startZooKeeper(reapMs));
    copse = await CopseStore.start(reapMs);
  });

  it("deletes the ephemerals of a session that expires in one txn, and tells who watches", async () => {
    await expectSame(async (session, store) => {
      await session.ask({ op: "create", path: "/e" });
      const dying = await store.open(shortMs);
      for (const path of ["/e/a", "/e/b"]) await dying.ask({ op: "create", path, ephemeral: true });
      await session.ask({ op: "exists", path: "/e/a", watch: true });
      await session.ask({ op: "children", path: "/e", watch: true });
      await dying.cut();
      await until(() => isGone(session, "/e/b"));
      const events = await heard(session);
      const { stat } = await session.ask({ op: "exists", path: "/e" });
      return { events: events.map(({ event, path }) => `${event} ${path}`).sort(), stat };
    });
  });

  it("removes a container that has lost its last child, and a childless znode whose TTL is over", async () => {
    await expectSame(async (session) => {
      await askAll(session, [
        { op: "create", path: "/container", container: true },
        { op: "create", path: "/container/child" },
        { op: "create", path: "/ttl", ttl: 50 },
        { op: "create", path: "/ttl-with-child", ttl: 50 },
        { op: "create", path: "/ttl-with-child/child" },
      ]);
      await until(() => isGone(session, "/ttl"));
      const before = await isGone(session, "/container");
      await session.ask({ op: "delete", path: "/container/child" });
      await until(() => isGone(session, "/container"));
      return { before, withChild: await isGone(session, "/ttl-with-child") };
    });
  });

  it("counts sequential names by all creations of the parent, and begins anew with a new parent", async () => {
    const outcomes = await expectSame((session) =>
      askAll(session, [
        { op: "create", path: "/q" },
        { op: "create", path: "/q/plain" },
        { op: "delete", path: "/q/plain" },
        { op: "create", path: "/q/n-", sequential: true },
        { op: "multi", ops: ["/q/n-", "/q/"].map((path) => ({ op: "create", path, sequential: true })) },
        { op: "delete", path: "/q/n-0000000001" },
        { op: "delete", path: "/q/n-0000000002" },
        { op: "delete", path: "/q/0000000003" },
        { op: "delete", path: "/q" },
        { op: "create", path: "/q" },
        { op: "create", path: "/q/n-", sequential: true },
      ]),
    );
    expect(outcomes[10]!["path"]).toBe("/q/n-0000000000");
  });

  it("judges the paths of creations alike", async () => {
    const control = String.fromCharCode(1, 0x7f, 0x9f);
    const bad = [
      "",
      "a",
      "/a/",
      "//a",
      "/a//b",
      "/.",
      "/..",
      "/a/./b",
      "/a/../b",
      "/a\u0000b",
      ...[...control].map((one) => `/a${one}`),
      "/a\ufff0",
    ];
    const { zookeeper: one, copse: other } = await both((session) =>
      askAll(
        session,
        bad.map((path) => ({ op: "create", path })),
      ),
    );
    // ZooKeeper's server looks for the parent first; its own clients do not even send such paths.
    for (const { error } of one) expect(["BAD_ARGUMENTS", "NO_NODE"]).toContain(error);
    expect(other.map(({ error }) => error)).toEqual(bad.map(() => "BAD_ARGUMENTS"));
    const good = ["/...", "/a..b", "/ ", "/zookeepers", "/é", "/e\u0301", "/constructor", "/中"];
    await expectSame(async (session) =>
      (
        await askAll(
          session,
          good.map((path) => ({ op: "create", path })),
        )
      ).map(({ path }) => path),
    );
  });

  it("refuses data over 1 MiB with TOO_LARGE, where ZooKeeper closes the connection", async () => {
    const create = { op: "create", path: "/large", data: "x".repeat(1_048_577) };
    const session = await zookeeper.open(timeoutMs);
    await expect(session.ask(create)).rejects.toThrow("closed");
    const own = await copse.open(timeoutMs);
    expect(await own.ask(create)).toEqual({ error: "TOO_LARGE" });
    expect(await own.ask({ op: "exists", path: "/large" })).toEqual({ stat: null });
    await own.close();
  });

  it("takes characters beyond U+FFFF and private ones in paths, where ZooKeeper does not", async () => {
    const paths = ["/𝄞", "/\ue000"];
    const { zookeeper: one, copse: other } = await both((session) =>
      askAll(
        session,
        paths.map((path) => ({ op: "create", path })),
      ),
    );
    expect(one.map(({ error }) => error)).toEqual(["BAD_ARGUMENTS", "BAD_ARGUMENTS"]);
    expect(other.map(({ path }) => path)).toEqual(paths);
  });

  it("replays to recursive watches what they missed, where ZooKeeper's hear nothing", async () => {
    const { zookeeper: one, copse: other } = await both(async (session, store) => {
      const writer = await store.open(timeoutMs);
      await writer.ask({ op: "create", path: "/watched" });
      await session.ask({ op: "addWatch", path: "/watched", mode: "recursive" });
      await session.cut();
      await writer.ask({ op: "create", path: "/watched/a" });
      await writer.ask({ op: "set", path: "/watched/a", data: "x" });
      await session.resume({ data: [], exist: [], child: [], recursive: ["/watched"] });
      const events = await heard(session);
      await writer.ask({ op: "delete", path: "/watched/a" });
      const later = await heard(session);
      await writer.close();
      return [events, later].map((list) => list.map(({ event, path }) => `${event} ${path}`));
    });
    expect(one).toEqual([[], ["deleted /watched/a"]]);
    expect(other).toEqual([["created /watched/a", "changed /watched/a"], ["deleted /watched/a"]]);
  });

  it("takes no zxid for a request that fails, where ZooKeeper does", async () => {
    const { zookeeper: one, copse: other } = await both(async (session, store) => {
      await askAll(session, [
        { op: "create", path: "/z" },
        { op: "create", path: "/z" },
        { op: "delete", path: "/none" },
        { op: "set", path: "/z" },
      ]);
      const [before, after] = store.zxids.slice(-2);
      return after! - before!;
    });
    expect([one, other]).toEqual([3, 1]);
  });

  it("deletes the ephemerals of a closing session in the order of their paths", async () => {
    copse.begin();
    const [watcher, closing] = [await copse.open(timeoutMs), await copse.open(timeoutMs)];
    await watcher.ask({ op: "create", path: "/closing" });
    await watcher.ask({ op: "addWatch", path: "/closing", mode: "recursive" });
    const names = ["c", "a", "é", "b"];
    for (const name of names) await closing.ask({ op: "create", path: `/closing/${name}`, ephemeral: true });
    await heard(watcher);
    await closing.close();
    const events = await heard(watcher);
    expect(events.map(({ event, path }) => `${event} ${path}`)).toEqual([...names].sort().map((name) => `deleted /closing/${name}`));
    await watcher.close();
  });

  it("lists children in code-unit order", async () => {
    const session = await copse.open(timeoutMs);
    const names = ["b", "a", "A", "é", "a-", "Z"];
    await askAll(session, [{ op: "create", path: "/sorted" }, ...names.map((name) => ({ op: "create", path: `/sorted/${name}` }))]);
    expect((await session.ask({ op: "children", path: "/sorted" }))["children"]).toEqual([...names].sort());
    await session.close();
  });
});
