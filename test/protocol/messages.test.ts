/** M: messages, their order, their numbers, their data. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { RawClient } from "../support/raw-client.ts";

let hub: Hub;
let client: RawClient;

beforeAll(async () => {
  hub = await startHub();
  client = await RawClient.connect(hub.url);
});
afterAll(async () => {
  await client.cut();
  await hub.destroy();
});

describe("order", () => {
  it("[M2] replies come in the order of requests, and a read sees the writes before it", async () => {
    const ids = client.sendAll([
      { op: "create", path: "/order", data: "0" },
      { op: "get", path: "/order" },
      { op: "set", path: "/order", data: "1" },
      { op: "get", path: "/missing" },
      { op: "get", path: "/order" },
      { op: "frob" },
      { op: "set", path: "/order", version: "x" },
      { op: "delete", path: "/order" },
      { op: "exists", path: "/order" },
    ]);
    await client.reply(ids[ids.length - 1]!);
    const replies = ids.map((id) => client.received.find((message) => message["id"] === id)!);
    const positions = replies.map((reply) => client.received.indexOf(reply));
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    expect([replies[1]!["data"], replies[4]!["data"], replies[8]!["stat"]]).toEqual(["0", "1", null]);
    expect(replies.map((reply) => reply["error"]?.code ?? null)).toEqual([
      null,
      null,
      null,
      "NO_NODE",
      null,
      "UNIMPLEMENTED",
      "BAD_ARGUMENTS",
      null,
      null,
    ]);
  });

  it("[M2] a ping neither waits nor holds back", async () => {
    const waiting = await RawClient.connect(hub.url);
    const [slow, ping] = waiting.sendAll([{ op: "get", path: "/", atLeast: 10_000_000 }, { op: "ping" }]);
    await waiting.reply(ping!);
    expect(waiting.received.some((message) => message["id"] === slow)).toBe(false);
    await waiting.cut();
  });

  it("[M2] a read sees no write that was sent after it, and nothing runs after a close", async () => {
    const own = await RawClient.connect(hub.url);
    await own.ask({ op: "create", path: "/behind", data: "old" });
    const { zxid } = await own.ask({ op: "sync" });
    const ids = own.sendAll([
      { op: "get", path: "/behind", atLeast: zxid + 1 },
      { op: "set", path: "/behind", data: "new" },
      { op: "get", path: "/behind", linearizable: true },
      { op: "set", path: "/behind", data: "newest" },
      { op: "close" },
      { op: "create", path: "/behind-close" },
    ]);
    await client.ask({ op: "create", path: "/behind-wakes" });
    expect((await own.reply(ids[0]!))["data"]).toBe("old");
    expect((await own.reply(ids[2]!))["data"]).toBe("new");
    expect((await own.closed).code).toBe(1000);
    expect((await client.ask({ op: "get", path: "/behind" }))["data"]).toBe("newest");
    expect((await client.ask({ op: "exists", path: "/behind-close" }))["stat"]).toBeNull();
  });

  it("[M5] an event stands before the reply that shows its change, and before later events", async () => {
    const watcher = await RawClient.connect(hub.url);
    await watcher.ask({ op: "addWatch", path: "/", mode: "recursive" });
    const { sub } = await watcher.ask({ op: "subscribe", path: "/", scope: "tree" });
    const from = watcher.received.length;
    const writes = Array.from({ length: 200 }, (_, at) => ({ op: "create", path: `/event-${at}`, data: "x" }));
    const own = watcher.sendAll(writes.map((write) => ({ ...write, path: `${write.path}-own` })));
    client.sendAll(writes);
    await watcher.reply(own[own.length - 1]!);
    await watcher.ask({ op: "sync" });
    let zxid = 0;
    for (const message of watcher.received.slice(from)) {
      if (!("id" in message)) {
        expect(message["zxid"]).toBeGreaterThanOrEqual(zxid);
        zxid = message["zxid"];
      } else if ("path" in message) expect(zxid).toBeGreaterThanOrEqual(message["zxid"]);
    }
    expect(watcher.events.filter((event) => event["event"] === "created")).toHaveLength(400);
    expect(watcher.events.filter((event) => event["sub"] === sub && event["change"] === "created")).toHaveLength(400);
    await watcher.cut();
  });
});

describe("zxid", () => {
  it("[M3] is dense: one for each txn that succeeds, none for what fails or reads", async () => {
    const { zxid: before } = await client.ask({ op: "sync" });
    const created = await client.ask({ op: "create", path: "/dense" });
    const failed = await client.ask({ op: "create", path: "/dense" });
    const read = await client.ask({ op: "get", path: "/dense" });
    const multi = await client.ask({
      op: "multi",
      ops: [
        { op: "set", path: "/dense" },
        { op: "delete", path: "/dense" },
      ],
    });
    expect([created, failed, read, multi].map((reply) => reply["zxid"] - before)).toEqual([1, 1, 1, 2]);
    const other = await RawClient.connect(hub.url);
    expect(other.session["zxid"]).toBe(before + 3);
    await other.ask({ op: "close" });
    expect((await client.ask({ op: "sync" }))["zxid"]).toBe(before + 4);
  });
});

describe("data", () => {
  it("[M4] keeps null, empty, text and bytes apart", async () => {
    const cases: [Record<string, string>, Record<string, string | undefined>, number][] = [
      [{}, { data: undefined, data64: undefined }, 0],
      [{ data: "" }, { data: "" }, 0],
      [{ data: 'h"é😀\u0000\n' }, { data: 'h"é😀\u0000\n' }, 10],
      [{ data64: "/w==" }, { data64: "/w==", data: undefined }, 1],
      [{ data64: Buffer.from("text").toString("base64") }, { data: "text", data64: undefined }, 4],
    ];
    for (const [at, [given, shown, bytes]] of cases.entries()) {
      const { stat } = await client.ask({ op: "create", path: `/data-${at}`, ...given });
      expect(stat.dataLength).toBe(bytes);
      const got = await client.ask({ op: "get", path: `/data-${at}` });
      expect({ data: got["data"], data64: got["data64"] }).toEqual({ data: undefined, data64: undefined, ...shown });
    }
  });

  it("[M7] names and keys such as __proto__ are ordinary", async () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      expect((await client.ask({ op: "create", path: `/${name}`, data: name }))["path"]).toBe(`/${name}`);
      expect((await client.ask({ op: "get", path: `/${name}` }))["data"]).toBe(name);
    }
    client.sendText(`{"id":${client.nextId()},"op":"get","path":"/toString","__proto__":{"watch":1},"constructor":null}`);
    await client.ask({ op: "sync" });
    expect(({} as Record<string, unknown>)["watch"]).toBeUndefined();
  });

  it("[M11] too much data is refused and the connection stays", async () => {
    expect(await client.ask({ op: "create", path: "/large", data: "x".repeat(1_048_577) })).toMatchObject({ error: { code: "TOO_LARGE" } });
    expect((await client.ask({ op: "create", path: "/large", data: "x".repeat(1_048_576) }))["stat"].dataLength).toBe(1_048_576);
    expect((await client.ask({ op: "get", path: "/large" }))["data"]).toHaveLength(1_048_576);
  });

  it("NFC and NFD are different names", async () => {
    await client.ask({ op: "create", path: "/\u00e9" });
    expect((await client.ask({ op: "create", path: "/e\u0301" }))["error"]).toBeUndefined();
  });
});

describe("waiting", () => {
  it("[M12] [O15] atLeast waits, a third of the timeout at most", async () => {
    const waiting = await RawClient.connect(hub.url, { timeout: 4_000 });
    const { zxid } = await client.ask({ op: "sync" });
    const [id] = waiting.sendAll([{ op: "get", path: "/", atLeast: zxid + 1 }]);
    await client.ask({ op: "create", path: "/at-least" });
    expect((await waiting.reply(id!))["zxid"]).toBeGreaterThan(zxid);
    const from = performance.now();
    expect(await waiting.ask({ op: "get", path: "/", atLeast: 10_000_000 })).toMatchObject({ error: { code: "UNAVAILABLE" } });
    expect(performance.now() - from).toBeLessThan((5 * 4_000) / 3);
    expect((await waiting.ask({ op: "get", path: "/" }))["error"]).toBeUndefined();
    await waiting.cut();
  });

  it("[O15] sync and linearizable reads see what was acknowledged before", async () => {
    const reader = await RawClient.connect(hub.url);
    for (let at = 0; at < 20; at++) {
      const { zxid } = await client.ask({ op: "create", path: "/linear-", sequential: true });
      expect((await reader.ask({ op: "get", path: "/", linearizable: true }))["zxid"]).toBeGreaterThanOrEqual(zxid);
      expect((await reader.ask({ op: "sync" }))["zxid"]).toBeGreaterThanOrEqual(zxid);
    }
    await reader.cut();
  });
});
