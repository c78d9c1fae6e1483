/**
 * Members as processes on disks that fail and fill, behind networks that part, under power that goes.
 */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { type Copse, connect } from "@copse/client";
import { afterEach, describe, expect, it } from "vitest";
import { CertificateAuthority } from "../support/certificates.ts";
import { EnsembleProcesses, type MemberProcess } from "../support/ensemble.ts";
import { temporaryFolder } from "../support/hub.ts";
import { mayUse, run } from "../support/machine.ts";
import { command, killAll, Process, until } from "../support/processes.ts";

const cleanUps: (() => void)[] = [];

afterEach(() => {
  killAll();
  for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
});

/** Writes `count` values, all of which are acknowledged; gives the last version. */
async function write(client: Copse, path: string, count: number): Promise<number> {
  let version = 0;
  for (let at = 0; at < count; at++) version = (await client.set(path, `${at}`.padEnd(200, "."))).version;
  return version;
}

describe("a member whose disk fails", () => {
  it("ends at the first durable write that fails, and the others lose nothing", async () => {
    if (!mayUse("a failing disk", ["strace", "strace"])) return;
    const ensemble = await EnsembleProcesses.start(3);
    const client = await connect(ensemble.urls);
    await client.create("/n", null);
    await write(client, "/n", 20);
    const leader = await ensemble.leader();
    const log = `${ensemble.folder}/strace`;
    const pid = String(leader.process.child.pid);
    const tracer = spawn("strace", [
      "-f",
      "-qq",
      "-o",
      log,
      "-e",
      "trace=fdatasync,fsync,pwrite64",
      "-e",
      "inject=fdatasync,fsync,pwrite64:error=EIO",
      "-p",
      pid,
    ]);
    cleanUps.push(() => tracer.kill("SIGKILL"));
    const [version] = await Promise.all([write(client, "/n", 200), leader.process.exited]);
    expect(version).toBe(220);
    expect(run("cat", log)).toContain("INJECTED");
    expect(leader.process.err).toContain("EIO");
    expect((await client.get("/n", { linearizable: true })).stat.version).toBe(220);
    await client.close();
  });

  it("ends when its disk is full, and comes back when there is room", async () => {
    if (!mayUse("a full disk", ["mount", "mount"])) return;
    const ensemble = await EnsembleProcesses.start(3);
    const client = await connect(ensemble.urls);
    await client.create("/n", null);
    const full = await ensemble.follower();
    full.process.child.kill("SIGTERM");
    await full.process.exited;
    const room = `${ensemble.folder}/room`;
    mkdirSync(room);
    run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", room);
    cleanUps.push(() => run("umount", "-l", room));
    run("cp", "-a", `${full.data}/.`, room);
    const small: MemberProcess = { ...full, data: room };
    await ensemble.restart(small);
    const big = "x".repeat(20_000);
    for (let at = 0; at < 40; at++) await client.set("/n", big);
    expect(await small.process.exited).toBe(1);
    expect(small.process.err).toContain("ENOSPC");
    run("mount", "-o", "remount,size=64m", room);
    await ensemble.restart(small);
    await write(client, "/n", 5);
    await until(async () => (await connectedZxid(small.url)) >= client.zxid);
    await client.close();
  });
});

async function connectedZxid(url: string): Promise<number> {
  const reader = await connect(url, { readOnly: true });
  await reader.get("/");
  const { zxid } = reader;
  await reader.close();
  return zxid;
}

describe("the power", () => {
  it("may go at any moment: what was acknowledged is on the disk", async () => {
    if (!mayUse("a power cut", ["mkfs.ext4", "e2fsprogs"], ["mount", "mount"])) return;
    const folder = temporaryFolder("power");
    const image = `${folder}/image`;
    const mounted = `${folder}/mounted`;
    mkdirSync(mounted);
    run("truncate", "-s", "64M", image);
    run("mkfs.ext4", "-q", "-F", image);
    const cuts = Number(process.env["COPSE_POWER_CUTS"] ?? 3);
    let version = -1;
    for (let cut = 0; cut <= cuts; cut++) {
      run("mount", "-o", "loop", image, mounted);
      cleanUps.push(() => run("sh", "-c", `umount -l ${mounted} 2>/dev/null || true`));
      const hub = new Process(process.execPath, [
        command,
        "serve",
        "--data",
        `${mounted}/data`,
        "--listen",
        "127.0.0.1:0",
        "--log-level",
        "error",
      ]);
      const [, url = ""] = await hub.printed(/copse serves (ws:\S+)\/v1/);
      const client = await connect(url);
      if (cut === 0) await client.create("/n", null);
      else expect((await client.get("/n", { linearizable: true })).stat.version).toBeGreaterThanOrEqual(version);
      version = (await client.get("/n")).stat.version;
      let isOver = false;
      const writing = (async () => {
        while (!isOver) version = (await client.set("/n", `${version}`)).version;
      })().catch(() => {});
      const from = version;
      await until(async () => version > from + 30);
      // What is on the device now is what the next start finds: the page cache of the mounted system goes with the power.
      const acknowledged = version;
      run("cp", "--sparse=always", image, `${image}.cut`);
      isOver = true;
      await hub.kill9();
      void client.close();
      await writing;
      version = acknowledged;
      run("umount", "-l", mounted);
      run("mv", `${image}.cut`, image);
    }
  });
});

describe("certificates", () => {
  it("say who a member is: one with another's name is refused", async () => {
    const authority = new CertificateAuthority();
    const flagsOf = (name: string): string[] => {
      const { key, cert, ca } = authority.sign(name);
      return ["--peer-tls-cert", cert, "--peer-tls-key", key, "--peer-tls-ca", ca];
    };
    const ensemble = await EnsembleProcesses.start(3, { flagsOf: (id) => flagsOf(`copse-member-${id}`) });
    const client = await connect(ensemble.urls);
    await client.create("/n", "1");
    const masked = await ensemble.follower();
    await masked.process.kill9();
    ensemble.flagsOf = () => flagsOf("copse-member-9");
    await ensemble.restart(masked);
    await until(async () => ensemble.members.some(({ process }) => process.err.includes("its certificate is that of member 9")));
    expect((await fetch(`http://127.0.0.1:${masked.port}/readyz`)).status).toBe(503);
    await client.set("/n", "2");
    await client.close();
  });
});

describe("a network that parts", () => {
  it("leaves the majority going and the minority's leader without effect, and heals", async () => {
    if (!mayUse("a partition", ["ip", "iproute2"])) return;
    const ids = [1, 2, 3];
    const tag = `c${process.pid % 10_000}`;
    const bridge = `${tag}b`;
    run("ip", "link", "add", bridge, "type", "bridge");
    cleanUps.push(() => run("ip", "link", "del", bridge));
    run("ip", "addr", "add", "10.123.7.254/24", "dev", bridge);
    run("ip", "link", "set", bridge, "up");
    for (const id of ids) {
      run("ip", "netns", "add", `${tag}n${id}`);
      cleanUps.push(() => run("ip", "netns", "del", `${tag}n${id}`));
      run("ip", "link", "add", `${tag}v${id}`, "type", "veth", "peer", "name", "eth0", "netns", `${tag}n${id}`);
      run("ip", "link", "set", `${tag}v${id}`, "master", bridge, "up");
      run("ip", "-n", `${tag}n${id}`, "addr", "add", `10.123.7.${id}/24`, "dev", "eth0");
      for (const device of ["eth0", "lo"]) run("ip", "-n", `${tag}n${id}`, "link", "set", device, "up");
    }
    const folder = temporaryFolder("parting");
    writeFileSync(`${folder}/secret`, "between us members");
    const peers = ids.map((id) => `${id}=10.123.7.${id}:7281`).join(",");
    const urls = ids.map((id) => `ws://10.123.7.${id}:7181`);
    for (const id of ids) {
      const addresses = ["--listen", `10.123.7.${id}:7181`, "--peer-listen", `10.123.7.${id}:7281`, "--peers", peers];
      const flags = ["--data", `${folder}/${id}`, "--peer-secret-file", `${folder}/secret`, "--insecure", "--log-level", "error"];
      const member = new Process("ip", [
        "netns",
        "exec",
        `${tag}n${id}`,
        process.execPath,
        command,
        "serve",
        "--id",
        `${id}`,
        ...addresses,
        ...flags,
      ]);
      await member.printed(/copse serves/);
    }
    const client = await connect(urls, { sessionTimeoutMs: 6_000 });
    await client.create("/n", "before");
    const { leader } = (await client.ensemble()) as { leader: string };
    const away = Number(leader);
    const part = (verb: "add" | "del"): void => {
      // Packets between the leader and the others vanish; clients still reach everybody.
      for (const id of ids.filter((one) => one !== away)) {
        run("ip", "-n", `${tag}n${away}`, "route", verb, "blackhole", `10.123.7.${id}/32`);
        run("ip", "-n", `${tag}n${id}`, "route", verb, "blackhole", `10.123.7.${away}/32`);
      }
    };
    const reader = await connect(urls[away - 1]!, { readOnly: true });
    part("add");
    await client.set("/n", "during");
    const seen = await reader.get("/n", { linearizable: true }).then(
      ({ data }) => data,
      () => "no answer",
    );
    expect(["during", "no answer"]).toContain(seen);
    part("del");
    await until(async () => (await reader.get("/n")).data === "during");
    await client.set("/n", "after");
    await until(async () => (await reader.get("/n", { linearizable: true }).catch(() => null))?.data === "after");
    await client.close();
    await reader.close();
  });
});
