/** kill -9, SIGTERM, damaged files, failing disks: what a user has when it is over. */
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Change, connect } from "@copse/client";
import { afterEach, describe, expect, it } from "vitest";
import { CertificateAuthority } from "../support/certificates.ts";
import { temporaryFolder } from "../support/hub.ts";
import { command, copse, freePort, killAll, Process, root, serve, until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";

afterEach(killAll);

describe("kill -9", () => {
  it("loses nothing that was acknowledged, and everyone goes on where they were", async () => {
    const data = temporaryFolder("kill");
    const port = await freePort();
    let hub = await serve(data, port, "--log-level", "error");
    const writer = await connect(hub.url, { sessionTimeoutMs: 30_000 });
    const follower = await connect(hub.url, { sessionTimeoutMs: 30_000 });
    const states: string[] = [];
    follower.onState((state) => states.push(state));
    await writer.create("/log", "");
    const { stat: owned } = await writer.create("/alive", "here", { ephemeral: true });
    const watched: string[] = [];
    const watch = (async () => {
      for await (const { event, path } of follower.watch("/log", { mode: "recursive" })) {
        watched.push(`${event} ${path}`);
        if (path === "/log/end") return;
      }
    })();
    const changed: Change[] = [];
    const follow = (async () => {
      for await (const change of follower.changes("/log", { scope: "tree" })) {
        changed.push(change);
        if (change.path === "/log/end") return;
      }
    })();
    await follower.sync();

    const total = 1_500;
    const acknowledged = new Set<string>();
    let isKilled = false;
    const writes = Array.from({ length: total }, async (_, at) => {
      const { path } = await writer.create("/log/n-", `value ${at}`, { sequential: true });
      if (!isKilled) acknowledged.add(path);
      if (acknowledged.size === 1_000 && !isKilled) {
        isKilled = true;
        hub.process.child.kill("SIGKILL");
      }
      return { path, at };
    });
    await hub.process.exited;
    expect(acknowledged.size).toBe(1_000);
    hub = await serve(data, port, "--log-level", "error");
    const created = await Promise.all(writes);

    expect(new Set(created.map(({ path }) => path)).size).toBe(total);
    expect(created.map(({ path }) => path)).toEqual(Array.from({ length: total }, (_, at) => `/log/n-${String(at).padStart(10, "0")}`));
    const { children } = await writer.children("/log");
    expect(children).toHaveLength(total);
    for (const { path, at } of [created[0]!, created[999]!, created[1_000]!, created[total - 1]!])
      expect((await writer.get(path)).data).toBe(`value ${at}`);
    expect((await writer.create("/log/n-", "", { sequential: true })).path).toBe(`/log/n-${String(total).padStart(10, "0")}`);
    expect((await writer.exists("/alive"))!).toMatchObject({ czxid: owned.czxid, ephemeralOwner: writer.sessionId });

    await writer.create("/log/end");
    await Promise.all([watch, follow]);
    const paths = [...created.map(({ path }) => path), `/log/n-${String(total).padStart(10, "0")}`, "/log/end"];
    expect(watched).toEqual(paths.map((path) => `created ${path}`));
    expect(changed.filter(({ kind }) => kind === "created").map(({ path }) => path)).toEqual(paths);
    expect(changed.some(({ kind }) => kind === "resync")).toBe(false);
    expect(states).toEqual(["suspended", "connected"]);
    await writer.close();
    await follower.close();
    const { out } = await copse(hub.url, "stat", "/alive");
    expect(out).toBe("");
  });

  it("again and again, in the middle of snapshots and segments too", async () => {
    const data = temporaryFolder("again");
    const port = await freePort();
    const config = join(data, "copse.config.json");
    writeFileSync(config, JSON.stringify({ snapshotLogBytes: 20_000, segmentBytes: 10_000 }));
    const folder = join(data, "data");
    let hub = await serve(folder, port, "--log-level", "error", "--config", config);
    const client = await connect(hub.url);
    await client.create("/n", "0");
    let acknowledged = 0;
    let written = 0;
    for (let round = 0; round < 6; round++) {
      const killAt = acknowledged + 300;
      const writes = Array.from({ length: 400 }, async () => {
        await client.set("/n", String(++written).padEnd(100, "."));
        if (++acknowledged === killAt) hub.process.child.kill("SIGKILL");
      });
      await hub.process.exited;
      hub = await serve(folder, port, "--log-level", "error", "--config", config);
      await Promise.all(writes);
      expect((await client.get("/n")).stat.version).toBe(written);
    }
    const files = (suffix: string): string[] => readdirSync(folder).filter((name) => name.endsWith(suffix));
    // The newest two, and the log since the older; all that was written would be several times as many.
    await until(async () => files(".snap").length === 2);
    expect(files(".wal").length).toBeLessThan(12);
    hub.process.child.kill("SIGKILL");
    await hub.process.exited;
    await serve(folder, port, "--log-level", "error", "--config", config);
    expect((await client.get("/n")).stat.version).toBe(written);
    await client.close();
  });
});

describe("a data directory", () => {
  it("serves one process at a time, and a lock left by kill -9 is not in the way", async () => {
    const data = temporaryFolder("lock");
    const first = await serve(data, await freePort());
    const second = new Process(process.execPath, [command, "serve", "--data", data, "--listen", "127.0.0.1:0"]);
    expect(await second.exited).toBe(2);
    expect(second.err).toContain("is in use by another process");
    expect((await copse(first.url, "create", "/still", "works")).code).toBe(0);
    await first.process.kill9();
    expect(existsSync(join(data, "lock.sock"))).toBe(true);
    const third = await serve(data, await freePort());
    expect((await copse(third.url, "get", "/still")).out).toBe("works\n");
  });

  it("of another member, or with a damaged log, is refused with what to do", async () => {
    const data = temporaryFolder("damage");
    const hub = await serve(data, await freePort());
    for (let at = 0; at < 5; at++) await copse(hub.url, "create", `/n${at}`, "x");
    await hub.process.kill9();
    const other = new Process(process.execPath, [command, "serve", "--data", data, "--id", "2", "--listen", "127.0.0.1:0"]);
    expect(await other.exited).toBe(2);
    expect(other.err).toContain("belongs to member 1");
    const file = join(data, readdirSync(data).find((name) => name.endsWith(".wal"))!);
    const bytes = readFileSync(file);
    appendFileSync(file, Buffer.from([0, 0xc0, 1, 0x95, 0, 0, 1, 0, 1, 2, 3]));
    await (await serve(data, await freePort())).process.kill9();
    // After the records there is room, in zeros.
    const written = bytes.findLastIndex((byte) => byte !== 0) + 1;
    bytes[written >> 1]! ^= 1;
    writeFileSync(file, bytes);
    const refused = new Process(process.execPath, [command, "serve", "--data", data, "--listen", "127.0.0.1:0"]);
    expect(await refused.exited).toBe(1);
    expect(refused.err).toMatch(/\.wal: a record at byte \d+ is damaged, and a whole one follows .* Restore the data directory/);
  });

  it("that can't be written ends the process, and what was acknowledged is there afterwards", async () => {
    const data = temporaryFolder("full");
    const port = await freePort();
    // A limit on the size of files stands in for a full disk: the write that passes it fails.
    const limited = new Process("sh", [
      "-c",
      `ulimit -f 200; exec "${process.execPath}" "${command}" serve --data "${data}" --listen 127.0.0.1:${port}`,
    ]);
    await limited.printed(/copse serves/);
    const client = await connect(`ws://127.0.0.1:${port}`, { sessionTimeoutMs: 60_000 });
    const acknowledged: string[] = [];
    const writes = Array.from({ length: 60 }, async (_, at) => {
      await client.create(`/n${String(at).padStart(3, "0")}`, "x".repeat(10_000));
      acknowledged.push(`n${String(at).padStart(3, "0")}`);
    });
    expect(await limited.exited).toBe(1);
    expect(limited.err).toContain("fatal error, exiting");
    const before = [...acknowledged];
    expect(before.length).toBeLessThan(60);
    await serve(data, port);
    await Promise.all(writes);
    const { children } = await client.children("/");
    expect(children).toEqual(expect.arrayContaining(before));
    expect(children).toHaveLength(61);
    await client.close();
  });
});

describe("SIGTERM", () => {
  it("closes connections with 1001, keeps what was acknowledged, and ends with 0", async () => {
    const data = temporaryFolder("term");
    const port = await freePort();
    const hub = await serve(data, port);
    const client = await RawClient.connect(`${hub.url}/v1`);
    client.sendAll(Array.from({ length: 500 }, () => ({ op: "create", path: "/n-", sequential: true })));
    hub.process.child.kill("SIGTERM");
    expect((await client.closed).code).toBe(1001);
    expect(await hub.process.exited).toBe(0);
    const acknowledged = client.received.filter((message) => message["path"] !== undefined).map((message) => message["path"].slice(1));
    const again = await serve(data, port);
    const { out } = await copse(again.url, "ls", "/");
    expect(out.split("\n")).toEqual(expect.arrayContaining(acknowledged));
  });
});

describe("secrets", () => {
  it("and data never appear in logs, metrics or the log of the disk", async () => {
    const data = temporaryFolder("canary");
    const hub = await serve(data, await freePort(), "--log-level", "trace");
    const client = await RawClient.connect(`${hub.url}/v1`, { auth: [{ scheme: "digest", credential: "user:canary-password" }] });
    const { secret } = client.session["session"];
    await client.ask({ op: "create", path: "/canary-path", data: "canary-data" });
    await client.ask({ op: "auth", scheme: "digest", credential: "other:canary-password" });
    client.sendText('{"id":99,"op":"canary-op","canary":');
    await client.closed;
    const metrics = await (await fetch(`${hub.page}/metrics`)).text();
    hub.process.child.kill("SIGTERM");
    await hub.process.exited;
    const logged = hub.process.out + hub.process.err + metrics;
    expect(logged).not.toContain("canary");
    expect(logged).not.toContain(secret);
    const disk = readdirSync(data)
      .filter((name) => name.endsWith(".wal"))
      .map((name) => readFileSync(join(data, name), "utf8"))
      .join("");
    expect(disk).toContain("canary-data");
    expect(disk).not.toContain("canary-password");
    expect(disk).not.toContain(secret);
  });
});

describe("TLS", () => {
  it("serves wss and https", async () => {
    const { key, cert } = new CertificateAuthority().sign("localhost");
    const port = await freePort();
    const hub = new Process(process.execPath, [
      command,
      "serve",
      "--data",
      temporaryFolder("tls"),
      "--listen",
      `127.0.0.1:${port}`,
      "--tls-cert",
      cert,
      "--tls-key",
      key,
    ]);
    await hub.printed(/copse serves wss:/);
    const get = new Process(process.execPath, [command, "--url", `wss://127.0.0.1:${port}`, "get", "/copse/config"], {
      cwd: root,
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
    });
    expect(await get.exited).toBe(0);
    expect(get.out).toContain(`wss://127.0.0.1:${port}`);
  });
});
