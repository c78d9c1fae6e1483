/**
 * What a stranger may not do, see or take over where a hub is open to strangers: on loopback behind a page of another origin, which is how
 * a proxy in front of it is seen too.
 */

import { writeFileSync } from "node:fs";
import { connect } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import { workQueue } from "@copse/recipes/work-queue";
import { hashPassword } from "@copse/server";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { EnsembleProcesses } from "../../support/ensemble.ts";
import { type Hub, openIdentityFile, startHub, temporaryFolder } from "../../support/hub.ts";
import { killAll } from "../../support/processes.ts";
import { type Message, RawClient } from "../../support/raw-client.ts";

const password = "a super password of these tests";
const open = [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "world", id: "anyone" }] as const;
let superHash: string;
let hub: Hub;
let stranger: RawClient;
let operator: RawClient;

async function asOperator(url: string): Promise<RawClient> {
  return RawClient.connect(url, { auth: [{ scheme: "super", credential: password }] });
}

async function code(client: RawClient, request: Message): Promise<string | undefined> {
  return (await client.ask(request))["error"]?.code as string | undefined;
}

beforeAll(async () => {
  superHash = await hashPassword(password);
  hub = await startHub({ origins: ["https://app.example.com"], anonymous: "session", superHash });
  stranger = await RawClient.connect(hub.url);
  operator = await asOperator(hub.url);
});
afterAll(() => hub.destroy());
afterEach(killAll);

describe("a new cluster that strangers may reach", () => {
  it("[A5] has a root that all may read and only super may change", async () => {
    expect(await code(stranger, { op: "get", path: "/" })).toBeUndefined();
    for (const request of [
      { op: "create", path: "/a" },
      { op: "set", path: "/", data: "x" },
      { op: "setAcl", path: "/", acl: open },
      { op: "create", path: "/a/b/c", parents: true },
    ]) {
      expect([request.op, await code(stranger, request)]).toEqual([request.op, "NO_AUTH"]);
    }
    expect(await code(operator, { op: "create", path: "/app" })).toBeUndefined();
  });

  it("[A5] [I1] makes nobody an admin whom only the world grants it", async () => {
    const grown = [{ perms: ["read", "admin"], scheme: "world", id: "anyone" }];
    await operator.ask({ op: "setAcl", path: "/", acl: grown });
    for (const op of ["sessions", "queues", "stats"]) expect([op, await code(stranger, { op })]).toEqual([op, "NO_AUTH"]);
    expect(await code(stranger, { op: "stats", history: 0, changes: 0 })).toBe("NO_AUTH");
    expect(await code(stranger, { op: "ensemble", compare: true })).toBe("NO_AUTH");
    for (const change of [{ drain: ["1"] }, { undrain: ["1"] }, { lead: "1" }]) {
      expect(await code(stranger, { op: "reconfig", ...change })).toBe("NO_AUTH");
    }
    expect(await code(stranger, { op: "watchers", path: "/" })).toBe("NO_AUTH");
    expect(await code(stranger, { op: "search", path: "/", contains: "x" })).toBe("NO_AUTH");
    expect(await code(stranger, { op: "reconfig", add: [{ id: "9", peer: "127.0.0.1:9", url: "ws://evil.example.com" }] })).toBe("NO_AUTH");
    expect(await code(stranger, { op: "stepTime", time: 2 ** 50 })).toBe("NO_AUTH");
    for (const op of ["sessions", "queues", "stats"]) expect([op, await code(operator, { op })]).toEqual([op, undefined]);
    expect((await stranger.ask({ op: "whoami" }))["admin"]).toBe(false);
    expect((await operator.ask({ op: "whoami" }))["admin"]).toBe(true);
    await operator.ask({ op: "setAcl", path: "/", acl: [{ perms: ["read"], scheme: "world", id: "anyone" }] });
  });

  it("is locked over a restart, and open where that was meant", async () => {
    const data = temporaryFolder("locked");
    let own = await startHub({ trustProxy: ["10.0.0.0/8"], anonymous: "session" }, data);
    expect(await code(await RawClient.connect(own.url), { op: "create", path: "/a" })).toBe("NO_AUTH");
    await own.stop();
    own = await startHub({}, data);
    expect(await code(await RawClient.connect(own.url), { op: "create", path: "/a" })).toBe("NO_AUTH");
    await own.destroy();
    for (const settings of [{}, { origins: ["https://app.example.com"], isInsecure: true }]) {
      own = await startHub(settings);
      expect(await code(await RawClient.connect(own.url), { op: "create", path: "/a" })).toBeUndefined();
      await own.destroy();
    }
    await expect(startHub({ host: "0.0.0.0" })).rejects.toThrow("--insecure");
  });

  it("[O21] [A5] of three members is locked too, and its addresses are the admins' alone", async () => {
    const file = `${temporaryFolder("super")}/super`;
    writeFileSync(file, superHash);
    const ensemble = await EnsembleProcesses.start(3, {
      flags: ["--origin", "https://app.example.com", "--super-file", file, "--identity", openIdentityFile()],
    });
    // The others may still be taking over its first state, which ends their connections.
    const { url } = await ensemble.leader();
    const outside = await RawClient.connect(`${url}/v1`);
    const inside = await asOperator(`${url}/v1`);
    expect(await code(outside, { op: "create", path: "/a" })).toBe("NO_AUTH");
    const peersOf = (reply: Message): unknown[] => (reply["members"] as Message[]).map(({ peer }) => peer);
    expect(peersOf(await outside.ask({ op: "ensemble" }))).toEqual([undefined, undefined, undefined]);
    expect(peersOf(await inside.ask({ op: "ensemble" }))).toEqual(["1", "2", "3"].map((id) => ensemble.peerAddress(id)));
    const configOf = async (client: RawClient): Promise<Message[]> => {
      const read = await client.ask({ op: "get", path: "/copse/config" });
      const { nodes } = await client.ask({ op: "subscribe", path: "/copse/config", scope: "node" });
      const shown = [read, ...(nodes as Message[])];
      for (const one of shown) expect(one["stat"].dataLength).toBe(Buffer.byteLength(one["data"]));
      return shown.map(({ data }) => JSON.parse(data) as Message);
    };
    for (const config of await configOf(outside)) expect(peersOf(config)).toEqual([undefined, undefined, undefined]);
    for (const config of await configOf(inside)) expect(peersOf(config)).toEqual(["1", "2", "3"].map((id) => ensemble.peerAddress(id)));
  });

  it("[A5] is locked by two of three founders while the third is away", async () => {
    const file = `${temporaryFolder("super")}/super`;
    writeFileSync(file, superHash);
    const flags = ["--origin", "https://app.example.com", "--super-file", file, "--identity", openIdentityFile()];
    const ensemble = await EnsembleProcesses.start(2, { away: 1, flags });
    // The others may still be taking over its first state, which ends their connections.
    const { url } = await ensemble.leader();
    const outside = await RawClient.connect(`${url}/v1`);
    expect((await outside.ask({ op: "whoami" }))["rootOpen"]).toBeUndefined();
    expect(await code(outside, { op: "create", path: "/a" })).toBe("NO_AUTH");
    const inside = await asOperator(`${url}/v1`);
    expect(await code(inside, { op: "create", path: "/a", acl: [{ scheme: "world", id: "anyone", perms: ["read"] }] })).toBeUndefined();
    expect(await code(inside, { op: "setAcl", path: "/a", default: [{ scheme: "world", id: "anyone", perms: ["read"] }] })).toBeUndefined();
  });
});

describe("reconfig", () => {
  it("[O22] moves one member at a time, never a quorum of them, and tells clients no URL that no member has said", async () => {
    const file = `${temporaryFolder("super")}/super`;
    writeFileSync(file, superHash);
    const ensemble = await EnsembleProcesses.start(3, { flags: ["--super-file", file] });
    const { url } = await ensemble.leader();
    const client = await asOperator(`${url}/v1`);
    const anonymous = await RawClient.connect(`${url}/v1`);
    const moved = (id: string): Message => ({ id, peer: `127.0.0.1:${id}` });
    expect(await code(anonymous, { op: "reconfig", add: [moved("1"), moved("2"), moved("3")] })).toBe("BAD_ARGUMENTS");
    expect(await code(anonymous, { op: "reconfig", add: [moved("1")], force: true })).toBe("NO_AUTH");
    const far = { id: "4", peer: "127.0.0.1:4", url: "ws://evil.example.com", role: "observer" };
    expect(await code(client, { op: "reconfig", add: [far] })).toBeUndefined();
    const { members } = JSON.parse((await client.ask({ op: "get", path: "/copse/config" }))["data"]) as { members: Message[] };
    expect(members.find(({ id }) => id === "4")).toMatchObject({ url: "" });
    await expect(RawClient.open(`${url}/v1`, { headers: { Origin: "http://evil.example.com" } })).rejects.toThrow("403");
    // Everything goes on.
    expect(await code(anonymous, { op: "create", path: "/a" })).toBeUndefined();
  });
});

describe("an ACL that is handed on", () => {
  it("[A6] is that of all who are created below without one, and of theirs", async () => {
    const acl = [{ perms: ["read"], scheme: "world", id: "anyone" }];
    await operator.ask({ op: "create", path: "/team", acl: open });
    expect(await operator.ask({ op: "setAcl", path: "/team", default: acl })).toMatchObject({ stat: { aversion: 1 } });
    await stranger.ask({ op: "create", path: "/team/a" });
    expect(await code(stranger, { op: "create", path: "/team/a/b" })).toBe("NO_AUTH");
    await operator.ask({ op: "create", path: "/team/x/y/z", parents: true });
    for (const path of ["/team/a", "/team/x", "/team/x/y", "/team/x/y/z"]) {
      expect([path, await stranger.ask({ op: "getAcl", path })]).toMatchObject([path, { acl, default: acl }]);
    }
    expect(await stranger.ask({ op: "getAcl", path: "/team" })).toMatchObject({ acl: open, default: acl });
    // One with an ACL of its own hands nothing on.
    await operator.ask({ op: "create", path: "/team/own", acl: open });
    expect((await stranger.ask({ op: "getAcl", path: "/team/own" }))["default"]).toBeUndefined();
    await operator.ask({ op: "setAcl", path: "/team", default: [] });
    await operator.ask({ op: "create", path: "/team/later" });
    expect(await stranger.ask({ op: "getAcl", path: "/team/later" })).toMatchObject({ acl: open });
    expect(await code(operator, { op: "setAcl", path: "/team" })).toBe("BAD_ARGUMENTS");
  });

  it("[A6] outlives a restart and a snapshot", async () => {
    const data = temporaryFolder("default-acl");
    const acl = [{ perms: ["read", "create"], scheme: "world", id: "anyone" }];
    let own = await startHub({ snapshotLogBytes: 2_000 }, data);
    let client = await RawClient.connect(own.url);
    await client.ask({ op: "create", path: "/team" });
    await client.ask({ op: "setAcl", path: "/team", default: acl });
    for (let at = 0; at < 40; at++) await client.ask({ op: "create", path: `/team/${at}`, data: "x".repeat(100) });
    const { zxid } = await client.ask({ op: "create", path: "/team/last" });
    await own.stop();
    own = await startHub({}, data);
    client = await RawClient.connect(own.url);
    expect(await client.ask({ op: "getAcl", path: "/team/7" })).toMatchObject({ acl, default: acl });
    expect(await client.ask({ op: "subscribe", path: "/team", scope: "tree", since: zxid - 20 })).toMatchObject({ resumed: true });
    await client.ask({ op: "create", path: "/team/7/again" });
    expect(await client.ask({ op: "getAcl", path: "/team/7/again" })).toMatchObject({ acl, default: acl });
    await own.destroy();
  });
});

describe("one anonymous setAcl on the root", () => {
  it("[A7] locks nobody out, where everyone is trusted", async () => {
    const own = await startHub();
    const anyone = await RawClient.connect(own.url);
    const evil = [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "digest", id: "evil:28CharactersOfSomething=" }];
    expect(await code(anyone, { op: "setAcl", path: "/", acl: evil })).toBe("BAD_ARGUMENTS");
    expect(await code(anyone, { op: "create", path: "/a" })).toBeUndefined();
    await own.destroy();
  });
});

describe("what is masked or hidden", () => {
  it("[A7] is no id that an ACL could be written with, of any scheme, in any op", async () => {
    const owner = await RawClient.connect(hub.url, { auth: [{ scheme: "digest", credential: "ann:her password" }] });
    for (const scheme of ["digest", "scrypt"]) {
      const acl = [{ perms: ["read"], scheme, id: "ann:x" }];
      expect(await code(operator, { op: "create", path: "/app/masked", acl })).toBe("INVALID_ACL");
      expect(await code(operator, { op: "setAcl", path: "/app", acl })).toBe("INVALID_ACL");
      expect(await code(operator, { op: "setAcl", path: "/app", default: acl })).toBe("INVALID_ACL");
      expect(await operator.ask({ op: "multi", ops: [{ op: "create", path: "/app/masked", acl }] })).toMatchObject({
        error: { code: "INVALID_ACL", index: 0 },
      });
    }
    expect(
      await code(owner, { op: "create", path: "/app/own", acl: [{ perms: ["read", "admin"], scheme: "scrypt", id: "ann" }] }),
    ).toBeUndefined();
    const { acl } = await operator.ask({ op: "getAcl", path: "/app/own" });
    expect(await code(operator, { op: "create", path: "/app/copy", acl })).toBeUndefined();
  });

  it("[A9] a recursive delete's refusal names no znode whose parent its caller may not list", async () => {
    const hidden = [{ perms: ["delete", "create"], scheme: "world", id: "anyone" }];
    const kept = [{ perms: ["read"], scheme: "world", id: "anyone" }];
    await operator.ask({ op: "create", path: "/app/doomed", acl: hidden });
    await operator.ask({ op: "create", path: "/app/doomed/secret-name", acl: kept });
    await operator.ask({ op: "create", path: "/app/doomed/secret-name/below", acl: open });
    const { error } = await stranger.ask({ op: "delete", path: "/app/doomed", recursive: true });
    expect(error).toMatchObject({ code: "NO_AUTH", path: "/app/doomed" });
  });

  it("[A9] existence can be told, names and stats where the parent may be listed, data never: as in ZooKeeper", async () => {
    const owners = [{ perms: ["read"], scheme: "digest", id: "ann:28CharactersOfSomething=" }];
    await operator.ask({ op: "create", path: "/app/closed", data: "secret", acl: owners });
    expect(await code(stranger, { op: "exists", path: "/app/closed" })).toBe("NO_AUTH");
    expect(await stranger.ask({ op: "exists", path: "/app/missing" })).toMatchObject({ stat: null });
    expect((await stranger.ask({ op: "children", path: "/app" }))["children"]).toContain("closed");
    const { nodes } = await stranger.ask({ op: "subscribe", path: "/app", scope: "children" });
    expect((nodes as Message[]).find(({ path }) => path === "/app/closed")).toMatchObject({ denied: true, stat: { dataLength: 6 } });
  });
});

describe("identities", () => {
  it("[A8] are at most so many, and another password takes the place of the one before", async () => {
    const client = await RawClient.connect(hub.url);
    for (const word of ["one", "two"]) await client.ask({ op: "auth", scheme: "digest", credential: `bob:${word}` });
    const named = (await client.ask({ op: "whoami" }))["identities"] as Message[];
    expect(named.filter(({ id }) => String(id).startsWith("bob:"))).toHaveLength(2);
    for (let user = 0; user < 31; user++)
      expect(await code(client, { op: "auth", scheme: "digest", credential: `u${user}:x` })).toBeUndefined();
    expect(await code(client, { op: "auth", scheme: "digest", credential: "one-too-many:x" })).toBe("QUOTA_EXCEEDED");
    // An identity without a SHA-1 is there for who asks for it.
    const plain = await RawClient.connect(hub.url, { auth: [{ scheme: "scrypt", credential: "eve:word" }] });
    const schemes = ((await plain.ask({ op: "whoami" }))["identities"] as Message[]).map(({ scheme }) => scheme as string);
    expect(schemes).toEqual(["scrypt", "ip"]);
  });
});

describe("recipes with an ACL", () => {
  it("keep strangers from adding to them and taking from them", async () => {
    const own = await startHub();
    const acl = [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "auth", id: "" }] as const;
    const options = { auth: () => [{ scheme: "digest", credential: "worker:its password" }], acl };
    const worker = await connect(own.url, options);
    const outside = await RawClient.connect(own.url);
    await workQueue(worker, "/work").put("a job");
    expect(await code(outside, { op: "create", path: "/work/jobs/job-", sequential: true, data: "injected" })).toBe("NO_AUTH");
    const held = await lock(worker, "/locks/one");
    expect(await code(outside, { op: "delete", path: held.guard.path })).toBe("NO_AUTH");
    expect(await code(outside, { op: "create", path: "/locks/one/lock-", ephemeral: true, sequential: true })).toBe("NO_AUTH");
    await held.close();
    await worker.close();
    await own.destroy();
  });
});
