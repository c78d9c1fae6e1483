/**
 * What is held for strangers is weighed in bytes: each case held gigabytes, or ended the process, before there were books.
 *
 * The hub runs with a heap of a few hundred megabytes, so that what is not weighed ends it.
 */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { EnsembleProcesses, metric } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { freePort, killAll, type ServedHub, serve } from "../../support/processes.ts";
import { type Message, RawClient } from "../../support/raw-client.ts";
import { frame, upgraded } from "../../support/raw-socket.ts";

afterEach(killAll);

const MiB = 1_048_576;
const heapMiB = 256;

interface Small {
  readonly hub: ServedHub;
  readonly data: string;
  readonly port: number;
  readonly witness: RawClient;
  /** Resident memory of the hub, in MiB. */
  readonly memory: () => Promise<number>;
}

async function small(settings: object = {}, ...flags: string[]): Promise<Small> {
  const data = temporaryFolder("memory");
  const port = await freePort();
  const before = process.env["NODE_OPTIONS"];
  process.env["NODE_OPTIONS"] = `--max-old-space-size=${heapMiB}`;
  const hub = await serve(data, port, "--log-level", "error", ...EnsembleProcesses.config(settings), ...flags);
  if (before === undefined) delete process.env["NODE_OPTIONS"];
  else process.env["NODE_OPTIONS"] = before;
  const witness = await RawClient.connect(`${hub.url}/v1`);
  await witness.ask({ op: "create", path: "/witness", data: "here" });
  return { hub, data, port, witness, memory: async () => (await metric(port, "copse_process_resident_memory_bytes")) / MiB };
}

/** The hub lives, and serves others. */
async function expectServed({ hub, witness }: Small): Promise<void> {
  expect(await witness.ask({ op: "get", path: "/witness" })).toMatchObject({ data: "here" });
  const newcomer = await RawClient.connect(`${hub.url}/v1`);
  await newcomer.ask({ op: "close" });
}

describe("requests after a connect that waits", () => {
  it("are weighed as the bytes that came, and closed past the connection's share", { timeout: 120_000 }, async () => {
    const world = await small();
    const padding = "[".repeat(20).concat("]".repeat(20)).concat(",").repeat(10_000).slice(0, -1);
    for (let at = 0; at < 4; at++) {
      const client = await RawClient.open(`${world.hub.url}/v1`);
      client.send({ id: 1, op: "connect", lastZxid: Number.MAX_SAFE_INTEGER });
      for (let id = 2; id < 200 && client.socket.readyState === 1; id++)
        client.sendText(`{"id":${id},"op":"get","path":"/","x":[${padding}]}`);
      expect((await client.closed).code).toBe(4429);
    }
    expect(await world.memory()).toBeLessThan(heapMiB * 2);
    await expectServed(world);
  });

  it("[C13] [C14] of all connections together have a bound: who holds much is told so, who holds little notices nothing", {
    timeout: 120_000,
  }, async () => {
    const world = await small({ budgets: { receivedBytes: 20 * MiB } });
    const held: RawClient[] = [];
    for (let at = 0; at < 12; at++) {
      const client = await RawClient.connect(`${world.hub.url}/v1`, { readOnly: true });
      client.send({ id: 10, op: "get", path: "/", atLeast: Number.MAX_SAFE_INTEGER, padding: "x".repeat(2 * MiB - 1_000) });
      held.push(client);
    }
    expect((await held.at(-1)!.reply(10))["error"]).toMatchObject({ code: "THROTTLED" });
    expect(await metric(world.port, "copse_received_bytes")).toBeLessThan(24 * MiB);
    expect((await world.witness.ask({ op: "set", path: "/witness", data: "x".repeat(MiB / 2) }))["error"]).toMatchObject({
      code: "THROTTLED",
    });
    await expectServed(world);
    for (const client of held) await client.cut();
    await expect.poll(() => metric(world.port, "copse_received_bytes")).toBeLessThan(MiB);
    expect((await world.witness.ask({ op: "set", path: "/witness", data: "x".repeat(MiB / 2) }))["error"]).toBeUndefined();
  });
});

describe("a reply", () => {
  it("[C18] counts while it is built: a list too large is refused, and comes in pages", { timeout: 240_000 }, async () => {
    const world = await small();
    const long = `/${"x".repeat(3_900)}`;
    for (let at = 0; at < 6_000; at += 500) {
      const ops = Array.from({ length: 500 }, (_, next) => ({
        op: "create",
        path: `${long}${String(at + next).padStart(6, "0")}`,
        ephemeral: true,
      }));
      expect((await world.witness.ask({ op: "multi", ops }))["error"]).toBeUndefined();
    }
    expect((await world.witness.ask({ op: "ephemerals" }))["error"]).toMatchObject({ code: "TOO_LARGE" });
    let count = 0;
    for (let after: string | undefined; ; ) {
      const { paths, more } = await world.witness.ask({ op: "ephemerals", limit: 1_000, after });
      count += (paths as string[]).length;
      after = (paths as string[]).at(-1);
      if (more !== true) break;
    }
    expect(count).toBe(6_000);
    await expectServed(world);
  });

  it("[C13] [C15] waits for a reader only so long, and readers who take nothing are closed", { timeout: 240_000 }, async () => {
    const world = await small({ budgets: { unsentBytes: 32 * MiB, stallMs: 2_000 } });
    await world.witness.ask({ op: "create", path: "/large", data: "x".repeat(MiB) });
    const readers = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const socket = await upgraded(world.port);
        socket.write(frame(1, Buffer.from('{"id":1,"op":"connect","readOnly":true}')));
        socket.pause();
        for (let id = 2; id < 60; id++) socket.write(frame(1, Buffer.from(`{"id":${id},"op":"get","path":"/large"}`)));
        return socket;
      }),
    );
    await expect.poll(() => metric(world.port, "copse_unsent_bytes"), { timeout: 20_000 }).toBeGreaterThan(8 * MiB);
    expect(await metric(world.port, "copse_unsent_bytes")).toBeLessThan(150 * MiB);
    await expectServed(world);
    // Nothing of it stays.
    await expect.poll(() => metric(world.port, "copse_unsent_bytes"), { timeout: 60_000 }).toBe(0);
    expect(await metric(world.port, 'copse_over_budget_total{budget="stallMs"}')).toBe(40);
    for (const socket of readers) socket.destroy();
  });

  for (const transport of ["ws", "uws"]) {
    it(`to pings of the transport does not pile up for who does not read it (${transport})`, { timeout: 120_000 }, async () => {
      const world = await small({}, "--transport", transport);
      const socket = await upgraded(world.port);
      const gone = new Promise((resolve) => socket.once("close", resolve));
      socket.on("error", () => {});
      socket.write(frame(1, Buffer.from('{"id":1,"op":"connect","readOnly":true}')));
      socket.pause();
      const pings = Buffer.concat(Array.from({ length: 500 }, () => frame(9, Buffer.alloc(125))));
      let isGone = false;
      void gone.then(() => {
        isGone = true;
      });
      for (let sent = 0; sent < 200 * MiB && !isGone; sent += pings.length) {
        if (!socket.write(pings)) await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), gone]);
      }
      await gone;
      expect(await world.memory()).toBeLessThan(heapMiB * 2);
      await expectServed(world);
    });
  }
});

describe("ACLs", () => {
  it("are kept once and written once, however many znodes and changes name them", { timeout: 120_000 }, async () => {
    const world = await small({ snapshotLogBytes: MiB });
    const acl = Array.from({ length: 100 }, (_, at) => ({
      perms: ["read", "create"],
      scheme: "digest",
      id: `u${at}:${"\u0001".repeat(500)}`,
    }));
    const everyone = [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "world", id: "anyone" }];
    const ops = [
      { op: "create", path: "/closed", acl: [...acl.slice(1), ...everyone] },
      ...Array.from({ length: 1_500 }, (_, at) => ({ op: "create", path: `/closed/${at}` })),
    ];
    expect((await world.witness.ask({ op: "multi", ops }))["error"]).toBeUndefined();
    expect(await metric(world.port, "copse_acl_bytes")).toBeLessThan(2 * MiB);
    for (let at = 0; at < 3; at++) await world.witness.ask({ op: "set", path: "/witness", data: "y".repeat(MiB - 100) });
    await world.witness.ask({ op: "set", path: "/witness", data: "here" });
    await expect.poll(() => metric(world.port, "copse_snapshots_total")).toBeGreaterThan(1);
    const snapshots = readdirSync(world.data).filter((name) => name.endsWith(".snap"));
    expect(Math.max(...snapshots.map((name) => statSync(join(world.data, name)).size))).toBeLessThan(8 * MiB);
    // And the way back.
    await world.hub.process.kill9();
    const again = await serve(world.data, world.port, "--log-level", "error");
    const client = await RawClient.connect(`${again.url}/v1`);
    expect(await client.ask({ op: "count", path: "/closed" })).toMatchObject({ count: 1_500 });
    expect(((await client.ask({ op: "getAcl", path: "/closed" }))["acl"] as Message[]).length).toBe(100);
  });
});

describe("watches and subscriptions", () => {
  it("[C13] are weighed for their address, deep ones of a subtree no more than their paths", { timeout: 120_000 }, async () => {
    const world = await small({ budgets: { followedBytesPerAddress: 8 * MiB } });
    const client = await RawClient.connect(`${world.hub.url}/v1`);
    const deep = (at: number): string => `/${at}${"/a".repeat(254)}`;
    const before = await world.memory();
    let armed = 0;
    let refusal: Message | undefined;
    while (refusal === undefined && armed < 50_000) {
      const recursive = Array.from({ length: 500 }, (_, next) => deep(armed + next));
      refusal = (await client.ask({ op: "restoreWatches", since: 0, recursive }))["error"] as Message | undefined;
      if (refusal === undefined) armed += 500;
    }
    expect(refusal).toMatchObject({ code: "QUOTA_EXCEEDED", message: expect.stringContaining("an address") });
    expect(armed).toBeGreaterThan(2_000);
    expect(await world.memory()).toBeLessThan(before + 64);
    expect(await metric(world.port, "copse_followed_bytes")).toBeLessThanOrEqual(8 * MiB);
    const subscribe = async (): Promise<Message> => client.ask({ op: "subscribe", path: deep(0), scope: "node" });
    for (let at = 0; at < 2_000; at++) if ((await subscribe())["error"] !== undefined) break;
    expect((await subscribe())["error"]).toMatchObject({ code: "QUOTA_EXCEEDED", path: deep(0) });
    // What was set is heard of, and a place that is given back can be taken again.
    expect(await client.ask({ op: "removeWatch", path: deep(0), mode: "recursive" })).not.toHaveProperty("error");
    expect(await client.ask({ op: "addWatch", path: "/witness", mode: "persistent" })).not.toHaveProperty("error");
    await world.witness.ask({ op: "set", path: "/witness", data: "here" });
    await client.until(({ event, path }) => event === "changed" && path === "/witness");
    await client.cut();
    await expect.poll(() => metric(world.port, "copse_followed_bytes"), { timeout: 30_000 }).toBe(0);
    await expectServed(world);
  });
});

describe("a heap that is nearly full", () => {
  it("[C17] refuses what would make it grow, says so, and lives", { timeout: 240_000 }, async () => {
    const world = await small();
    let refusal: Message | undefined;
    for (let at = 0; refusal === undefined && at < 2 * heapMiB; at++) {
      refusal = (await world.witness.ask({ op: "create", path: `/fill-${at}`, data: "x".repeat(MiB) }))["error"] as Message | undefined;
    }
    expect(refusal).toMatchObject({ code: "QUOTA_EXCEEDED" });
    expect(await metric(world.port, "copse_heap_pressed")).toBe(1);
    const ready = await fetch(`${world.hub.page}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining("heap: nearly full")]);
    expect(await world.witness.ask({ op: "get", path: "/witness" })).toMatchObject({ data: "here" });
    expect((await world.witness.ask({ op: "set", path: "/witness", data: "ok" }))["error"]).toBeUndefined();
    // What shrinks makes room.
    for (let at = 0; at < heapMiB; at++) await world.witness.ask({ op: "delete", path: `/fill-${at}` });
    await expect
      .poll(
        async () =>
          (await world.witness.ask({ op: "create", path: "/small-", sequential: true, data: "x".repeat(100_000) }))["error"]
            ?.code as unknown,
        { timeout: 60_000 },
      )
      .toBeUndefined();
  });
});

describe("an ACL", () => {
  it("[C14] is as small for who has many identities: auth stands for all of them", async () => {
    const { hub, witness } = await small();
    const client = await RawClient.connect(`${hub.url}/v1`);
    for (let user = 0; user < 30; user++) {
      expect((await client.ask({ op: "auth", scheme: "digest", credential: `${"u".repeat(4_000)}${user}:x` }))["error"]).toBeUndefined();
    }
    const permissions = ["read", "write", "create", "delete", "admin"];
    const perms = (of: number): string[] => permissions.filter((_, at) => (of & (1 << at)) !== 0);
    const items = Array.from({ length: 100 }, (_, at) => ({ scheme: "auth", id: `i${at}`, perms: perms(1 + (at % 31)) }));
    const ops = Array.from({ length: 200 }, (_, at) => ({ op: "create", path: `/z${at}`, acl: items }));
    const [{ error }, one] = [
      await client.ask({ op: "multi", ops }),
      await client.ask({ op: "create", path: "/one", acl: items.slice(0, 1) }),
    ];
    expect([error, one["error"]]).toMatchObject([
      { code: "TOO_LARGE", index: 0, path: "/z0" },
      { code: "TOO_LARGE", path: "/one" },
    ]);
    // A few names of the usual size are no trouble, and neither is what needs none.
    const usual = await RawClient.connect(`${hub.url}/v1`);
    for (const user of ["ann", "bob"]) await usual.ask({ op: "auth", scheme: "digest", credential: `${user}:x` });
    expect((await usual.ask({ op: "create", path: "/usual", acl: items }))["error"]).toBeUndefined();
    expect((await usual.ask({ op: "getAcl", path: "/usual" }))["acl"]).toHaveLength(62);
    expect(await witness.ask({ op: "get", path: "/witness" })).toMatchObject({ data: "here" });
  });

  it("[A8] names nobody in half characters", async () => {
    const { hub } = await small();
    const client = await RawClient.connect(`${hub.url}/v1`);
    client.sendText(`{"id":90,"op":"auth","scheme":"digest","credential":"\\ud800x:y"}`);
    expect((await client.reply(90))["error"]).toMatchObject({ code: "BAD_ARGUMENTS" });
  });
});
