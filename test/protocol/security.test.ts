/** A: who may do everything, what is written down about everybody, and how many may come at once. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { hashPassword } from "@copse/server";
import { afterEach, describe, expect, it } from "vitest";
import { type Hub, nativeUws, startHub, temporaryFolder } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

const password = "canary-super-password";
const hubs: Hub[] = [];

afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.destroy();
});

async function start(settings: Parameters<typeof startHub>[0]): Promise<Hub> {
  const hub = await startHub(settings);
  hubs.push(hub);
  return hub;
}

describe("the super identity", () => {
  it("[A1] [A2] passes every ACL, and is refused what is reserved", async () => {
    const hub = await start({ superHash: await hashPassword(password) });
    const owner = await RawClient.connect(hub.url, { auth: [{ scheme: "digest", credential: "ann:her password" }] });
    const acl = [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "auth", id: "" }];
    await owner.ask({ op: "create", path: "/closed", data: "x", acl });
    const own = (await owner.ask({ op: "getAcl", path: "/closed" }))["acl"] as Message[];
    const stranger = await RawClient.connect(hub.url);
    expect((await stranger.ask({ op: "get", path: "/closed" }))["error"]).toMatchObject({ code: "NO_AUTH" });
    const operator = await RawClient.connect(hub.url, { auth: [{ scheme: "super", credential: password }] });
    expect((await operator.ask({ op: "whoami" }))["identities"]).toContainEqual({ scheme: "super", id: "super" });
    expect(await operator.ask({ op: "get", path: "/closed" })).toMatchObject({ data: "x" });
    expect((await operator.ask({ op: "getAcl", path: "/closed" }))["acl"]).toEqual(own);
    const subscribed = await operator.ask({ op: "subscribe", path: "/closed", scope: "node" });
    expect(subscribed["nodes"]).toMatchObject([{ path: "/closed", data: "x" }]);
    for (const request of [
      { op: "set", path: "/closed", data: "y" },
      { op: "create", path: "/closed/a" },
      { op: "delete", path: "/closed/a" },
      { op: "setAcl", path: "/closed", acl },
    ]) {
      const { error } = await operator.ask(request);
      // `auth` stands for digest identities, and this one has none.
      expect(error?.code as string | undefined).toBe(request.op === "setAcl" ? "INVALID_ACL" : undefined);
    }
    expect((await operator.ask({ op: "set", path: "/copse/config", data: "" }))["error"]).toMatchObject({ code: "BAD_ARGUMENTS" });
    const named = [{ perms: ["read"], scheme: "super", id: "super" }];
    expect((await operator.ask({ op: "create", path: "/named", acl: named }))["error"]).toMatchObject({ code: "INVALID_ACL" });
  });

  it("[A1] is proved by the right password alone, and nowhere without a hash", async () => {
    const hub = await start({ superHash: await hashPassword(password) });
    const plain = await start({});
    for (const [url, credential] of [
      [hub.url, "wrong"],
      [hub.url, ""],
      [hub.url, `super:${password}`],
      [plain.url, password],
      [plain.url, ""],
    ] as const) {
      const client = await RawClient.open(url);
      client.send({ id: 1, op: "connect", auth: [{ scheme: "super", credential }] });
      expect((await client.reply(1))["error"]).toMatchObject({ code: "AUTH_FAILED" });
      expect((await client.closed).code).toBe(4401);
    }
    await expect(startHub({ superHash: password })).rejects.toThrow("copse hash-password");
  });
});

describe("the audit log", () => {
  it("[A3] has a line for each write, failed authentication and change of the ensemble, and no secret", async () => {
    const auditFile = join(temporaryFolder("audit"), "audit.log");
    const hub = await start({ auditFile });
    const client = await RawClient.connect(hub.url, { auth: [{ scheme: "digest", credential: "ann:canary-password" }] });
    await client.ask({ op: "create", path: "/a", data: "canary-data" });
    await client.ask({ id: 1_000, op: "set", path: "/a", data: "canary-data", version: 7 });
    await client.ask({ id: 1_000, op: "set", path: "/a", data: "canary-data", version: 7 });
    await client.ask({ op: "get", path: "/a" });
    await client.ask({
      op: "multi",
      ops: [
        { op: "check", path: "/a" },
        { op: "create", path: "/b" },
      ],
    });
    await client.ask({ op: "reconfig", remove: ["1"] });
    const failing = await RawClient.connect(hub.url);
    failing.send({ id: 9, op: "auth", scheme: "digest", credential: "canary-without-colon" });
    await failing.closed;
    const { session } = client.session;
    await hub.stop();
    const text = readFileSync(auditFile, "utf8");
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Message);
    expect(lines.map(({ op, paths, outcome }) => [op, paths, outcome] as unknown)).toEqual([
      ["create", ["/a"], "done"],
      ["set", ["/a"], "BAD_VERSION"],
      ["multi", ["/a", "/b"], "done"],
      ["reconfig", [], "BAD_ARGUMENTS"],
      ["auth", [], "AUTH_FAILED"],
    ]);
    expect(lines[0]).toMatchObject({
      member: "1",
      address: "127.0.0.1",
      identities: ["digest:ann", "scrypt:ann"],
      zxid: expect.any(Number),
      time: expect.any(String),
    });
    for (const secret of ["canary", session.id, session.secret]) expect(text).not.toContain(secret);
    expect(statSync(auditFile).mode & 0o777).toBe(0o600);
  });

  it("that can't be written keeps no member from stopping", { timeout: 30_000 }, async () => {
    const hub = await startHub({ auditFile: "/dev/full", auditOnError: "drop" });
    const client = await RawClient.connect(hub.url);
    for (let at = 0; at < 100; at++) await client.ask({ op: "create", path: "/n-", sequential: true });
    await hub.destroy();
  });

  it("that can't be opened keeps the member from starting", async () => {
    await expect(startHub({ auditFile: "/proc/nowhere/audit.log" })).rejects.toThrow("audit-file");
  });
});

describe("new connections", () => {
  it("[A4] past the burst get 503 until there is room again, and those that stand stay", async () => {
    const hub = await start({ handshakes: { perSecond: 5, burst: 3 } });
    const clients = await Promise.all([1, 2, 3].map(() => RawClient.connect(hub.url)));
    await expect(RawClient.open(hub.url)).rejects.toThrow("503");
    for (const client of clients) expect((await client.ask({ op: "ping" }))["error"]).toBeUndefined();
    expect(await (await fetch(`${hub.page}/metrics`)).text()).toMatch(/^copse_handshakes_refused_total 1$/m);
    let again: RawClient | null = null;
    while (again === null) again = await RawClient.open(hub.url).catch(() => null);
    await again.cut();
  });

  it.each(["ws", "uws"])("[A4] of pages over %s are told when to come back, as a page sees no status", async (transport) => {
    const uws = transport === "uws" ? await nativeUws() : null;
    const hub = await start({ handshakes: { perSecond: 0.01, burst: 3 }, budgets: { connectionsPerAddress: 2 }, uws });
    const page = { headers: { Origin: hub.page } };
    const waits: number[] = [];
    const told = async (): Promise<void> => {
      const refused = await RawClient.open(hub.url, page);
      const { code, reason } = await refused.closed;
      expect(code).toBe(4429);
      waits.push(Number(/^retry-after=(\d+)$/.exec(reason)![1]));
    };
    const clients = [await RawClient.connect(hub.url), await RawClient.open(hub.url, page)];
    await told();
    expect(waits[0]).toBeGreaterThanOrEqual(5_000);
    await told();
    expect(waits[1]).toBeGreaterThanOrEqual(1_000);
    // Who is no page gets the status, and a page of elsewhere is not let in for that.
    await expect(RawClient.open(hub.url)).rejects.toThrow("503");
    await expect(RawClient.open(hub.url, { headers: { Origin: "https://evil.example.com" } })).rejects.toThrow("403");
    expect((await clients[0]!.ask({ op: "ping" }))["error"]).toBeUndefined();
    const metrics = await (await fetch(`${hub.page}/metrics`)).text();
    expect(metrics).toMatch(/^copse_connections 2$/m);
    expect(metrics).toMatch(/^copse_upgrades_refused_total\{reason="connectionsPerAddress"\} 1$/m);
    await Promise.all(clients.map((client) => client.cut()));
  });

  it("[A4] come 2 000 at once from one address without a refusal", async () => {
    const hub = await start({});
    const clients = await Promise.all(Array.from({ length: 2_000 }, () => RawClient.open(hub.url)));
    expect(clients).toHaveLength(2_000);
    await Promise.all(clients.map((client) => client.cut()));
  });
});
