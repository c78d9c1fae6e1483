/**
 * Real members as processes, killed, stopped and started as life would: nothing acknowledged is lost, nothing is done
 * twice, nobody sees an older state, sessions and locks live through it.
 */
import { rmSync, writeFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { type Copse, connect, isCopseError } from "@copse/client";
import { afterEach, describe, expect, it } from "vitest";
import { isRegisterLinearizable, type RegisterOperation } from "../simulation/checkers/linearizability.ts";
import { EnsembleProcesses, type MemberProcess, metric, type ShownMember } from "../support/ensemble.ts";
import { temporaryFolder } from "../support/hub.ts";
import { copse, freePort, killAll, serve, until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { expectRollingRestart } from "../support/rolling-restart.ts";

afterEach(killAll);

/** A write may stall for so long when the leader dies: five times what the bench's goal allows. */
const stallMsMax = 1_500;

async function ensembleOf(client: Copse): Promise<ShownMember[]> {
  return (await client.ensemble())["members"] as ShownMember[];
}

/** Writes one value after the other until told to stop, and records what came of each. */
class Writer {
  readonly history: RegisterOperation[] = [];
  readonly acknowledged: number[] = [];
  longestMs = 0;
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(client: Copse, path: string, name: string) {
    this.#done = this.#run(client, path, name);
  }

  async #run(client: Copse, path: string, name: string): Promise<void> {
    for (let count = 1; !this.#isOver; count++) {
      const value = `${name}-${count}`;
      const calledAt = performance.now();
      try {
        await client.set(path, value);
        this.history.push({ kind: "write", value, calledAt, returnedAt: performance.now() });
        this.acknowledged.push(count);
      } catch (error) {
        const isUnknown = isCopseError(error) && error.outcome === "unknown";
        if (isUnknown) this.history.push({ kind: "write", value, calledAt, returnedAt: Number.POSITIVE_INFINITY });
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - calledAt);
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
}

async function readInto(history: RegisterOperation[], client: Copse, path: string): Promise<void> {
  const calledAt = performance.now();
  const { data } = await client.get(path, { linearizable: true });
  history.push({ kind: "read", saw: data, calledAt, returnedAt: performance.now() });
}

describe("three members", () => {
  it("take any request on any member, and all see it", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const clients = await Promise.all(ensemble.urls.map((url) => connect(url)));
    for (const [at, client] of clients.entries()) await client.create(`/from-${at}`, `${at}`);
    for (const client of clients) {
      await client.sync();
      expect((await client.children("/")).children).toEqual(["copse", "from-0", "from-1", "from-2"]);
    }
    const members = await ensembleOf(clients[0]!);
    expect(members.map(({ role }) => role).sort()).toEqual(["follower", "follower", "leader"]);
    expect(members.every(({ state }) => state === "up")).toBe(true);
    const shown = await Promise.all(ensemble.urls.map((url) => RawClient.connect(`${url}/v1`)));
    expect(shown.map(({ session }) => session["role"] as string).sort()).toEqual(["follower", "follower", "leader"]);
    for (const { port } of ensemble.members) expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    for (const client of clients) await client.close();
  });

  it("lose nothing that was acknowledged when the leader is killed under load, and go on soon", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const clients = await Promise.all([0, 1, 2].map(() => connect(ensemble.urls)));
    for (let at = 0; at < 3; at++) await clients[0]!.create(`/r${at}`, null);
    await clients[0]!.create("/q", null);
    const writers = clients.map((client, at) => new Writer(client, `/r${at}`, `w${at}`));
    const reader = await connect(ensemble.urls);
    let isOver = false;
    const reading = (async () => {
      while (!isOver) for (const [at, writer] of writers.entries()) await readInto(writer.history, reader, `/r${at}`);
    })();
    const appended: string[] = [];
    const appending = (async () => {
      for (let count = 0; !isOver; count++) {
        await reader.create("/q/item-", `${count}`, { sequential: true });
        appended.push(`${count}`);
      }
    })();
    for (let round = 0; round < 3; round++) {
      await until(async () => writers.every(({ acknowledged }) => acknowledged.length > (round + 1) * 30));
      const leader = await ensemble.leader();
      await leader.process.kill9();
      const before = writers.map(({ acknowledged }) => acknowledged.length);
      await until(async () => writers.every(({ acknowledged }, at) => acknowledged.length > before[at]! + 20));
      await ensemble.restart(leader);
    }
    isOver = true;
    for (const writer of writers) await writer.stop();
    await Promise.all([reading, appending]);
    for (const [at, writer] of writers.entries()) {
      await readInto(writer.history, reader, `/r${at}`);
      expect(isRegisterLinearizable(writer.history)).toBe(true);
      expect(writer.longestMs).toBeLessThan(stallMsMax);
    }
    // Exactly once, in order: every acknowledged item stands, and none twice.
    const { children } = await reader.children("/q");
    const items = await Promise.all(children.map(async (name) => (await reader.get(`/q/${name}`)).data));
    expect(items).toEqual(appended);
    for (const client of [...clients, reader]) await client.close();
  });

  it("keep sessions alive and tell nothing old when a leader that was stopped wakes up", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const leader = await ensemble.leader();
    const others = ensemble.members.filter((member) => member !== leader);
    const live = await connect(
      others.map(({ url }) => url),
      { timeoutMs: 4_000 },
    );
    await live.create("/alive", null, { ephemeral: true });
    await live.create("/value", "old");
    const onLeader = await connect(leader.url, { readOnly: true });
    expect((await onLeader.get("/value", { linearizable: true })).data).toBe("old");
    leader.process.child.kill("SIGSTOP");
    await live.set("/value", "new");
    // Asked of a leader that does not know yet that it is none: it may answer late, or not at all, never wrongly.
    const asked = onLeader.get("/value", { linearizable: true }).then(
      ({ data }) => data,
      () => "no answer",
    );
    await new Promise((resolve) => setTimeout(resolve, live.sessionTimeoutMs * 1.5));
    leader.process.child.kill("SIGCONT");
    expect(["new", "no answer"]).toContain(await asked);
    await until(async () => (await onLeader.get("/value", { linearizable: true }).catch(() => null))?.data === "new");
    expect(live.state).toBe("connected");
    expect(await live.exists("/alive")).not.toBeNull();
    await live.close();
    await onLeader.close();
  });

  it("restart one after the other while one session holds one lock, and a subscriber misses nothing", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    await expectRollingRestart(ensemble);
  });

  it("serve readers without a quorum, refuse sessions with UNAVAILABLE, and come back with it", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const [last, ...others] = ensemble.members as [MemberProcess, MemberProcess, MemberProcess];
    const writer = await connect(ensemble.urls);
    await writer.create("/a", "kept");
    await until(async () => (await metric(last.port, "copse_zxid")) >= writer.zxid);
    const raw = await RawClient.connect(`${last.url}/v1`);
    for (const { process } of others) await process.kill9();
    expect(await raw.ask({ op: "get", path: "/a", linearizable: true })).toMatchObject({ error: { code: "UNAVAILABLE" } });
    expect((await raw.closed).code).toBe(4503);
    expect((await fetch(`http://127.0.0.1:${last.port}/readyz`)).status).toBe(503);
    expect((await fetch(`http://127.0.0.1:${last.port}/healthz`)).status).toBe(200);
    const refused = await RawClient.connect(`${last.url}/v1`);
    expect(refused.session).toMatchObject({ error: { code: "UNAVAILABLE" }, cluster: raw.session["cluster"] });
    const reader = await connect(last.url, { readOnly: true });
    expect((await reader.get("/a")).data).toBe("kept");
    await ensemble.restart(others[0]!);
    await writer.set("/a", "and changed");
    await until(async () => (await reader.get("/a")).data === "and changed");
    await reader.close();
    await writer.close();
  });

  it("catch up an empty member by a snapshot while writes go on; a wiped one is told how to come back", async () => {
    const ensemble = await EnsembleProcesses.start(3, {
      flags: EnsembleProcesses.config({ snapshotLogBytes: 30_000, segmentBytes: 20_000 }),
    });
    const client = await connect(ensemble.urls);
    const wiped = await ensemble.follower();
    for (let at = 0; at < 300; at++) await client.create(`/n${at}`, "x".repeat(300));
    await wiped.process.kill9();
    rmSync(wiped.data, { recursive: true });
    for (let at = 0; at < 100; at++) await client.set(`/n${at}`, "y".repeat(300));
    await ensemble.restart(wiped);
    const [, why = ""] = await wiped.process.printed(/"why":"([^"]*an empty data directory[^"]*)"/);
    expect(why).toContain(`copse member remove ${wiped.id}, then copse member add ${wiped.id}`);
    expect(await metric(wiped.port, "copse_znodes")).toBe(3);
    const urls = ensemble.urls.join(",");
    expect((await copse(urls, "member", "remove", wiped.id)).code).toBe(0);
    const writer = new Writer(client, "/n0", "during");
    expect(await copse(urls, "member", "add", wiped.id, "--peer", ensemble.peerAddress(wiped.id))).toMatchObject({ code: 0 });
    await until(async () => (await ensembleOf(client)).find(({ id }) => id === wiped.id)?.role === "follower");
    await writer.stop();
    await until(async () => (await metric(wiped.port, "copse_zxid")) === (await metric((await ensemble.leader()).port, "copse_zxid")));
    expect(await metric(wiped.port, "copse_znodes")).toBe(303);
    await client.close();
  });

  it("refuse strangers on the peer port before anything changes", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const client = await connect(ensemble.urls);
    await client.create("/a", "1");
    const [host = "", port = ""] = ensemble.peerAddress("1").split(":");
    const frame = (text: string, length = Buffer.byteLength(text)): Buffer => {
      const head = Buffer.alloc(12);
      head.writeUInt32BE(length);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    const say = (bytes: Buffer): Promise<string> =>
      new Promise((resolve) => {
        const socket = connectSocket({ host, port: Number(port) }, () => socket.write(bytes));
        let answer = "";
        socket.on("data", (chunk) => (answer += String(chunk)));
        socket.on("close", () => resolve(answer));
        socket.on("error", () => {});
      });
    for (const bytes of [
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      frame("{}", 0xffff_ffff),
      frame('{"copse":"peer"}'),
      frame("null"),
      Buffer.alloc(4_000, 0xff),
    ]) {
      expect(await say(bytes)).toBe("");
    }
    expect((await client.get("/a", { linearizable: true })).data).toBe("1");
    await client.close();
  });
});

describe("five members", () => {
  it("go on when two are killed, the leader among them", async () => {
    const ensemble = await EnsembleProcesses.start(5);
    const client = await connect(ensemble.urls);
    await client.create("/a", "0");
    const leader = await ensemble.leader();
    const other = ensemble.members.find((member) => member !== leader)!;
    await Promise.all([leader.process.kill9(), other.process.kill9()]);
    for (let count = 1; count <= 50; count++) await client.set("/a", String(count));
    expect((await client.get("/a", { linearizable: true })).stat.version).toBe(50);
    await client.close();
  });
});

describe("a hub with data", () => {
  it("becomes an ensemble while it runs: nothing is lost, sessions and subscriptions live", async () => {
    const folder = temporaryFolder("grow");
    const port = await freePort();
    const hub = await serve(`${folder}/1`, port, "--log-level", "warn");
    const client = await connect(hub.url);
    await client.create("/a", "0");
    await client.create("/alive", null, { ephemeral: true });
    const session = client.sessionId;
    const seen: string[] = [];
    (async () => {
      for await (const { data } of client.changes("/a")) seen.push(data ?? "");
    })().catch((error: unknown) => seen.push(String(error)));
    const hubPeer = `127.0.0.1:${await freePort()}`;
    const peers = [`1=${hubPeer}`];
    for (const id of ["2", "3"]) {
      const peer = `127.0.0.1:${await freePort()}`;
      peers.push(`${id}=${peer}`);
      const added = await copse(hub.url, "member", "add", id, "--peer", peer, "--hub-peer", hubPeer);
      expect(added).toMatchObject({ code: 0 });
      expect(added.out).toContain("--join");
      const flags = ["--id", id, "--peer-listen", peer, "--peers", peers.join(","), "--join", "--log-level", "warn"];
      await serve(`${folder}/${id}`, await freePort(), ...flags);
      await until(async () => (await ensembleOf(client)).find((member) => member.id === id)?.role === "follower");
      await client.set("/a", id);
    }
    // The client has learnt where the others are: it was given the hub's address alone.
    await hub.process.kill9();
    await client.set("/a", "without the hub");
    expect([client.sessionId, await client.exists("/alive")]).toEqual([session, expect.objectContaining({ ephemeralOwner: session })]);
    await until(async () => seen.length >= 3);
    expect(seen).toEqual(["2", "3", "without the hub"]);
    await client.close();
  });
});

describe("a shared secret", () => {
  it("lets members in that know it, and nobody else", async () => {
    const folder = temporaryFolder("secret");
    writeFileSync(`${folder}/secret`, "correct horse battery staple\n");
    writeFileSync(`${folder}/other`, "wrong horse battery staple\n");
    const ensemble = await EnsembleProcesses.start(3, { flags: ["--peer-secret-file", `${folder}/secret`] });
    const client = await connect(ensemble.urls);
    await client.create("/a", "1");
    const stranger = await ensemble.follower();
    await stranger.process.kill9();
    const flags = ["--id", stranger.id, "--peer-listen", ensemble.peerAddress(stranger.id), "--peer-secret-file", `${folder}/other`];
    const peers = ensemble.members.map(({ id }) => `${id}=${ensemble.peerAddress(id)}`).join(",");
    const hub = await serve(stranger.data, stranger.port, ...flags, "--peers", peers);
    await hub.process.printed(/its secret does not match/);
    expect((await fetch(`${hub.page}/readyz`)).status).toBe(503);
    await client.set("/a", "2");
    await client.close();
  });
});
