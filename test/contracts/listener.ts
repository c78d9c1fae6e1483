/**
 * What every transport promises clients and the loop: order, back-pressure, limits, close codes, HTTP. Where one of them can
 * only end a connection without a word (1006), `ends` says so.
 */
import { readFileSync } from "node:fs";
import type { ServerConfig } from "@copse/server";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";
import { answerTo, closeCodeFor, frame, upgrade, upgraded } from "../support/raw-socket.ts";

/** The close codes of what a transport refuses by itself. */
export interface Ends {
  readonly notUtf8: readonly number[];
  readonly brokenFrame: readonly number[];
  readonly unmasked: readonly number[];
  readonly declaredTooLarge: readonly number[];
  /** A status, or nothing at all. */
  readonly drippedHeaders: RegExp;
}

export function listenerContract(name: "ws" | "uws", uws: () => Promise<ServerConfig["uws"]>, ends: Ends): void {
  let hub: Hub;
  beforeAll(async () => {
    const files = new Map([["/", { body: Buffer.from("<p>page</p>"), contentType: "text/html" }]]);
    hub = await startHub({ uws: await uws(), origins: ["https://app.example.com"], isInsecure: true, files });
  });
  afterAll(() => hub.destroy());

  it("carries what it is named after", async () => {
    expect(await (await fetch(`${hub.page}/metrics`)).text()).toContain(`copse_transport{transport="${name}"} 1`);
  });

  it("answers HTTP: health, the page, its head, what is not there, what is not allowed", async () => {
    const get = async (path: string, method = "GET"): Promise<[number, string]> => {
      const response = await fetch(hub.page + path, { method });
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      return [response.status, await response.text()];
    };
    expect(await get("/healthz")).toEqual([200, "ok\n"]);
    await expect.poll(() => get("/readyz")).toEqual([200, "ready\n"]);
    expect(await get("/")).toEqual([200, "<p>page</p>"]);
    expect(await get("/", "HEAD")).toEqual([200, ""]);
    expect((await fetch(hub.page, { method: "HEAD" })).headers.get("content-length")).toBe("11");
    expect((await fetch(hub.page)).headers.get("content-security-policy")).toContain("default-src 'none'");
    expect((await get("/none"))[0]).toBe(404);
    expect((await get("/healthz", "POST"))[0]).toBe(405);
    expect((await get("/v1"))[0]).toBe(426);
  });

  it("takes an upgrade, or refuses it with its status", async () => {
    expect(await upgrade(hub.port, "/v1")).toBe(101);
    expect(await upgrade(hub.port, "/v1", { Origin: "https://app.example.com", "Sec-WebSocket-Protocol": "other, copse.v1" })).toBe(101);
    expect(await upgrade(hub.port, "/v1", { Origin: "https://evil.example.com" })).toBe(403);
    expect(await upgrade(hub.port, "/v1", { "Sec-WebSocket-Protocol": "other" })).toBe(400);
    expect([400, 426]).toContain(await upgrade(hub.port, "/v1", { "Sec-WebSocket-Version": "7" }));
    expect([400, 426]).toContain(await upgrade(hub.port, "/v1", { "Sec-WebSocket-Key": "x" }));
    expect(await upgrade(hub.port, "/v1", { "X-Long": "x".repeat(17_000) })).toBe(431);
    expect(await answerTo(hub.port, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")).toMatch(ends.drippedHeaders);
    const client = await RawClient.connect(hub.url);
    expect([client.socket.protocol, client.socket.extensions]).toEqual(["copse.v1", ""]);
    await client.cut();
  });

  it("keeps the order of frames and of replies, many in one read and one in many", async () => {
    const client = await RawClient.connect(hub.url);
    await client.ask({ op: "create", path: "/order", data: "" });
    const versions = await Promise.all(Array.from({ length: 500 }, () => client.ask({ op: "set", path: "/order", data: "x" })));
    expect(versions.map((reply) => (reply["stat"] as Message)["version"])).toEqual(Array.from({ length: 500 }, (_, at) => at + 1));
    const socket = await upgraded(hub.port);
    const connect = frame(1, Buffer.from('{"id":1,"op":"connect","readOnly":true}'));
    let received = "";
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1");
    });
    for (const byte of connect) await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
    const parts = ['{"id":2,"op"', ':"whoami"', "}"];
    for (const [at, part] of parts.entries()) socket.write(frame(at === 0 ? 1 : 0, Buffer.from(part), { fin: at === 2 }));
    await expect.poll(() => received).toContain('"identities"');
    expect(received.indexOf('"id":1')).toBeLessThan(received.indexOf('"id":2'));
    socket.destroy();
    await client.cut();
  });

  it("tells both ends of a close with its code, after what was sent before it", async () => {
    const client = await RawClient.connect(hub.url);
    const [reply, closed] = await Promise.all([client.ask({ op: "close" }), client.closed]);
    expect([reply["error"], closed.code]).toEqual([undefined, 1000]);
    const binary = await RawClient.connect(hub.url);
    binary.socket.send(Buffer.from("{}"), { binary: true });
    expect((await binary.closed).code).toBe(1003);
    const gone = await RawClient.connect(hub.url);
    await gone.cut();
    const witness = await RawClient.connect(hub.url);
    await expect.poll(async () => ((await witness.ask({ op: "stats" }))["stats"] as Message)["connections"]).toBe(1);
    await witness.cut();
  });

  it("ends what breaks the rules of frames", async () => {
    const text = Buffer.from('{"id":1,"op":"connect","readOnly":true}'.repeat(3));
    expect(ends.notUtf8).toContain(await closeCodeFor(hub.port, frame(1, Buffer.from([0x22, 0xc0, 0x80, 0x22]))));
    expect(ends.brokenFrame).toContain(await closeCodeFor(hub.port, frame(1, Buffer.from("{}"), { rsv: 0x40 })));
    expect(ends.brokenFrame).toContain(await closeCodeFor(hub.port, frame(3, Buffer.from("{}"))));
    const unmasked = frame(1, text, { isMasked: false });
    expect(ends.unmasked).toContain(await closeCodeFor(hub.port, Buffer.concat([unmasked, unmasked])));
    const declared = Buffer.from([0x81, 0xff, 0x00, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(ends.declaredTooLarge).toContain(await closeCodeFor(hub.port, declared));
    const over = await RawClient.connect(hub.url);
    over.sendText(JSON.stringify({ id: 2, op: "set", path: "/", data: "x".repeat(2_097_152) }));
    expect((await over.closed).code).toBe(1009);
  });

  it("holds back for who does not read, and lets go of what waits once they do", { timeout: 60_000 }, async () => {
    const client = await RawClient.connect(hub.url);
    await client.ask({ op: "create", path: "/large", data: "x".repeat(1_000_000) });
    const slow = await RawClient.connect(hub.url);
    const { _socket: raw } = slow.socket as unknown as { _socket: { pause(): void; resume(): void } };
    raw.pause();
    const before = residentBytes();
    const replies = Promise.all(Array.from({ length: 200 }, () => slow.ask({ op: "get", path: "/large" })));
    const queue = async (): Promise<number> => {
      const { sessions } = await client.ask({ op: "sessions" });
      return Math.max(
        ...(sessions as { connection: { queueBytes: number } | null }[]).map(({ connection }) => connection?.queueBytes ?? 0),
      );
    };
    await expect.poll(queue).toBeGreaterThan(1_000_000);
    // Some replies wait; the other requests wait unanswered.
    expect(await queue()).toBeLessThan(16_000_000);
    expect(residentBytes() - before).toBeLessThan(150_000_000);
    raw.resume();
    expect((await replies).every((reply) => (reply["data"] as string).length === 1_000_000)).toBe(true);
    await Promise.all([slow.cut(), client.cut()]);
  });

  it("knows where its clients are", async () => {
    const client = await RawClient.connect(hub.url);
    const { sessions } = await client.ask({ op: "sessions" });
    expect(
      (sessions as { connection: { address: string } | null }[]).find(({ connection }) => connection !== null)?.connection?.address,
    ).toBe("127.0.0.1");
    await client.cut();
  });

  it("says that a port is in use, and frees its own", async () => {
    await expect(startHub({ uws: await uws(), port: hub.port })).rejects.toThrow(
      `listen: 127.0.0.1:${hub.port} is in use by another process`,
    );
    const other = await startHub({ uws: await uws() });
    const { port } = other;
    await other.stop();
    const again = await startHub({ uws: await uws(), port });
    await again.destroy();
    await other.destroy();
  });
}

function residentBytes(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0) * 1_024;
}
