/** The whole state as a file, and what can be done with it and with data directories when nobody serves them. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "@copse/client";
import { afterEach, describe, expect, it } from "vitest";
import { EnsembleProcesses } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { copse, freePort, killAll, serve, until } from "../../support/processes.ts";
import { RawClient } from "../../support/raw-client.ts";

afterEach(killAll);

const auth = (): { scheme: string; credential: string }[] => [{ scheme: "scrypt", credential: "ann:secret" }];

describe("a snapshot", { timeout: 180_000 }, () => {
  it("[I7] is saved from any member under load, whole and of one zxid, and becomes a cluster that lacks nothing but sessions", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const folder = temporaryFolder("snapshots");
    const client = await connect(ensemble.urls, { auth });
    const identities = await client.whoami();
    const ann = identities.find(({ scheme }) => scheme === "scrypt")!;
    const all = ["read", "write", "create", "delete", "admin"] as const;
    await client.create("/secret", "x", { acl: [{ scheme: "scrypt", id: ann.id, perms: [...all] }] });
    await client.create("/box", null, { container: true });
    await client.create("/brief", null, { ttl: 3_600_000 });
    await client.create("/alive", null, { ephemeral: true });
    await client.create("/counted/n-", null, { sequential: true, parents: true });
    await client.create("/counted/n-", null, { sequential: true });
    await client.delete("/counted/n-0000000001");
    expect((await copse(ensemble.urls[0]!, "quota", "set", "/counted", "--count", "10")).code).toBe(0);
    const before = await client.exists("/secret");
    // Pairs that are written together stay together.
    await client.multi([
      { op: "create", path: "/left", data: "0" },
      { op: "create", path: "/right", data: "0" },
    ]);
    let isLoaded = true;
    const load = (async (): Promise<void> => {
      for (let count = 1; isLoaded; count++) {
        await client.multi([
          { op: "set", path: "/left", data: String(count) },
          { op: "set", path: "/right", data: String(count) },
        ]);
      }
    })();
    for (const [at, url] of ensemble.urls.entries()) {
      const saved = await copse(url, "-o", "json", "snapshot", "save", `${folder}/${at}.snap`);
      expect(saved).toMatchObject({ code: 0 });
      expect(JSON.parse(saved.out)).toMatchObject({ znodes: expect.any(Number), sessions: expect.any(Number) });
    }
    isLoaded = false;
    await load;
    const status = (await copse("ws://x", "-o", "json", "snapshot", "status", `${folder}/2.snap`)).out;
    const { zxid, cluster } = JSON.parse(status) as { zxid: number; cluster: string };
    expect(statSync(`${folder}/2.snap`).mode & 0o777).toBe(0o600);
    const restored = await copse("ws://x", "-o", "json", "snapshot", "restore", `${folder}/2.snap`, "--data", `${folder}/new`, "--id", "7");
    expect(restored).toMatchObject({ code: 0 });
    expect(JSON.parse(restored.out)).toMatchObject({ member: "7", raisedBy: 1_000_000_000, cluster: expect.not.stringContaining(cluster) });
    const hub = await serve(`${folder}/new`, await freePort(), "--id", "7", "--log-level", "warn");
    await until(async () => (await fetch(`http://127.0.0.1:${hub.port}/readyz`)).status === 200);
    const there = await connect(hub.url, { auth });
    // The password proves what it proved, so no ACL is broken; a stranger still reads nothing.
    expect(await there.whoami()).toContainEqual(ann);
    expect(await there.get("/secret")).toMatchObject({ data: "x", stat: before! });
    await expect(copse(hub.url, "get", "/secret")).resolves.toMatchObject({ code: 6 });
    expect([(await there.exists("/box"))?.container, (await there.exists("/brief"))?.ttl]).toEqual([true, 3_600_000]);
    expect(await there.exists("/alive")).toBeNull();
    const [left, right] = [await there.get("/left"), await there.get("/right")];
    expect(left.data).toBe(right.data);
    // Neither a name nor a token is given out twice.
    const { path, stat } = await there.create("/counted/n-", null, { sequential: true });
    expect(path).toBe("/counted/n-0000000002");
    expect(stat.czxid).toBeGreaterThan(zxid + 1_000_000_000);
    expect((await there.quotas()).map((quota) => quota.path)).toEqual(["/counted"]);
    for (const one of [client, there]) await one.close();
  });

  it("[I7] that is cut or altered anywhere is refused, and the file before stays; only admins are given one", async () => {
    const folder = temporaryFolder("broken");
    const hub = await serve(`${folder}/data`, await freePort(), "--log-level", "warn");
    const client = await connect(hub.url);
    await client.create("/a", "b".repeat(300_000));
    await client.close();
    const file = `${folder}/whole.snap`;
    expect((await copse(hub.url, "snapshot", "save", file)).out).toMatch(/^saved .*whole\.snap: \d+ znodes/);
    expect(await copse("ws://x", "snapshot", "verify", file)).toMatchObject({ code: 0 });
    const { size } = statSync(file);
    for (const bytes of [0, 1, 11, Math.floor(size / 2), size - 1]) {
      cpSync(file, `${folder}/cut.snap`);
      truncateSync(`${folder}/cut.snap`, bytes);
      expect([bytes, (await copse("ws://x", "snapshot", "verify", `${folder}/cut.snap`)).code]).toEqual([bytes, 1]);
    }
    for (const at of [5, 40, Math.floor(size / 2), size - 3]) {
      const bytes = readFileSync(file);
      bytes[at] = bytes[at]! ^ 1;
      writeFileSync(`${folder}/altered.snap`, bytes);
      const { code, err } = await copse("ws://x", "snapshot", "verify", `${folder}/altered.snap`);
      expect([at, code, err.split("\n").length]).toEqual([at, 1, 2]);
      expect((await copse("ws://x", "snapshot", "restore", `${folder}/altered.snap`, "--data", `${folder}/none`)).code).toBe(1);
      expect(existsSync(`${folder}/none`)).toBe(false);
    }
    // A directory that holds something is left alone.
    expect(await copse("ws://x", "snapshot", "restore", file, "--data", `${folder}/data`)).toMatchObject({ code: 1 });
    // A save that fails leaves the file that is there, and nothing beside it.
    await hub.process.kill9();
    expect((await copse(hub.url, "--timeout", "300", "snapshot", "save", file)).code).toBe(5);
    expect([statSync(file).size, readdirSync(folder).filter((name) => name.endsWith(".part"))]).toEqual([size, []]);
    const exposed = await serve(`${folder}/exposed`, await freePort(), "--origin", "https://app.example.com", "--log-level", "warn");
    expect((await copse(exposed.url, "snapshot", "save", `${folder}/stolen.snap`)).code).toBe(6);
    expect(existsSync(`${folder}/stolen.snap`)).toBe(false);
  });

  it("[I7] is read by few at once, in order, and begins anew where somebody lost it", async () => {
    const hub = await serve(temporaryFolder("readers"), await freePort(), "--log-level", "warn");
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(`${hub.url}/v1`)));
    await clients[0]!.ask({ op: "create", path: "/large", data: "x".repeat(900_000) });
    const first = await Promise.all(clients.map((client) => client.ask({ op: "snapshot" })));
    expect(first.filter(({ more }) => more === true)).toHaveLength(4);
    expect(first.filter(({ error }) => error?.code === "THROTTLED")).toHaveLength(1);
    const refused = clients[first.findIndex(({ error }) => error !== undefined)]!;
    expect(await refused.ask({ op: "snapshot", offset: 262_144 })).toMatchObject({ error: { code: "BAD_ARGUMENTS" } });
    for (const client of clients.filter((one) => one !== refused).slice(0, 1)) client.socket.close();
    await until(async () => (await refused.ask({ op: "snapshot" }))["more"] === true);
  });
});

describe("a hub that saves snapshots by itself", { timeout: 60_000 }, () => {
  it("keeps the newest, says when it can't, and goes on", async () => {
    const folder = temporaryFolder("scheduled");
    const to = ["--snapshot-every", "1s", "--snapshot-keep", "2", "--snapshot-to", `${folder}/saved`];
    writeFileSync(`${folder}/saved`, "a file stands where the folder should be");
    const hub = await serve(`${folder}/data`, await freePort(), ...to);
    await hub.process.printed(/the scheduled snapshot can't be saved/);
    expect((await copse(hub.url, "create", "/a", "1")).code).toBe(0);
    rmSync(`${folder}/saved`);
    const saved = (): string[] =>
      existsSync(`${folder}/saved`) ? readdirSync(`${folder}/saved`).filter((name) => name.endsWith(".snap")) : [];
    await until(async () => saved().length > 0);
    const [first] = saved();
    expect((await copse(hub.url, "set", "/a", "2")).code).toBe(0);
    await until(async () => !saved().includes(first!));
    await until(async () => saved().length === 2);
    const newest = `${folder}/saved/${saved().sort().at(-1)!}`;
    expect(await copse("ws://x", "snapshot", "verify", newest)).toMatchObject({ code: 0 });
    const text = await (await fetch(`http://127.0.0.1:${hub.port}/metrics`)).text();
    expect(Number(/^copse_scheduled_snapshots_failed_total (\S+)$/m.exec(text)?.[1])).toBeGreaterThan(0);
    hub.process.child.kill("SIGTERM");
    expect(await hub.process.exited).toBe(0);
  });
});

describe("a data directory that nobody serves", { timeout: 180_000 }, () => {
  it("goes on alone when the majority is lost, with what it has, as another cluster", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const client = await connect(ensemble.urls);
    await client.create("/a", "kept");
    const zxid = (await client.exists("/a"))!.czxid;
    const member = await ensemble.follower();
    await until(async () => (await copse(member.url, "get", "/a")).out.trim() === "kept");
    for (const { process } of ensemble.members) await process.kill9();
    expect((await copse("ws://x", "recover", "--data", member.data)).code).toBe(2);
    const verified = await copse("ws://x", "-o", "json", "verify", member.data);
    expect(JSON.parse(verified.out)).toMatchObject({ member: member.id, tornBytes: 0 });
    const records = (await copse("ws://x", "log", member.data)).out.trim().split("\n");
    expect(
      records
        .map((line) => JSON.parse(line) as { index: number })
        .every(({ index }, at, all) => at === 0 || index === all[at - 1]!.index + 1),
    ).toBe(true);
    expect(records.join("\n")).toContain('"path":"/a"');
    const recovered = await copse("ws://x", "recover", "--data", member.data, "--alone");
    expect(recovered).toMatchObject({ code: 0 });
    expect(recovered.err).toContain("are lost");
    const hub = await serve(member.data, member.port, "--id", member.id, "--log-level", "warn");
    await until(async () => (await fetch(`http://127.0.0.1:${hub.port}/readyz`)).status === 200);
    const there = await connect(hub.url);
    expect((await there.get("/a")).data).toBe("kept");
    expect((await there.create("/b")).stat.czxid).toBeGreaterThan(zxid + 1_000_000_000);
    expect((await there.ensemble()).members.map(({ id }) => id)).toEqual([member.id]);
    // A hub runs on it: no tool touches it.
    expect(await copse("ws://x", "verify", member.data)).toMatchObject({ code: 1, err: expect.stringContaining("in use") });
    await there.close();
  });

  it("with a damaged snapshot is served from the one before and the log, and says so; with two it is refused", async () => {
    const folder = temporaryFolder("fallback");
    const config = EnsembleProcesses.config({ snapshotLogBytes: 20_000, segmentBytes: 20_000 });
    const start = async (): Promise<Awaited<ReturnType<typeof serve>>> => serve(folder, await freePort(), ...config);
    const snapshots = (): string[] => readdirSync(folder).filter((name) => name.endsWith(".snap"));
    const hub = await start();
    const client = await connect(hub.url);
    for (let count = 0; snapshots().length < 2 || count < 200; count++) await client.set("/", `${count} ${"x".repeat(500)}`);
    await client.set("/", "newest");
    await client.close();
    await hub.process.kill9();
    const damage = (name: string): void => {
      const bytes = readFileSync(`${folder}/${name}`);
      bytes[bytes.length - 2]! ^= 1;
      writeFileSync(`${folder}/${name}`, bytes);
    };
    const newest = snapshots().sort().at(-1)!;
    damage(newest);
    const again = await start();
    expect((await again.process.printed(/"damaged":\["[^"]+"\]/))[0]).toContain(newest);
    expect((await copse(again.url, "get", "/")).out.trim()).toBe("newest");
    await again.process.kill9();
    for (const name of snapshots()) damage(name);
    const refused = await copse("ws://x", "serve", "--data", folder, "--listen", "127.0.0.1:0");
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining(".snap") });
  });

  it("that is damaged is said to be, with the file and the place", async () => {
    const folder = temporaryFolder("damaged");
    const hub = await serve(folder, await freePort(), "--log-level", "warn");
    const client = await connect(hub.url);
    for (let count = 0; count < 20; count++) await client.set("/", String(count));
    await client.close();
    await hub.process.kill9();
    expect((await copse("ws://x", "verify", folder)).out).toMatch(/: whole\. Member 1, /);
    const name = readdirSync(folder).find((one) => one.endsWith(".wal"))!;
    const bytes = readFileSync(`${folder}/${name}`);
    bytes[200] = bytes[200]! ^ 0xff;
    writeFileSync(`${folder}/${name}`, bytes);
    expect(await copse("ws://x", "verify", folder)).toMatchObject({ code: 1, err: expect.stringContaining(name) });
    expect((await copse("ws://x", "verify", `${folder}/nowhere`)).err).toContain("is not a data directory");
  });
});
