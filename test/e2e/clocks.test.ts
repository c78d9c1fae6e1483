/**
 * Wall clocks that are set while hubs run. The hubs are real processes whose `Date.now` is moved by a file and a signal: what the system
 * clock of a machine would do to them, without moving the clock of this one.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Copse, connect } from "@copse/client";
import { afterEach, describe, expect, it } from "vitest";
import { EnsembleProcesses, type MemberProcess, metric } from "../support/ensemble.ts";
import { temporaryFolder } from "../support/hub.ts";
import { command, copse, killAll, until } from "../support/processes.ts";

const hourMs = 3_600_000;
const clients: Copse[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  killAll();
});

async function connected(urls: string | readonly string[]): Promise<Copse> {
  const client = await connect(urls);
  clients.push(client);
  return client;
}

/** A command whose wall clock can be set. */
class Clock {
  readonly #file: string = join(temporaryFolder("clock"), "offset");
  readonly command: string = join(temporaryFolder("clock"), "copse.mjs");

  constructor() {
    this.start(0);
    writeFileSync(
      this.command,
      `import { readFileSync } from "node:fs";
const now = Date.now.bind(Date);
let offset = 0;
const set = () => { offset = Number(readFileSync(${JSON.stringify(this.#file)}, "utf8")); };
set();
process.on("SIGUSR2", set);
Date.now = () => now() + offset;
await import(${JSON.stringify(pathToFileURL(command).href)});
`,
    );
  }

  /** How far ahead the clock is for what starts from now on. */
  start(offsetMs: number): void {
    writeFileSync(this.#file, String(offsetMs));
  }

  /** Sets the clock of a member that runs, and waits until it shows. */
  async set({ process, port }: MemberProcess, offsetMs: number): Promise<void> {
    this.start(offsetMs);
    const before = await metric(port, "copse_wall_offset_seconds");
    process.child.kill("SIGUSR2");
    await until(async () => Math.abs((await metric(port, "copse_wall_offset_seconds")) - before) > 60 || undefined);
  }
}

/** Looks for TTLs that are over twice a second. */
function eagerReaper(): readonly string[] {
  const file = join(temporaryFolder("config"), "config.json");
  writeFileSync(file, JSON.stringify({ reapMs: 500 }));
  return ["--config", file];
}

/** Creates a znode of a short TTL, and waits until it was removed: the reaper has looked at every znode since. */
async function reaped(client: Copse, path: string): Promise<void> {
  await client.create(path, null, { ttl: 300 });
  await until(async () => (await client.exists(path)) === null || undefined);
}

describe("a wall clock that is set", () => {
  it("[T1] [T3] [T4] ahead or back removes nothing early and nothing late; an admin may step the time", async () => {
    const clock = new Clock();
    const ensemble = await EnsembleProcesses.start(1, { command: clock.command, flags: eagerReaper() });
    const [hub] = ensemble.members as [MemberProcess];
    const client = await connected(hub.url);
    await client.create("/half", null, { ttl: hourMs / 2 });
    await clock.set(hub, hourMs);
    await hub.process.printed(/"wallOffsetSeconds":3\d\d\d.*ahead of the state's time/);
    await reaped(client, "/short");
    const { ctime } = (await client.create("/now", null)).stat;
    expect(Math.abs(ctime - Date.now())).toBeLessThan(60_000);
    expect(await client.exists("/half")).not.toBe(null);

    await clock.set(hub, -hourMs);
    await hub.process.printed(/"wallOffsetSeconds":-3\d\d\d.*behind the state's time/);
    await reaped(client, "/short");
    expect((await client.create("/later", null)).stat.ctime).toBeGreaterThan(ctime);

    const kept = await copse(hub.url, "time", "step");
    expect(kept.out).toMatch(/behind\)\nThe state's time never goes back/);
    await clock.set(hub, hourMs);
    expect((await copse(hub.url, "time")).out).toMatch(/^state {11}20.*\nclock of 1 {6}20.*\(3\d\d\d s ahead\)\n$/);
    expect(await client.exists("/half")).not.toBe(null);
    expect((await copse(hub.url, "time", "step")).out).toContain("the clock is with it");
    await until(async () => (await client.exists("/half")) === null || undefined);
    expect(Math.abs(await metric(hub.port, "copse_wall_offset_seconds"))).toBeLessThan(60);
  });

  it("[T2] on the leader is not taken by the next; only a start of all members takes a clock that is ahead", async () => {
    const clock = new Clock();
    const ensemble = await EnsembleProcesses.start(3, { command: clock.command });
    const client = await connected(ensemble.urls);
    const ctime = async (path: string): Promise<number> => (await client.create(path, null)).stat.ctime;
    const first = await ctime("/first");
    for (const member of ensemble.members) await clock.set(member, hourMs);
    const leader = await ensemble.leader();
    await leader.process.kill9();
    await ensemble.restart(leader);
    for (const member of ensemble.members.filter((one) => one !== leader)) {
      await ensemble.leader();
      expect((await ctime(`/after-${member.id}`)) - first).toBeLessThan(hourMs / 2);
      await member.process.kill9();
      await ensemble.restart(member);
    }
    await ensemble.leader();
    expect((await ctime("/once-more")) - first).toBeLessThan(hourMs / 2);

    for (const member of ensemble.members) await member.process.kill9();
    await Promise.all(ensemble.members.map((member) => ensemble.restart(member)));
    await ensemble.leader();
    expect((await ctime("/anew")) - first).toBeGreaterThan(hourMs - 60_000);
  });
});
