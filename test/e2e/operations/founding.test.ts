/** Who founds an ensemble, who comes back to one, and where its members find each other. */
import { cpSync, rmSync } from "node:fs";
import { connect } from "@copse/client";
import { afterEach, describe, expect, it } from "vitest";
import { EnsembleProcesses, type MemberProcess } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { copse, freePort, killAll, serve, until } from "../../support/processes.ts";

afterEach(killAll);

const readiness = async (port: number): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  return `${answer.status} ${await answer.text()}`;
};
const isReady = (port: number): Promise<unknown> => until(async () => (await readiness(port)).startsWith("200"));
const killed = (members: readonly MemberProcess[]): Promise<unknown> => Promise.all(members.map(({ process }) => process.kill9()));

describe("founding", { timeout: 180_000 }, () => {
  it("takes all members that are named: two that lost their disks found nothing beside the one with the data", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const [first, second, third] = ensemble.members as [MemberProcess, MemberProcess, MemberProcess];
    expect((await copse(ensemble.urls.join(","), "create", "/a", "kept")).code).toBe(0);
    await killed(ensemble.members);
    for (const { data } of [first, second]) rmSync(data, { recursive: true });
    for (const member of [first, second]) await ensemble.restart(member);
    for (const { port } of [first, second]) {
      await until(async () => (await readiness(port)) === "503 not ready: not founded yet: waits for member 3\n");
    }
    // The third comes back: it has the data, and the others may not vote for what they have forgotten.
    await ensemble.restart(third);
    await third.process.printed(/member 1 has an empty data directory/);
    for (const { port } of [first, second]) expect(await readiness(port)).toMatch(/^503/);
    expect((await readiness(third.port)).trim()).toBe("503 not ready: no quorum");
  });

  it("is left to a majority where an operator says so", async () => {
    const ensemble = await EnsembleProcesses.start(2, { away: 1 });
    for (const { port } of ensemble.members) await isReady(port);
  });

  it("is not for a member that was to join, whatever it is started with later", async () => {
    const folder = temporaryFolder("joining");
    const [hubPort, hubPeer, port, peer] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const flags = ["--id", "2", "--peer-listen", `127.0.0.1:${peer}`, "--log-level", "warn"];
    const peers = ["--peers", `1=127.0.0.1:${hubPeer}`];
    const early = await serve(`${folder}/2`, port, ...flags, ...peers, "--join");
    await early.process.kill9();
    const alone = await serve(`${folder}/2`, port, ...flags);
    expect(await readiness(port)).toBe("503 not ready: waits to be taken in by its ensemble\n");
    await alone.process.kill9();
    const hub = await serve(`${folder}/1`, hubPort, "--log-level", "warn");
    expect((await copse(hub.url, "create", "/a", "kept")).code).toBe(0);
    const add = ["member", "add", "2", "--peer", `127.0.0.1:${peer}`, "--hub-peer", `127.0.0.1:${hubPeer}`];
    expect((await copse(hub.url, ...add)).code).toBe(0);
    const joined = await serve(`${folder}/2`, port, ...flags, ...peers);
    await isReady(port);
    // Once it has been taken in, it knows where the others are.
    await joined.process.kill9();
    const back = await serve(`${folder}/2`, port, ...flags);
    await isReady(port);
    expect((await copse(back.url, "get", "/a")).out.trim()).toBe("kept");
  });
});

describe("addresses of peers", { timeout: 180_000 }, () => {
  it("may all change at once: those of the start are tried too, and the table says them from then on", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    expect((await copse(ensemble.urls.join(","), "create", "/a", "kept")).code).toBe(0);
    await killed(ensemble.members);
    await ensemble.movePeers();
    for (const member of ensemble.members) await ensemble.restart(member);
    for (const { port } of ensemble.members) await isReady(port);
    expect((await copse(ensemble.urls.join(","), "get", "/a")).out.trim()).toBe("kept");
    const client = await connect(ensemble.urls);
    await until(async () => (await client.ensemble()).members.every(({ id, peer }) => peer === ensemble.peerAddress(id)));
    await client.close();
  });
});

describe("an older copy of a data directory", { timeout: 180_000 }, () => {
  it("is refused, by whoever leads: what it would vote for may lack what its member has acknowledged", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const client = await connect(ensemble.urls);
    await client.create("/a", "0");
    const member = await ensemble.follower();
    const copy = `${temporaryFolder("copy")}/data`;
    await member.process.kill9();
    cpSync(member.data, copy, { recursive: true, filter: (path) => !path.endsWith(".sock") });
    await ensemble.restart(member);
    await isReady(member.port);
    for (let count = 1; count <= 20; count++) await client.set("/a", String(count));
    await until(async () => (await copse(member.url, "get", "/a")).out.trim() === "20");
    await member.process.kill9();
    await until(async () => (await client.ensemble()).members.find(({ id }) => id === member.id)?.state === "down");
    await client.set("/a", "noted");
    rmSync(member.data, { recursive: true });
    cpSync(copy, member.data, { recursive: true });
    await ensemble.restart(member);
    await member.process.printed(/has an older copy of its data directory/);
    // Another leader, which never saw what the member had acknowledged, knows it from the table.
    await member.process.kill9();
    const leader = await ensemble.leader();
    await leader.process.kill9();
    await ensemble.restart(leader);
    await ensemble.leader();
    await isReady(leader.port);
    await ensemble.restart(member);
    await leader.process.printed(/has an older copy of its data directory/);
    await client.set("/a", "after");
    expect(await readiness(member.port)).toMatch(/^503/);
    // It is taken in again as one that is new.
    const others = ensemble.members
      .filter((other) => other !== member)
      .map(({ url }) => url)
      .join(",");
    await member.process.kill9();
    expect((await copse(others, "member", "remove", member.id)).code).toBe(0);
    expect((await copse(others, "member", "add", member.id, "--peer", ensemble.peerAddress(member.id))).code).toBe(0);
    rmSync(member.data, { recursive: true });
    await ensemble.restart(member);
    await isReady(member.port);
    expect((await copse(member.url, "get", "/a")).out.trim()).toBe("after");
    await client.close();
  });
});
