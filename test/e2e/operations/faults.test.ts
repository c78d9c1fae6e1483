/** What an operator has seen go wrong: each ends, says so, or goes on, as it must. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { EnsembleProcesses, metric } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { mayUse, run } from "../../support/machine.ts";
import { command, copse, freePort, killAll, Process, serve, until } from "../../support/processes.ts";
import { RawClient } from "../../support/raw-client.ts";
import { Relay } from "../../support/relay.ts";

const cleanUps: (() => void)[] = [];

afterEach(async () => {
  await killAll();
  for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
});

/** A disk of so many megabytes. */
function smallDisk(megabytes: number): string {
  const folder = temporaryFolder("disk");
  run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder);
  cleanUps.push(() => run("umount", "-l", folder));
  return folder;
}

/** Resolves to the exit code within the time that a stop may take; five times that is allowed. */
async function exitCodeOf(process: Process, ms = 10_000): Promise<number | null | "alive"> {
  return Promise.race([process.exited, new Promise<"alive">((resolve) => setTimeout(() => resolve("alive"), 5 * ms).unref())]);
}

describe("a disk that is full", () => {
  it("ends the process, data and audit on one disk, and a stop with it full ends too", { timeout: 120_000 }, async () => {
    if (!mayUse("a full disk", ["mount", "mount"])) return;
    const disk = smallDisk(3);
    const hub = await serve(join(disk, "data"), await freePort(), "--audit-file", join(disk, "audit"));
    const client = await RawClient.connect(`${hub.url}/v1`);
    for (let at = 0; at < 60; at++) client.sendAll([{ op: "create", path: `/n${at}`, data: "x".repeat(100_000) }]);
    expect(await exitCodeOf(hub.process, 2_000)).toBe(1);
    expect(hub.process.err).toContain("ENOSPC");
  });

  it("refuses writes that grow before it is, and goes on with what needs no more; with room it takes them again", {
    timeout: 120_000,
  }, async () => {
    if (!mayUse("a full disk", ["mount", "mount"])) return;
    const disk = smallDisk(32);
    const hub = await serve(join(disk, "data"), await freePort());
    const client = await RawClient.connect(`${hub.url}/v1`);
    await client.ask({ op: "create", path: "/old", data: "value" });
    const filler = join(disk, "filler");
    writeFileSync(filler, Buffer.alloc(31 * 1_048_576 - 400_000));
    await hub.process.printed(/the disk is nearly full/);
    expect(await client.ask({ op: "create", path: "/new" })).toMatchObject({
      error: { code: "QUOTA_EXCEEDED", message: expect.stringContaining("disk") },
    });
    expect(await client.ask({ op: "set", path: "/old", data: "a longer value" })).toMatchObject({ error: { code: "QUOTA_EXCEEDED" } });
    expect((await client.ask({ op: "set", path: "/old", data: "less" })).error).toBeUndefined();
    expect((await client.ask({ op: "get", path: "/old" }))["data"]).toBe("less");
    const answer = await fetch(`http://127.0.0.1:${hub.port}/readyz?verbose`);
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("[!] space: ")]);
    expect(await metric(hub.port, "copse_disk_pressed")).toBe(1);
    expect((await client.ask({ op: "delete", path: "/old" })).error).toBeUndefined();
    rmSync(filler);
    await hub.process.printed(/the disk has room again/);
    expect((await client.ask({ op: "create", path: "/new" })).error).toBeUndefined();
    // A session that ends needs no room, and neither does one that begins.
    expect((await RawClient.connect(`${hub.url}/v1`)).session["error"]).toBeUndefined();
  });

  it("of the audit log alone stops the hub, or loses lines that are counted, as it was told", { timeout: 120_000 }, async () => {
    if (!mayUse("a full disk", ["mount", "mount"])) return;
    const write = async (url: string): Promise<void> => {
      const client = await RawClient.connect(`${url}/v1`);
      for (let at = 0; at < 20; at++) await client.ask({ op: "set", path: "/", data: `${at}` }).catch(() => {});
      client.socket.close();
    };
    const full = (): string => {
      const disk = smallDisk(1);
      writeFileSync(join(disk, "filler"), "x".repeat(1_048_576 - 4_096));
      return join(disk, "audit");
    };
    const strict = await serve(temporaryFolder("strict"), await freePort(), "--audit-file", full());
    await Promise.race([
      until(() =>
        write(strict.url).then(
          () => false,
          () => true,
        ),
      ),
      strict.process.exited,
    ]);
    expect(await exitCodeOf(strict.process, 2_000)).toBe(1);
    expect(strict.process.err).toContain("the audit log can't be written");
    const lax = await serve(temporaryFolder("lax"), await freePort(), "--audit-file", full(), "--audit-on-error", "drop");
    await until(async () => {
      await write(lax.url);
      return (await metric(lax.port, "copse_audit_dropped_total")) > 0;
    });
    expect(lax.process.err).toContain("lines of the audit log are lost");
    lax.process.child.kill("SIGTERM");
    expect(await exitCodeOf(lax.process)).toBe(0);
  });
});

describe("a signal", () => {
  it("that has another use elsewhere ends nothing and opens no debugger; SIGTERM right after the start stops it", async () => {
    const hub = await serve(temporaryFolder("signals"), await freePort());
    for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) hub.process.child.kill(signal);
    expect((await copse(hub.url, "ls", "/")).code).toBe(0);
    expect(hub.process.err).not.toContain("Debugger");
    hub.process.child.kill("SIGTERM");
    expect(await exitCodeOf(hub.process)).toBe(0);
    const early = new Process(process.execPath, [
      command,
      "serve",
      "--data",
      temporaryFolder("early"),
      "--listen",
      `127.0.0.1:${await freePort()}`,
    ]);
    early.child.kill("SIGTERM");
    expect(await exitCodeOf(early)).not.toBe("alive");
  });

  it("SIGHUP to a lock's holder stops what runs under it, and lets the lock go", async () => {
    const hub = await serve(temporaryFolder("hangup"), await freePort());
    const holder = new Process(process.execPath, [command, "--url", hub.url, "lock", "/l", "--", "sh", "-c", "echo held; exec sleep 600"]);
    await holder.printed(/held/);
    holder.child.kill("SIGHUP");
    expect(await exitCodeOf(holder)).not.toBe("alive");
    expect((await copse(hub.url, "ls", "/l")).out).toBe("");
  });
});

describe("a configuration file", () => {
  it("is strict: what is not known, or of another kind, is named with its place, and nothing starts", async () => {
    const wrong: [object, RegExp][] = [
      [{ "trust-proxy": ["10.0.0.0/8"] }, /trust-proxy: there is no such setting; it is trustProxy/],
      [{ colour: "blue" }, /colour: there is no such setting/],
      [{ insecure: "no" }, /insecure: must be true or false/],
      [{ segmentBytes: -1 }, /segmentBytes: must be a positive integer/],
      [{ limits: { watches: "many" } }, /limits: must be an object of positive numbers/],
      [{ budgets: { wishes: 3 } }, /budgets\.wishes: there is no such budget/],
    ];
    for (const [config, words] of wrong) {
      const file = join(temporaryFolder("config"), "copse.json");
      writeFileSync(file, JSON.stringify(config));
      const hub = new Process(process.execPath, [command, "serve", "--config", file, "--data", temporaryFolder("never")]);
      expect([config, await hub.exited, words.test(hub.err)]).toEqual([config, 2, true]);
    }
  });
});

describe("a login", () => {
  it("of four hundred clients with one password derives it once, and so does their return", { timeout: 60_000 }, async () => {
    const hub = await serve(temporaryFolder("logins"), await freePort());
    const auth = [{ scheme: "digest", credential: "worker:secret" }];
    const clients = await Promise.all(Array.from({ length: 400 }, () => RawClient.connect(`${hub.url}/v1`, { auth, timeout: 10_000 })));
    expect(clients.filter(({ session }) => session["error"] !== undefined)).toEqual([]);
    const derived = await metric(hub.port, "copse_derivations_total");
    // Two are derived at once.
    expect(derived).toBeLessThanOrEqual(2);
    const { id, secret } = clients[0]!.session["session"];
    expect((await RawClient.connect(`${hub.url}/v1`, { auth, session: { id, secret } })).session).toMatchObject({ resumed: true });
    expect(await metric(hub.port, "copse_derivations_total")).toBe(derived);
    for (const { socket } of clients) socket.close();
  });

  it("of a session that has proved its password derives nothing when the hub has started anew", { timeout: 60_000 }, async () => {
    const data = temporaryFolder("return");
    const port = await freePort();
    const auth = [{ scheme: "digest", credential: "worker:secret" }];
    const hub = await serve(data, port);
    const { session } = (await RawClient.connect(`${hub.url}/v1`, { auth })).session;
    await hub.process.kill9();
    await serve(data, port);
    const back = await RawClient.connect(`${hub.url}/v1`, { auth, session: { id: session.id, secret: session.secret } });
    expect(back.session).toMatchObject({ resumed: true, identities: [{ scheme: "digest" }, { scheme: "scrypt" }] });
    expect(await metric(port, "copse_derivations_total")).toBe(0);
    // Whoever lacks the session's secret learns nothing by it.
    const thief = await RawClient.open(`${hub.url}/v1`);
    expect(await thief.ask({ op: "connect", auth, session: { id: session.id, secret: "x" } })).toMatchObject({
      error: { code: "SESSION_EXPIRED" },
    });
    expect(await metric(port, "copse_derivations_total")).toBe(1);
  });
});

describe("a peer", () => {
  it("behind a black hole is down for the others soon, although they go on sending to it, and the log says why", {
    timeout: 120_000,
  }, async () => {
    const relays = [new Relay(), new Relay(), new Relay()];
    cleanUps.push(() => {
      for (const relay of relays) relay.close();
    });
    const ports = [await freePort(), await freePort(), await freePort()];
    const holes = [await relays[0]!.listen(), await relays[1]!.listen(), await relays[2]!.listen()];
    for (const [at, relay] of relays.entries()) relay.to = ports[at]!;
    const peers = holes.map((port, at) => `${at + 1}=127.0.0.1:${port}`).join(",");
    const start = async (id: number): Promise<{ process: Process; port: number }> => {
      const port = await freePort();
      const listen = ["--listen", `127.0.0.1:${port}`, "--peer-listen", `127.0.0.1:${ports[id - 1]}`];
      const process_ = new Process(process.execPath, [
        command,
        "serve",
        "--id",
        `${id}`,
        "--peers",
        peers,
        ...listen,
        "--data",
        temporaryFolder("hole"),
      ]);
      return { process: process_, port };
    };
    const members = await Promise.all([1, 2, 3].map(start));
    for (const { process: one } of members) await one.printed(/copse serves/);
    const stateOf = async (): Promise<string> => {
      const { out } = await copse(`ws://127.0.0.1:${members[1]!.port}`, "member", "list", "-o", "json");
      return (JSON.parse(out) as { members: { id: string; state: string }[] }).members.find(({ id }) => id === "1")?.state ?? "";
    };
    await until(async () => (await stateOf()) === "up");
    // The first is dialled by the others; once it has no link, it dials them, and that is lost too.
    relays[0]!.swallow();
    for (const relay of relays.slice(1)) relay.swallowNew();
    await expect.poll(stateOf, { timeout: 20_000, interval: 500 }).toBe("down");
    const logs = (): string => members.map(({ process: one }) => one.err).join("");
    // Whichever end notices first cuts the link, and the other hears of that.
    await expect.poll(logs, { timeout: 20_000 }).toMatch(/"peer":"[123]","why":"it has said nothing for 1500 ms","msg":"link lost"/);
  });
});

describe("a member that starts", () => {
  it("is ready once it has what the others have, and says meanwhile how far behind it is", { timeout: 120_000 }, async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const away = await ensemble.follower();
    away.process.child.kill("SIGKILL");
    await away.process.exited;
    const leader = await ensemble.leader();
    const client = await RawClient.connect(`${leader.url}/v1`);
    for (let batch = 0; batch < 20; batch++) {
      const ids = client.sendAll(Array.from({ length: 500 }, () => ({ op: "set", path: "/", data: "x".repeat(500) })));
      await client.reply(ids.at(-1)!);
    }
    const { zxid } = await client.ask({ op: "sync" });
    await ensemble.restart(away);
    // Whenever it says that it is ready, it has nearly all.
    await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${away.port}/readyz`);
      const has = await metric(away.port, "copse_zxid");
      if (answer.status !== 200) return false;
      expect(has).toBeGreaterThan(zxid - 501);
      return true;
    });
    client.socket.close();
  });
});
