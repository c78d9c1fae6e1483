/** C: the connection, from the upgrade to its limits. */
import { defaultLimits } from "@copse/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { RawClient } from "../support/raw-client.ts";
import { upgrade } from "../support/raw-socket.ts";

let hub: Hub;

beforeAll(async () => {
  hub = await startHub({ origins: ["https://app.example.com"], isInsecure: true });
});
afterAll(() => hub.destroy());

async function get(path: string): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(`${hub.page}${path}`);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

describe("the upgrade", () => {
  it("[C1] takes copse.v1, or no subprotocol at all, and refuses others", async () => {
    expect(await upgrade(hub.port, "/v1", { "Sec-WebSocket-Protocol": "copse.v1" })).toBe(101);
    expect(await upgrade(hub.port, "/v1", { "Sec-WebSocket-Protocol": "other, copse.v1" })).toBe(101);
    expect(await upgrade(hub.port, "/v1")).toBe(101);
    expect(await upgrade(hub.port, "/v1", { "Sec-WebSocket-Protocol": "copse.v2" })).toBe(400);
    expect(await upgrade(hub.port, "/elsewhere")).toBe(404);
  });

  it("[C1] selects copse.v1 where it was offered", async () => {
    const client = await RawClient.open(hub.url, { protocols: ["x", "copse.v1"] });
    expect(client.socket.protocol).toBe("copse.v1");
    await client.cut();
  });

  it.each([
    ["http://127.0.0.1:5173", 101],
    ["http://localhost:1234", 101],
    ["https://[::1]", 101],
    ["https://app.example.com", 101],
    ["https://app.example.com:444", 403],
    ["http://evil.example.com", 403],
    ["null", 403],
    ["http://127.0.0.1.evil.com", 403],
    ["file://127.0.0.1", 403],
  ])("[C2] origin %s gets %i", async (origin, status) => {
    expect(await upgrade(hub.port, "/v1", { Origin: origin, Host: "evil.example.com" })).toBe(status);
  });
});

describe("plain HTTP", () => {
  it("[C3] serves health, readiness and metrics", async () => {
    // Who has a session knows that the member serves: until then it says that it is not ready.
    await (await RawClient.connect(hub.url)).cut();
    expect(await get("/healthz")).toMatchObject({ status: 200, text: "ok\n" });
    expect((await get("/readyz")).status).toBe(200);
    const { status, text } = await get("/metrics");
    expect(status).toBe(200);
    const names = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !name.startsWith("copse_"))).toEqual([]);
    for (const limit of Object.keys(defaultLimits)) expect(text).toContain(`copse_limit{limit="${limit}"}`);
  });

  it("[C3] answers a plain GET of the endpoint with 426, and knows nothing else", async () => {
    expect((await get("/v1")).status).toBe(426);
    expect((await get("/etc/passwd")).status).toBe(404);
    expect((await get("/..%2f..%2fpackage.json")).status).toBe(404);
    expect((await fetch(`${hub.page}/`, { method: "POST" })).status).toBe(405);
  });
});

describe("the first message", () => {
  it("[C6] must be connect", async () => {
    const client = await RawClient.open(hub.url);
    client.send({ id: 1, op: "get", path: "/" });
    expect((await client.closed).code).toBe(4400);
  });

  it("[C6] must come within 5 s", async () => {
    const client = await RawClient.open(hub.url);
    const from = performance.now();
    expect((await client.closed).code).toBe(4408);
    expect(performance.now() - from).toBeGreaterThan(4_900);
  }, 30_000);

  it("[C6] comes once", async () => {
    const client = await RawClient.connect(hub.url);
    client.send({ id: 7, op: "connect" });
    expect((await client.closed).code).toBe(4400);
  });

  it("[C6] [M1] may be followed at once by requests, in its own frame too", async () => {
    const client = await RawClient.open(hub.url);
    client.send([
      { id: 1, op: "connect" },
      { id: 2, op: "exists", path: "/" },
    ]);
    client.send({ id: 3, op: "ping" });
    expect((await client.reply(2))["stat"]).toMatchObject({ version: 0 });
    expect((await client.reply(3))["error"]).toBeUndefined();
    await client.cut();
  });

  it("[C10] announces every limit", async () => {
    const client = await RawClient.connect(hub.url);
    expect(client.session["limits"]).toEqual(defaultLimits);
    await client.cut();
  });
});

describe("limits", () => {
  it("[C7] more unanswered requests than allowed close with 4429; as many as allowed do not", async () => {
    const full = await RawClient.connect(hub.url);
    full.sendAll(Array.from({ length: 1_000 }, () => ({ op: "create", path: "/full-", sequential: true })));
    full.skipTo(1_001);
    expect((await full.reply(1_001))["error"]).toBeUndefined();
    await full.cut();
    const over = await RawClient.connect(hub.url);
    over.sendAll(Array.from({ length: 1_001 }, () => ({ op: "create", path: "/full-", sequential: true })));
    expect((await over.closed).code).toBe(4429);
  });

  it("[C8] [C9] too many deletes, ephemerals, watches, subscriptions", async () => {
    const limits = { ...defaultLimits, recursiveDeletes: 3, ephemerals: 2, watches: 2, subscriptions: 1 };
    const small = await startHub({ limits });
    const client = await RawClient.connect(small.url);
    for (const path of ["/a", "/a/1", "/a/2", "/a/3"]) await client.ask({ op: "create", path });
    expect(await client.ask({ op: "delete", path: "/a", recursive: true })).toMatchObject({ error: { code: "TOO_LARGE", path: "/a" } });
    await client.ask({ op: "delete", path: "/a/3" });
    expect(await client.ask({ op: "delete", path: "/a", recursive: true })).toMatchObject({ deleted: 3 });
    for (const path of ["/1", "/2"]) expect((await client.ask({ op: "create", path, ephemeral: true }))["error"]).toBeUndefined();
    expect(await client.ask({ op: "create", path: "/3", ephemeral: true })).toMatchObject({ error: { code: "QUOTA_EXCEEDED" } });
    for (const path of ["/1", "/2"]) expect((await client.ask({ op: "get", path, watch: true }))["error"]).toBeUndefined();
    expect((await client.ask({ op: "get", path: "/1", watch: true }))["error"]).toBeUndefined();
    expect(await client.ask({ op: "addWatch", path: "/9", mode: "recursive" })).toMatchObject({ error: { code: "QUOTA_EXCEEDED" } });
    expect((await client.ask({ op: "subscribe", path: "/", scope: "node" }))["sub"]).toBe(1);
    expect(await client.ask({ op: "subscribe", path: "/1", scope: "node" })).toMatchObject({ error: { code: "QUOTA_EXCEEDED" } });
    await client.cut();
    await small.destroy();
  });

  it("[C11] a reply over 16 MiB is TOO_LARGE, and pages fit", async () => {
    const client = await RawClient.connect(hub.url);
    await client.ask({ op: "create", path: "/big" });
    for (let at = 0; at < 20; at++) await client.ask({ op: "create", path: `/big/${at}`, data: "x".repeat(1_000_000) });
    const gets = Array.from({ length: 20 }, (_, at) => ({ op: "get", path: `/big/${at}` }));
    expect(await client.ask({ op: "read", ops: gets })).toMatchObject({ error: { code: "TOO_LARGE" } });
    expect((await client.ask({ op: "read", ops: gets.slice(0, 10) }))["results"]).toHaveLength(10);
    await client.cut();
  });
});
