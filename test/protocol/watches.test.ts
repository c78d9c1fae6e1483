/** W: watches, as in ZooKeeper, and their return after a reconnect. */
import { defaultLimits } from "@copse/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let hub: Hub;
let writer: RawClient;
let watcher: RawClient;
let top: string;
let tests = 0;

beforeAll(async () => {
  hub = await startHub();
  writer = await RawClient.connect(hub.url);
});
afterAll(async () => {
  await writer.cut();
  await hub.destroy();
});
beforeEach(async () => {
  top = `/w${++tests}`;
  await writer.ask({ op: "create", path: top });
  watcher = await RawClient.connect(hub.url);
});

/** The events since the last call, without the top, after what was written. */
async function heard(client: RawClient = watcher): Promise<string[]> {
  await client.ask({ op: "sync" });
  const events = client.events.map((event) => `${event["event"]} ${event["path"].slice(top.length) || "."}`);
  client.received.length = 0;
  return events;
}

async function write(...messages: Message[]): Promise<Message[]> {
  const replies = [];
  for (const message of messages) replies.push(await writer.ask({ ...message, path: top + message["path"] }));
  return replies;
}

describe("one-shot watches", () => {
  it("[W1] a data watch fires once: changed, deleted, or created", async () => {
    await write({ op: "create", path: "/a" });
    await watcher.ask({ op: "get", path: `${top}/a`, watch: true });
    await watcher.ask({ op: "exists", path: `${top}/b`, watch: true });
    await write({ op: "set", path: "/a" }, { op: "set", path: "/a" }, { op: "create", path: "/b" }, { op: "set", path: "/b" });
    expect(await heard()).toEqual(["changed /a", "created /b"]);
    await watcher.ask({ op: "exists", path: `${top}/a`, watch: true });
    await write({ op: "create", path: "/a/c" }, { op: "delete", path: "/a/c" }, { op: "delete", path: "/a" }, { op: "create", path: "/a" });
    expect(await heard()).toEqual(["deleted /a"]);
  });

  it("[W1] a child watch fires once: childrenChanged, or deleted", async () => {
    await write({ op: "create", path: "/a" });
    await watcher.ask({ op: "children", path: `${top}/a`, watch: true });
    await write({ op: "set", path: "/a" }, { op: "create", path: "/a/1" }, { op: "create", path: "/a/2" });
    expect(await heard()).toEqual(["childrenChanged /a"]);
    await write({ op: "delete", path: "/a/1" }, { op: "delete", path: "/a/2" });
    await watcher.ask({ op: "children", path: `${top}/a`, watch: true });
    await watcher.ask({ op: "get", path: `${top}/a`, watch: true });
    await write({ op: "delete", path: "/a" });
    expect(await heard()).toEqual(["deleted /a"]);
  });

  it("[W4] a request that fails leaves no watch", async () => {
    await watcher.ask({ op: "get", path: `${top}/a`, watch: true });
    await watcher.ask({ op: "children", path: `${top}/a`, watch: true });
    await write({ op: "create", path: "/a" }, { op: "create", path: "/a/b" });
    expect(await heard()).toEqual([]);
    await watcher.ask({ op: "get", path: `${top}/a`, watch: true });
    await write({ op: "set", path: "/a", version: 9 }, { op: "create", path: "/a" });
    expect(await heard()).toEqual([]);
  });
});

describe("a connection that ends", () => {
  it("takes all it had asked for with it, also what still waited its turn", async () => {
    const own = await startHub();
    for (let round = 0; round < 5; round++) {
      const client = await RawClient.connect(own.url);
      client.sendAll([
        { op: "create", path: `/${round}`, data: "x".repeat(100_000) },
        ...Array.from({ length: 100 }, (_, at) => ({ op: "addWatch", path: `/w${at}`, mode: "recursive" })),
        ...Array.from({ length: 100 }, (_, at) => ({ op: "subscribe", path: `/s${at}`, scope: "tree" })),
        { op: "get", path: "/", atLeast: 10_000_000, watch: true },
        { op: "exists", path: "/later", watch: true },
      ]);
      await client.cut();
    }
    const checker = await RawClient.connect(own.url);
    for (let at = 0; at < 20; at++) await checker.ask({ op: "create", path: `/after-${at}` });
    await expect.poll(() => own.member.figures).toMatchObject({ connections: 1, watches: 0, subscriptions: 0, pending: 0 });
    await checker.cut();
    await own.destroy();
  });
});

describe("watches that stay", () => {
  it("[W2] a persistent one hears of its znode and its child list", async () => {
    await watcher.ask({ op: "addWatch", path: `${top}/a`, mode: "persistent" });
    await write(
      { op: "create", path: "/a" },
      { op: "set", path: "/a" },
      { op: "create", path: "/a/b" },
      { op: "set", path: "/a/b" },
      { op: "create", path: "/a/b/c" },
      { op: "delete", path: "/a", recursive: true },
      { op: "create", path: "/a" },
    );
    expect(await heard()).toEqual(["created /a", "changed /a", "childrenChanged /a", "childrenChanged /a", "deleted /a", "created /a"]);
  });

  it("[W2] a recursive one hears of all below, and of no child lists", async () => {
    await watcher.ask({ op: "addWatch", path: top, mode: "recursive" });
    await write(
      { op: "create", path: "/a" },
      { op: "create", path: "/a/b" },
      { op: "set", path: "/a/b" },
      { op: "setAcl", path: "/a", acl: [{ perms: ["read", "delete"], scheme: "world", id: "anyone" }] },
      { op: "delete", path: "/a/b" },
    );
    await writer.ask({ op: "create", path: `${top}x` });
    expect(await heard()).toEqual(["created /a", "created /a/b", "changed /a/b", "deleted /a/b"]);
  });

  it("[W3] one event for each op and path, however many watches match", async () => {
    await write({ op: "create", path: "/a" });
    const path = `${top}/a`;
    await watcher.ask({ op: "get", path, watch: true });
    await watcher.ask({ op: "exists", path, watch: true });
    await watcher.ask({ op: "children", path, watch: true });
    await watcher.ask({ op: "addWatch", path, mode: "persistent" });
    await watcher.ask({ op: "addWatch", path: top, mode: "recursive" });
    await watcher.ask({ op: "addWatch", path: "/", mode: "recursive" });
    await write({ op: "set", path: "/a" }, { op: "delete", path: "/a" });
    expect(await heard()).toEqual(["changed /a", "deleted /a"]);
    await watcher.ask({ op: "addWatch", path: top, mode: "persistent" });
    await watcher.ask({ op: "children", path: top, watch: true });
    await writer.ask({ op: "multi", ops: ["/x", "/y"].map((name) => ({ op: "create", path: top + name })) });
    expect(await heard()).toEqual(["created /x", "childrenChanged .", "created /y", "childrenChanged ."]);
  });

  it("[W5] removeWatch removes one kind, or all", async () => {
    const path = `${top}/a`;
    await write({ op: "create", path: "/a" });
    const remove = async (mode?: string): Promise<string | undefined> =>
      (await watcher.ask({ op: "removeWatch", path, mode }))["error"]?.code;
    expect(await remove()).toBe("NO_WATCHER");
    await watcher.ask({ op: "get", path, watch: true });
    await watcher.ask({ op: "addWatch", path, mode: "persistent" });
    expect([await remove("child"), await remove("recursive"), await remove("persistent"), await remove("persistent")]).toEqual([
      "NO_WATCHER",
      "NO_WATCHER",
      undefined,
      "NO_WATCHER",
    ]);
    await write({ op: "create", path: "/a/b" }, { op: "set", path: "/a" });
    expect(await heard()).toEqual(["changed /a"]);
    await watcher.ask({ op: "get", path, watch: true });
    await watcher.ask({ op: "children", path, watch: true });
    expect([await remove(), await remove("data")]).toEqual([undefined, "NO_WATCHER"]);
  });

  it("events are held back from who may not read", async () => {
    const secret = [{ perms: ["write", "create", "delete"], scheme: "world", id: "anyone" }];
    await watcher.ask({ op: "addWatch", path: top, mode: "recursive" });
    await watcher.ask({ op: "addWatch", path: top, mode: "persistent" });
    await write({ op: "create", path: "/s", acl: secret }, { op: "set", path: "/s" }, { op: "create", path: "/s/open" });
    expect(await heard()).toEqual(["childrenChanged .", "created /s/open"]);
  });

  it("a closing session's ephemerals give deleted and childrenChanged for each", async () => {
    const owner = await RawClient.connect(hub.url);
    for (const name of ["b", "a"]) await owner.ask({ op: "create", path: `${top}/${name}`, ephemeral: true });
    await watcher.ask({ op: "addWatch", path: top, mode: "persistent" });
    await watcher.ask({ op: "addWatch", path: top, mode: "recursive" });
    await owner.ask({ op: "close" });
    expect(await heard()).toEqual(["deleted /a", "childrenChanged .", "deleted /b", "childrenChanged ."]);
  });
});

describe("restoreWatches", () => {
  it("[W6] fires what has changed since and arms the rest", async () => {
    const paths = ["changed", "still", "gone", "kids", "kept", "kidsGone"];
    for (const name of paths) await write({ op: "create", path: `/${name}` });
    const since = (await writer.ask({ op: "sync" }))["zxid"];
    await write(
      { op: "delete", path: "/gone" },
      { op: "set", path: "/changed" },
      { op: "create", path: "/kids/1" },
      { op: "create", path: "/new" },
      { op: "delete", path: "/kidsGone" },
    );
    await watcher.ask({
      op: "restoreWatches",
      since,
      data: ["changed", "still", "gone"].map((name) => `${top}/${name}`),
      exist: ["new", "later"].map((name) => `${top}/${name}`),
      child: ["kids", "kept", "kidsGone"].map((name) => `${top}/${name}`),
    });
    const zxids = watcher.events.map((event) => event["zxid"]);
    expect(zxids).toEqual([since + 1, since + 2, since + 3, since + 4, since + 5]);
    expect(await heard()).toEqual(["deleted /gone", "changed /changed", "childrenChanged /kids", "created /new", "deleted /kidsGone"]);
    await write(
      { op: "set", path: "/changed" },
      { op: "set", path: "/still" },
      { op: "create", path: "/kept/1" },
      { op: "create", path: "/later" },
      { op: "create", path: "/gone" },
    );
    expect(await heard()).toEqual(["changed /still", "childrenChanged /kept", "created /later"]);
  });

  it("[W6] persistent and recursive watches get what they missed, once, in order", async () => {
    await write({ op: "create", path: "/a" });
    const since = (await writer.ask({ op: "sync" }))["zxid"];
    await write({ op: "set", path: "/a" }, { op: "create", path: "/a/b" }, { op: "set", path: "/a/b" }, { op: "delete", path: "/a/b" });
    const [id] = watcher.sendAll([{ op: "restoreWatches", since, data: [`${top}/a`], persistent: [`${top}/a`], recursive: [top] }]);
    await watcher.reply(id!);
    expect(watcher.received[watcher.received.length - 1]!["id"]).toBe(id);
    expect(await heard()).toEqual([
      "changed /a",
      "created /a/b",
      "childrenChanged /a",
      "changed /a/b",
      "deleted /a/b",
      "childrenChanged /a",
    ]);
    await write({ op: "set", path: "/a" });
    expect(await heard()).toEqual(["changed /a"]);
  });

  it("[W6] says resync where the history no longer has it", async () => {
    const small = await startHub({ limits: { ...defaultLimits, historyChanges: 10 } });
    const own = await RawClient.connect(small.url);
    for (let at = 0; at < 30; at++) await own.ask({ op: "create", path: `/${at}` });
    await own.ask({ op: "restoreWatches", since: 5, persistent: ["/"], recursive: ["/1"], data: ["/none"] });
    const { zxid } = await own.ask({ op: "sync" });
    expect(own.events).toEqual(
      [
        { event: "resync", path: "/", zxid },
        { event: "resync", path: "/1", zxid },
        { event: "deleted", path: "/none", zxid },
      ].sort(
        (a, b) => own.events.findIndex((event) => event["path"] === a.path) - own.events.findIndex((event) => event["path"] === b.path),
      ),
    );
    await own.ask({ op: "set", path: "/1" });
    expect(own.events[own.events.length - 1]).toMatchObject({ event: "changed", path: "/1" });
    await own.cut();
    await small.destroy();
  });
});
