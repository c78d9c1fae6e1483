/**
 * How many may come, how often, and from where: an address has a share, and a proxy's word for one counts where it is trusted.
 *
 * The hubs are told to trust a proxy at 127.0.0.1, so that a test can come from any address.
 */
import { spawn } from "node:child_process";
import { connect as dial } from "node:net";
import { hashPassword } from "@copse/server";
import { afterEach, describe, expect, it } from "vitest";
import { EnsembleProcesses, metric } from "../../support/ensemble.ts";
import { type Hub, nativeUws, openIdentityFile, startHub, temporaryFolder } from "../../support/hub.ts";
import { command, freePort, killAll, serve } from "../../support/processes.ts";
import { type Message, RawClient } from "../../support/raw-client.ts";
import { frame, upgraded } from "../../support/raw-socket.ts";

const hubs: Hub[] = [];
afterEach(async () => {
  killAll();
  for (const hub of hubs.splice(0)) await hub.destroy();
});

/** A hub behind a proxy, over which anonymous sessions may write. */
async function behindProxy(settings: Parameters<typeof startHub>[0] = {}): Promise<Hub> {
  const hub = await startHub({ trustProxy: ["127.0.0.1"], anonymous: "session", ...settings });
  hubs.push(hub);
  return hub;
}

const from = (address: string): { headers: Record<string, string> } => ({ headers: { "X-Forwarded-For": address } });

async function connectFrom(hub: Hub, address: string, members: Message = {}): Promise<RawClient> {
  const client = await RawClient.open(hub.url, from(address));
  client.session = await client.ask({ op: "connect", ...members });
  return client;
}

const figures = async (hub: Hub): Promise<string> => (await fetch(`${hub.page}/metrics`)).text();

describe("an address", () => {
  it("[C13] has so many connections and no more, and others have theirs", async () => {
    const hub = await behindProxy({ budgets: { connectionsPerAddress: 3 } });
    const clients = [];
    for (let at = 0; at < 3; at++) clients.push(await connectFrom(hub, "192.0.2.1"));
    await expect(connectFrom(hub, "192.0.2.1")).rejects.toThrow("429");
    await connectFrom(hub, "192.0.2.2");
    expect(await figures(hub)).toContain('copse_upgrades_refused_total{reason="connectionsPerAddress"} 1');
    await clients[0]!.cut();
    await expect
      .poll(() =>
        connectFrom(hub, "192.0.2.1").then(
          () => "in",
          () => "out",
        ),
      )
      .toBe("in");
    // One host may have a whole network of IPv6 addresses.
    for (let at = 0; at < 3; at++) await connectFrom(hub, `[2001:db8:0:1::${at}]`);
    await expect(connectFrom(hub, "2001:db8:0:1:ffff::9")).rejects.toThrow("429");
    await connectFrom(hub, "2001:db8:0:2::1");
  });

  it("[A4] [C16] has a rate of new connections of its own, that only what is meant for us uses up", async () => {
    const hub = await behindProxy({ handshakes: { perSecond: 0.01, burst: 2 } });
    for (let at = 0; at < 5; at++) {
      const foreign = { headers: { ...from("192.0.2.1").headers, Origin: "https://evil.example.com" } };
      await expect(RawClient.open(hub.url, foreign)).rejects.toThrow("403");
      await expect(RawClient.open(`${hub.url}/other`, from("192.0.2.1"))).rejects.toThrow("404");
      await expect(RawClient.open(`${hub.url}?cluster=another`, from("192.0.2.1"))).rejects.toThrow("421");
    }
    for (let at = 0; at < 2; at++) await RawClient.open(hub.url, from("192.0.2.1"));
    await expect(RawClient.open(hub.url, from("192.0.2.1"))).rejects.toThrow("503");
    await RawClient.open(`${hub.url}?cluster=${hub.cluster}`, from("192.0.2.2"));
  });

  it("[C13] has so many sessions, on whatever connections they were opened", async () => {
    const hub = await behindProxy({ budgets: { sessionsPerAddress: 2 } });
    const first = await connectFrom(hub, "192.0.2.1");
    const second = await connectFrom(hub, "192.0.2.1");
    await second.cut();
    const third = await RawClient.open(hub.url, from("192.0.2.1"));
    expect((await third.ask({ op: "connect" }))["error"]).toMatchObject({ code: "QUOTA_EXCEEDED" });
    expect((await third.closed).code).toBe(4429);
    // Resuming takes none, reading takes none, and who ends one may open another.
    await connectFrom(hub, "192.0.2.1", { session: second.session["session"] });
    expect((await connectFrom(hub, "192.0.2.1", { readOnly: true })).session["error"]).toBeUndefined();
    expect((await connectFrom(hub, "192.0.2.2")).session["error"]).toBeUndefined();
    await first.ask({ op: "close" });
    expect((await connectFrom(hub, "192.0.2.1")).session["error"]).toBeUndefined();
  });

  it("guesses the super password so often in a minute, and is not listened to then", async () => {
    const hub = await behindProxy({ superHash: await hashPassword("the right one"), budgets: { superFailuresPerMinute: 3 } });
    const guess = async (address: string, credential: string): Promise<unknown> => {
      const client = await RawClient.open(hub.url, from(address));
      return (await client.ask({ op: "connect", auth: [{ scheme: "super", credential }] }))["error"]?.code as unknown;
    };
    for (let at = 0; at < 3; at++) expect(await guess("192.0.2.1", `guess ${at}`)).toBe("AUTH_FAILED");
    expect(await guess("192.0.2.1", "the right one")).toBe("THROTTLED");
    expect(await guess("192.0.2.2", "the right one")).toBeUndefined();
  });

  it("that has many credentials to derive holds up no other, and is told to come again where there are too many", {
    timeout: 120_000,
  }, async () => {
    const hub = await behindProxy({ budgets: { derivationsPerAddress: 40 } });
    const crowd = Array.from({ length: 60 }, (_, at) =>
      connectFrom(hub, "192.0.2.1", { auth: [{ scheme: "digest", credential: `user-${at}:right` }] }),
    );
    const order: string[] = [];
    const first = Promise.race(crowd);
    await first;
    const other = connectFrom(hub, "192.0.2.2", { auth: [{ scheme: "digest", credential: "other:right" }] }).then(() =>
      order.push("other"),
    );
    const answers = await Promise.all(
      crowd.map(async (client) => {
        const { session } = await client;
        order.push("crowd");
        return (session["error"]?.code ?? "in") as string;
      }),
    );
    await other;
    const busy = answers.filter((answer) => answer === "UNAVAILABLE").length;
    expect(busy).toBeGreaterThan(0);
    expect(answers.filter((answer) => answer === "in").length).toBe(60 - busy);
    // The other came in long before all of the crowd had.
    expect(order.lastIndexOf("crowd")).toBeGreaterThan(order.indexOf("other") + 5);
  });
});

describe("a connection", () => {
  it("[C14] asks so often, and what comes too often is refused and not done", async () => {
    const hub = await behindProxy({ isInsecure: true, budgets: { requestsPerSecond: 1, requestsBurst: 20 } });
    const client = await connectFrom(hub, "192.0.2.1");
    const ids = client.sendAll(Array.from({ length: 40 }, (_, at) => ({ op: "create", path: `/a-${at}` })));
    const codes = await Promise.all(ids.map(async (id) => (await client.reply(id))["error"]?.code as unknown));
    expect(codes.slice(0, 20)).toEqual(Array(20).fill(undefined));
    expect(codes.slice(-15)).toEqual(Array(15).fill("THROTTLED"));
    expect((await client.ask({ op: "ping" }))["error"]).toBeUndefined();
    const witness = await connectFrom(hub, "192.0.2.2");
    expect((await witness.ask({ op: "exists", path: "/a-39" }))["stat"]).toBeNull();
    // Who goes on all the same is closed.
    client.sendAll(Array.from({ length: 1_500 }, () => ({ op: "exists", path: "/" })));
    expect((await client.closed).code).toBe(4429);
  });

  it("sends so many bytes a second", async () => {
    const hub = await behindProxy({ isInsecure: true, budgets: { bytesPerSecond: 1_000, bytesBurst: 2_000_000 } });
    const client = await connectFrom(hub, "192.0.2.1");
    const set = { op: "create", path: "/a-", sequential: true, data: "x".repeat(900_000) };
    for (let at = 0; at < 2; at++) expect((await client.ask(set))["error"]).toBeUndefined();
    expect((await client.ask(set))["error"]).toMatchObject({ code: "THROTTLED" });
  });

  for (const transport of ["ws", "uws"] as const) {
    it(`[C15] that is silent, or stops in the middle of a frame, is asked and closed; one that answers stays (${transport})`, {
      timeout: 60_000,
    }, async () => {
      const hub = await behindProxy({ silenceMs: 400, uws: transport === "uws" ? await nativeUws() : null });
      const quiet = await RawClient.connect(hub.url, { readOnly: true });
      const closes = async (bytes: Buffer): Promise<void> => {
        const socket = await upgraded(hub.port);
        socket.on("error", () => {});
        socket.write(frame(1, Buffer.from('{"id":1,"op":"connect","readOnly":true}')));
        socket.write(bytes);
        const drip = setInterval(() => socket.write(Buffer.from(" ")), 100);
        await new Promise((resolve) => socket.once("close", resolve));
        clearInterval(drip);
      };
      const half = frame(1, Buffer.from(`{"id":2,"op":"get","path":"${"x".repeat(1_000)}"}`)).subarray(0, 100);
      await Promise.all([closes(half), closes(Buffer.alloc(0))]);
      expect((await quiet.ask({ op: "exists", path: "/" }))["error"]).toBeUndefined();
    });
  }
});

describe("behind a proxy", () => {
  for (const transport of ["ws", "uws"] as const) {
    it(`[A10] an address is what trusted proxies say, and nobody else (${transport})`, async () => {
      const hub = await behindProxy({ trustProxy: ["127.0.0.0/8", "10.0.0.0/8"], uws: transport === "uws" ? await nativeUws() : null });
      const ipOf = async (headers: Record<string, string>): Promise<unknown> => {
        const client = await RawClient.open(hub.url, { headers });
        await client.ask({ op: "connect", readOnly: true });
        const identities = (await client.ask({ op: "whoami" }))["identities"] as Message[];
        return identities.find(({ scheme }) => scheme === "ip")?.["id"] as unknown;
      };
      expect(await ipOf({ "X-Forwarded-For": "192.0.2.7" })).toBe("192.0.2.7");
      expect(await ipOf({ "X-Forwarded-For": "127.0.0.1, 192.0.2.7, 10.1.2.3" })).toBe("192.0.2.7");
      expect(await ipOf({ Forwarded: 'for="[2001:db8::7]:4711";proto=https, for=10.0.0.1' })).toBe("2001:db8::7");
      // What can't be told is no address: it fits no grant.
      expect(await ipOf({})).toBeUndefined();
      expect(await ipOf({ "X-Forwarded-For": "nonsense" })).toBeUndefined();
    });
  }

  it("is not listened to where nobody trusts it", async () => {
    const hub = await startHub();
    hubs.push(hub);
    const client = await RawClient.open(hub.url, from("192.0.2.7"));
    await client.ask({ op: "connect", readOnly: true });
    expect((await client.ask({ op: "whoami" }))["identities"]).toContainEqual({ scheme: "ip", id: "127.0.0.1" });
    await expect(startHub({ trustProxy: ["10.0.0.0/99"] })).rejects.toThrow("trust-proxy");
  });
});

describe("sockets that are no WebSocket", () => {
  it("[C13] are counted for their address, and cut where they take nothing of an answer", { timeout: 60_000 }, async () => {
    const data = temporaryFolder("plain");
    const flags = ["--log-level", "error", "--transport", "ws", "--origin", "https://app.example.com", "--identity", openIdentityFile()];
    const hub = await serve(data, await freePort(), ...flags, ...EnsembleProcesses.config({ budgets: { connectionsPerAddress: 20 } }));
    const ask = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    let cut = 0;
    const deaf = Array.from({ length: 60 }, () => {
      const socket = dial(hub.port, "127.0.0.1", () => socket.write(ask));
      socket.once("data", () => socket.pause());
      return socket.on("error", () => {}).once("close", () => cut++);
    });
    await expect.poll(() => cut, { timeout: 30_000 }).toBe(40);
    // Another address is served, and so is a WebSocket of this one.
    const other = dial({ port: hub.port, host: "127.0.0.1", localAddress: "127.0.0.2" }).on("error", () => {});
    other.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(String(await new Promise((resolve) => other.once("data", resolve)))).toContain("200 OK");
    const healthz = (): Promise<number> =>
      fetch(`${hub.page}/healthz`).then(
        ({ status }) => status,
        () => 0,
      );
    expect(await healthz()).toBe(0);
    await expect.poll(healthz, { timeout: 50_000, interval: 500 }).toBe(200);
    for (const socket of [...deaf, other]) socket.destroy();
  });
});

describe("a full table of descriptors", () => {
  for (const transport of ["ws", "uws"]) {
    it(`ends no member: connections leave room for its own files (${transport})`, { timeout: 120_000 }, async () => {
      const data = temporaryFolder("descriptors");
      const port = await freePort();
      const flags = ["serve", "--listen", `127.0.0.1:${port}`, "--data", data, "--log-level", "error", "--transport", transport];
      const config = EnsembleProcesses.config({ snapshotLogBytes: 2_000_000 });
      const limited = ["-c", `ulimit -n 200; exec "$0" "$@"`, process.execPath, command, ...flags, ...config];
      const child = spawn("sh", limited, { stdio: "ignore" });
      try {
        await expect.poll(() => metric(port, "copse_has_quorum").catch(() => 0), { timeout: 30_000 }).toBe(1);
        expect(await metric(port, 'copse_budget{budget="connections"}')).toBe(150);
        const witness = await RawClient.connect(`ws://127.0.0.1:${port}/v1`);
        const sockets = Array.from({ length: 400 }, () => dial(port, "127.0.0.1").on("error", () => {}));
        await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve).once("close", resolve))));
        for (let at = 0; at < 6; at++) {
          expect((await witness.ask({ op: "create", path: `/n-${at}`, data: "x".repeat(1_000_000) }))["error"]).toBeUndefined();
        }
        expect(child.exitCode).toBeNull();
        for (const socket of sockets) socket.destroy();
        await expect.poll(() => metric(port, "copse_snapshots_total").catch(() => 0), { timeout: 60_000 }).toBeGreaterThan(1);
        expect(child.exitCode).toBeNull();
      } finally {
        child.kill("SIGKILL");
      }
    });
  }
});

describe("an operator's port", () => {
  it("has health and figures, and the clients' port has them no more", async () => {
    const admin = await freePort();
    const hub = await serve(temporaryFolder("admin"), await freePort(), "--log-level", "error", "--admin-listen", `127.0.0.1:${admin}`);
    // Readiness is promised to who has a session.
    await RawClient.connect(`${hub.url}/v1`);
    const status = async (base: string, path: string): Promise<number> => (await fetch(base + path)).status;
    for (const path of ["/metrics", "/healthz", "/readyz"]) {
      expect([path, await status(`http://127.0.0.1:${admin}`, path), await status(hub.page, path)]).toEqual([path, 200, 404]);
    }
    expect(await status(hub.page, "/")).toBe(200);
  });

  it("answers those who ask very often from a text that is a second old at most", { timeout: 60_000 }, async () => {
    const hub = await startHub();
    hubs.push(hub);
    const client = await RawClient.connect(hub.url);
    const scrape = async (): Promise<string> => /^copse_requests_total\{op="exists"\} (\d+)/m.exec(await figures(hub))?.[1] ?? "0";
    let stale = 0;
    for (let at = 0; at < 120; at++) {
      await client.ask({ op: "exists", path: "/" });
      if (Number(await scrape()) < at + 1) stale++;
    }
    expect(stale).toBeGreaterThan(0);
    await expect.poll(scrape, { timeout: 5_000, interval: 300 }).toBe("120");
  });
});
