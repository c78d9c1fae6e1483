/** O: what the operations do, and in which order they check. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let hub: Hub;
let client: RawClient;
let top: string;
let tests = 0;

beforeAll(async () => {
  hub = await startHub();
  client = await RawClient.connect(hub.url);
});
afterAll(async () => {
  await client.cut();
  await hub.destroy();
});
beforeEach(async () => {
  top = `/t${++tests}`;
  await client.ask({ op: "create", path: top });
});

async function ok(message: Message): Promise<Message> {
  const reply = await client.ask(message);
  expect(reply["error"]).toBeUndefined();
  return reply;
}

async function code(message: Message, asker: RawClient = client): Promise<string | undefined> {
  return (await asker.ask(message))["error"]?.code;
}

const world = [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "world", id: "anyone" }];

describe("create", () => {
  it("[O3] gives path and stat, and counts on the parent", async () => {
    const reply = await ok({ op: "create", path: `${top}/a`, data: "x" });
    const { zxid } = reply;
    expect(reply["path"]).toBe(`${top}/a`);
    const { ctime } = reply["stat"];
    expect(reply["stat"]).toEqual({
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctime,
      mtime: ctime,
      version: 0,
      cversion: 0,
      aversion: 0,
      ephemeralOwner: null,
      dataLength: 1,
      numChildren: 0,
    });
    expect(Math.abs(ctime - Date.now())).toBeLessThan(60_000);
    expect((await ok({ op: "get", path: top }))["stat"]).toMatchObject({ pzxid: zxid, cversion: 1, numChildren: 1, version: 0 });
    expect(await code({ op: "create", path: `${top}/a` })).toBe("NODE_EXISTS");
    expect(await code({ op: "create", path: `${top}/b/c` })).toBe("NO_NODE");
    expect(await code({ op: "create", path: "/" })).toBe("NODE_EXISTS");
  });

  it("[O4] parents creates what is missing, in one txn", async () => {
    const { zxid } = await ok({
      op: "create",
      path: `${top}/a/b/c`,
      parents: true,
      ephemeral: true,
      acl: [{ perms: ["read", "create"], scheme: "world", id: "anyone" }],
    });
    const stat = (await ok({ op: "get", path: `${top}/a` }))["stat"];
    expect(stat).toMatchObject({ czxid: zxid, ephemeralOwner: null, numChildren: 1, cversion: 1, pzxid: zxid });
    expect((await ok({ op: "getAcl", path: `${top}/a/b` }))["acl"]).toEqual(world);
    await ok({ op: "create", path: `${top}/a/b/d`, parents: true });
    expect(await code({ op: "create", path: `${top}/a/b/c/d`, parents: true })).toBe("NO_CHILDREN_FOR_EPHEMERALS");
    expect((await ok({ op: "create", path: `${top}/x/y/`, parents: true, sequential: true }))["path"]).toBe(`${top}/x/y/0000000000`);
  });

  it("[O5] numbers come from the creations of the parent, and never again", async () => {
    const create = async (path: string, sequential = true): Promise<string> =>
      (await ok({ op: "create", path: top + path, sequential }))["path"].slice(top.length);
    expect(await create("/n-")).toBe("/n-0000000000");
    expect(await create("/plain", false)).toBe("/plain");
    expect(await create("/n-")).toBe("/n-0000000002");
    await ok({ op: "delete", path: `${top}/n-0000000002` });
    expect(await create("/")).toBe("/0000000003");
    const multi = await ok({ op: "multi", ops: [1, 2].map(() => ({ op: "create", path: `${top}/m-`, sequential: true })) });
    expect(multi["results"].map((result: Message) => result["path"].slice(top.length))).toEqual(["/m-0000000004", "/m-0000000005"]);
    await ok({
      op: "multi",
      ops: [
        { op: "create", path: `${top}/m-`, sequential: true },
        { op: "check", path: `${top}/none` },
      ],
    }).catch(() => {});
    expect(await create("/n-")).toBe("/n-0000000006");
  });

  it("[O6] an ephemeral names its session, and has no children; container and ttl show in the stat", async () => {
    const { stat } = await ok({ op: "create", path: `${top}/e`, ephemeral: true });
    expect(stat.ephemeralOwner).toBe(client.session["session"].id);
    expect(await code({ op: "create", path: `${top}/e/c` })).toBe("NO_CHILDREN_FOR_EPHEMERALS");
    expect((await ok({ op: "create", path: `${top}/c`, container: true }))["stat"].container).toBe(true);
    expect((await ok({ op: "create", path: `${top}/t`, ttl: 5_000 }))["stat"].ttl).toBe(5_000);
    for (const both of [
      { ephemeral: true, ttl: 1 },
      { ephemeral: true, container: true },
      { container: true, ttl: 1 },
      { container: true, sequential: true },
    ]) {
      expect(await code({ op: "create", path: `${top}/x`, ...both })).toBe("BAD_ARGUMENTS");
    }
  });
});

describe("set, delete, exists", () => {
  it("[O7] versions are compared, and the present stat comes with BAD_VERSION", async () => {
    expect((await ok({ op: "set", path: top, data: "1", version: 0 }))["stat"]).toMatchObject({ version: 1, dataLength: 1 });
    expect((await ok({ op: "set", path: top, data: "2", version: -1 }))["stat"].version).toBe(2);
    expect((await ok({ op: "set", path: top }))["stat"]).toMatchObject({ version: 3, dataLength: 0 });
    expect(await client.ask({ op: "set", path: top, version: 1 })).toMatchObject({
      error: { code: "BAD_VERSION", path: top, stat: { version: 3 } },
    });
    expect(await code({ op: "set", path: `${top}/none` })).toBe("NO_NODE");
    await ok({ op: "setAcl", path: top, acl: [{ perms: ["write", "admin"], scheme: "world", id: "anyone" }] });
    expect((await client.ask({ op: "set", path: top, version: 1 }))["error"]).not.toHaveProperty("stat");
  });

  it("[O8] delete wants no children and the version, and never the root", async () => {
    await ok({ op: "create", path: `${top}/a` });
    expect(await code({ op: "delete", path: top })).toBe("NOT_EMPTY");
    expect(await code({ op: "delete", path: `${top}/a`, version: 7 })).toBe("BAD_VERSION");
    expect(await code({ op: "delete", path: top, version: 7 })).toBe("BAD_VERSION");
    const { zxid } = await ok({ op: "delete", path: `${top}/a`, version: 0 });
    expect((await ok({ op: "get", path: top }))["stat"]).toMatchObject({ cversion: 2, pzxid: zxid, numChildren: 0 });
    expect(await code({ op: "delete", path: `${top}/a` })).toBe("NO_NODE");
    expect(await code({ op: "delete", path: `${top}/none/a` })).toBe("NO_NODE");
    expect(await code({ op: "delete", path: "/" })).toBe("BAD_ARGUMENTS");
    expect(await code({ op: "delete", path: "/", recursive: true })).toBe("BAD_ARGUMENTS");
  });

  it("[O9] a recursive delete takes all below, children first, in one zxid", async () => {
    for (const path of ["/d", "/d/b", "/d/a", "/d/a/1", "/d-"]) await ok({ op: "create", path: top + path });
    const { sub } = await ok({ op: "subscribe", path: top, scope: "tree" });
    client.received.length = 0;
    const { deleted, zxid } = await ok({ op: "delete", path: `${top}/d`, recursive: true });
    expect(deleted).toBe(4);
    const changes = client.events.filter((event) => event["sub"] === sub);
    expect(changes.map((change) => [change["change"], change["path"].slice(top.length), change["zxid"]])).toEqual([
      ["deleted", "/d/a/1", zxid],
      ["deleted", "/d/a", zxid],
      ["deleted", "/d/b", zxid],
      ["deleted", "/d", zxid],
      ["children", "", zxid],
    ]);
    await ok({ op: "unsubscribe", sub });
    expect(await code({ op: "delete", path: `${top}/d`, recursive: true })).toBe("NO_NODE");
  });

  it("[O10] exists on a missing znode is no error", async () => {
    expect((await ok({ op: "exists", path: `${top}/none` }))["stat"]).toBeNull();
    expect((await ok({ op: "exists", path: top }))["stat"]).toMatchObject({ version: 0 });
    expect(await code({ op: "get", path: `${top}/none` })).toBe("NO_NODE");
  });
});

describe("reading many", () => {
  it("[O11] children are sorted in code units and come in pages", async () => {
    const names = ["b", "a", "B", "é", "😀", "\ue000", "a-", "a.", "10", "9"];
    for (const name of names) await ok({ op: "create", path: `${top}/${name}` });
    const sorted = [...names].sort();
    expect((await ok({ op: "children", path: top }))["children"]).toEqual(sorted);
    const paged: string[] = [];
    for (let after: string | undefined, more = true; more; ) {
      const reply: Message = await ok({ op: "children", path: top, limit: 3, after });
      paged.push(...reply["children"]);
      after = paged[paged.length - 1];
      more = reply["more"] === true;
    }
    expect(paged).toEqual(sorted);
    expect(await ok({ op: "children", path: top, after: "c", limit: 1 })).toMatchObject({ children: ["é"], more: true });
    const { children, stat } = await ok({ op: "children", path: top, stats: true, limit: 1 });
    expect([children[0].name, children[0].stat.version, stat.numChildren]).toEqual(["10", 0, 10]);
    expect(await ok({ op: "children", path: top, limit: 0 })).toMatchObject({ children: [], more: true });
    expect((await ok({ op: "children", path: top, limit: 10 }))["more"]).toBeUndefined();
  });

  it("[O14] read answers each of several from one zxid", async () => {
    const { results, zxid } = await ok({
      op: "read",
      ops: [
        { op: "get", path: top },
        { op: "get", path: `${top}/none` },
        { op: "exists", path: `${top}/none` },
        { op: "children", path: top },
      ],
    });
    expect(results[0].stat.czxid).toBeLessThanOrEqual(zxid);
    expect(results[1].error.code).toBe("NO_NODE");
    expect([results[2].stat, results[3].children]).toEqual([null, []]);
    expect(await code({ op: "read", ops: [{ op: "count", path: top }] })).toBe("BAD_ARGUMENTS");
  });

  it("[O18] count, ephemerals, whoami", async () => {
    for (const path of ["/a", "/a/b", "/a/b/c"]) await ok({ op: "create", path: top + path });
    await ok({ op: "create", path: `${top}/z`, ephemeral: true });
    await ok({ op: "create", path: `${top}/a/y`, ephemeral: true });
    expect((await ok({ op: "count", path: top }))["count"]).toBe(5);
    await ok({ op: "delete", path: `${top}/a`, recursive: true });
    expect((await ok({ op: "count", path: top }))["count"]).toBe(1);
    expect((await ok({ op: "ephemerals", prefix: top }))["paths"]).toEqual([`${top}/z`]);
    expect((await ok({ op: "whoami" }))["identities"]).toContainEqual({ scheme: "ip", id: "127.0.0.1" });
  });

  it("[O21] ensemble says the same as /copse/config", async () => {
    const reply = await ok({ op: "ensemble" });
    expect(reply).toMatchObject({ leader: "1", version: 1, members: [{ id: "1", role: "leader", state: "up", zxid: reply["zxid"] }] });
    expect(reply["members"][0].url).toBe(hub.url.replace("/v1", ""));
    const config = JSON.parse((await ok({ op: "get", path: "/copse/config" }))["data"]);
    expect(config).toMatchObject({ version: 1, members: [{ id: "1", url: reply["members"][0].url }] });
  });
});

describe("multi", () => {
  it("[O13] is all or nothing, one zxid, each op sees those before it", async () => {
    const { zxid, results } = await ok({
      op: "multi",
      ops: [
        { op: "create", path: `${top}/a`, data: "x" },
        { op: "check", path: `${top}/a`, version: 0 },
        { op: "set", path: `${top}/a`, data: "y" },
        { op: "check", path: `${top}/a`, version: 1 },
        { op: "create", path: `${top}/a/b` },
        { op: "delete", path: `${top}/a/b` },
        { op: "setAcl", path: `${top}/a`, acl: world },
      ],
    });
    expect(results.map((result: Message) => Object.keys(result))).toEqual([
      ["path", "stat"],
      [],
      ["stat"],
      [],
      ["path", "stat"],
      [],
      ["stat"],
    ]);
    expect((await ok({ op: "get", path: `${top}/a` }))["stat"]).toMatchObject({
      czxid: zxid,
      mzxid: zxid,
      version: 1,
      cversion: 2,
      aversion: 1,
    });
    expect(await ok({ op: "multi", ops: [] })).toMatchObject({ results: [] });
  });

  it("[O13] that fails leaves nothing, not even a number", async () => {
    await ok({ op: "create", path: `${top}/a`, data: "old" });
    await ok({ op: "create", path: `${top}/gone`, ephemeral: true });
    const before = await ok({ op: "get", path: top });
    const { sub } = await ok({ op: "subscribe", path: top, scope: "tree" });
    client.received.length = 0;
    const failed = await client.ask({
      op: "multi",
      ops: [
        { op: "set", path: `${top}/a`, data: "new" },
        { op: "create", path: `${top}/n-`, sequential: true },
        { op: "setAcl", path: `${top}/a`, acl: [{ perms: ["read"], scheme: "world", id: "anyone" }] },
        { op: "delete", path: `${top}/gone` },
        { op: "delete", path: `${top}/a`, version: 9 },
      ],
    });
    expect(failed["error"]).toMatchObject({ code: "BAD_VERSION", index: 4, path: `${top}/a` });
    const after = await ok({ op: "get", path: top });
    expect(after["stat"]).toEqual(before["stat"]);
    expect(after["zxid"]).toBe(before["zxid"]);
    expect(await ok({ op: "get", path: `${top}/a` })).toMatchObject({ data: "old", stat: { version: 0, aversion: 0 } });
    expect((await ok({ op: "ephemerals", prefix: top }))["paths"]).toEqual([`${top}/gone`]);
    expect((await ok({ op: "create", path: `${top}/n-`, sequential: true }))["path"]).toBe(`${top}/n-0000000002`);
    expect(client.events.filter((event) => event["sub"] === sub).map((event) => event["change"])).toEqual(["created", "children"]);
    await ok({ op: "unsubscribe", sub });
  });
});

describe("bounds of one txn", () => {
  it("[C8] ancestors that parents creates are counted over the whole txn", async () => {
    const deep = (at: number): Message => ({ op: "create", path: `${top}/${at}${"/x".repeat(250)}`, parents: true });
    expect(await client.ask({ op: "multi", ops: Array.from({ length: 41 }, (_, at) => deep(at)) })).toMatchObject({
      error: { code: "TOO_LARGE", index: 40 },
    });
    expect((await ok({ op: "count", path: top }))["count"]).toBe(0);
    await ok({ op: "multi", ops: [deep(0), deep(1)] });
    expect((await ok({ op: "count", path: top }))["count"]).toBe(502);
  });

  it("an ACL has a bound", async () => {
    const acl = [{ perms: ["read"], scheme: "digest", id: `a:${"x".repeat(70_000)}` }];
    expect(await code({ op: "create", path: `${top}/a`, acl })).toBe("BAD_ARGUMENTS");
  });
});

describe("guards", () => {
  it("[O16] a write holds only while its guards stand", async () => {
    const lock = await ok({ op: "create", path: `${top}/lock` });
    const guard = { path: `${top}/lock`, czxid: lock["stat"].czxid };
    await ok({ op: "set", path: top, data: "1", guard });
    await ok({ op: "multi", ops: [{ op: "set", path: top, data: "2" }], guard: [guard, guard] });
    expect(await code({ op: "set", path: top, guard: { ...guard, czxid: guard.czxid + 1 } })).toBe("GUARD_FAILED");
    expect(await code({ op: "set", path: `${top}/none`, guard: { path: `${top}/none`, czxid: 1 } })).toBe("GUARD_FAILED");
    await ok({ op: "delete", path: `${top}/lock` });
    await ok({ op: "create", path: `${top}/lock` });
    expect(await code({ op: "set", path: top, data: "3", guard })).toBe("GUARD_FAILED");
    expect((await ok({ op: "get", path: top }))["data"]).toBe("2");
    await ok({ op: "create", path: `${top}/secret`, acl: [{ perms: ["write"], scheme: "world", id: "anyone" }] });
    expect(await code({ op: "set", path: top, guard: { path: `${top}/secret`, czxid: 1 } })).toBe("NO_AUTH");
  });
});

describe("reserved paths", () => {
  it("[O17] take no writes, and can be read", async () => {
    for (const write of [
      { op: "create", path: "/copse/a" },
      { op: "create", path: "/copse/config/", sequential: true },
      { op: "set", path: "/copse/config", data: "x" },
      { op: "delete", path: "/copse/config" },
      { op: "delete", path: "/copse", recursive: true },
      { op: "setAcl", path: "/copse/config", acl: world },
      { op: "multi", ops: [{ op: "set", path: "/copse" }] },
    ]) {
      expect(await code(write)).toBe("BAD_ARGUMENTS");
    }
    await ok({ op: "get", path: "/copse/config", watch: true });
    await ok({ op: "create", path: `/copse-${tests}` });
  });
});

describe("access control", () => {
  const digest = { scheme: "digest", credential: "ann:secret" };
  const onlyAnn = [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "auth", id: "" }];

  it("[O12] [O19] each permission is asked for, on the znode or its parent", async () => {
    const ann = await RawClient.connect(hub.url, { auth: [digest] });
    await ann.ask({ op: "create", path: `${top}/ann`, data: "x", acl: onlyAnn });
    await ann.ask({ op: "create", path: `${top}/ann/child`, acl: onlyAnn });
    const path = `${top}/ann`;
    for (const [message, expected] of [
      [{ op: "get", path }, "NO_AUTH"],
      [{ op: "exists", path }, "NO_AUTH"],
      [{ op: "children", path }, "NO_AUTH"],
      [{ op: "count", path }, "NO_AUTH"],
      [{ op: "getAcl", path }, "NO_AUTH"],
      [{ op: "set", path }, "NO_AUTH"],
      [{ op: "setAcl", path, acl: world }, "NO_AUTH"],
      [{ op: "create", path: `${path}/b` }, "NO_AUTH"],
      [{ op: "delete", path: `${path}/child` }, "NO_AUTH"],
      [{ op: "delete", path: `${path}/none` }, "NO_AUTH"],
      [{ op: "multi", ops: [{ op: "check", path }] }, "NO_AUTH"],
      [{ op: "delete", path, recursive: true }, "NO_AUTH"],
    ] as const) {
      expect([message.op, await code(message as Message)]).toEqual([message.op, expected]);
    }
    expect((await ann.ask({ op: "get", path }))["data"]).toBe("x");
    expect((await ann.ask({ op: "delete", path, recursive: true }))["deleted"]).toBe(2);
    await ann.cut();
  });

  it("[O12] getAcl masks secrets from who is not admin, and setAcl changes aversion alone", async () => {
    const id = "ann:jZdIoMHTRBXUK4DaKLYzo86cp/0=";
    const readable = [
      { perms: ["read"], scheme: "world", id: "anyone" },
      { perms: ["admin"], scheme: "digest", id },
    ];
    const { stat } = await ok({ op: "create", path: `${top}/a`, acl: readable });
    expect((await ok({ op: "getAcl", path: `${top}/a` }))["acl"][1].id).toBe("ann:x");
    expect(await code({ op: "setAcl", path: `${top}/a`, acl: world })).toBe("NO_AUTH");
    await ok({ op: "create", path: `${top}/b`, acl: world });
    const set = await ok({ op: "setAcl", path: `${top}/b`, acl: readable, version: 0 });
    expect(set["stat"]).toMatchObject({
      ...stat,
      czxid: set["stat"].czxid,
      mzxid: set["stat"].mzxid,
      pzxid: set["stat"].pzxid,
      ctime: set["stat"].ctime,
      mtime: set["stat"].mtime,
      aversion: 1,
    });
    await ok({ op: "create", path: `${top}/c`, acl: world });
    expect(await code({ op: "setAcl", path: `${top}/c`, acl: world, version: 3 })).toBe("BAD_VERSION");
  });

  it("[O19] auth adds an identity in its turn; a wrong one closes with 4401", async () => {
    const ann = await RawClient.connect(hub.url);
    const [first, auth, second] = ann.sendAll([
      { op: "create", path: `${top}/x`, acl: onlyAnn },
      { op: "auth", ...digest },
      { op: "create", path: `${top}/x`, acl: onlyAnn },
    ]);
    expect((await ann.reply(first!))["error"].code).toBe("INVALID_ACL");
    expect((await ann.reply(auth!))["error"]).toBeUndefined();
    expect((await ann.reply(second!))["path"]).toBe(`${top}/x`);
    const failing = await ann.ask({ op: "auth", scheme: "x", credential: "y:z" });
    expect(failing["error"].code).toBe("AUTH_FAILED");
    expect((await ann.closed).code).toBe(4401);
  });

  it("[O12] an ACL that means nothing is INVALID_ACL, one of the wrong shape BAD_ARGUMENTS", async () => {
    for (const acl of [
      [],
      [{ perms: ["fly"], scheme: "world", id: "anyone" }],
      [{ perms: [], scheme: "world", id: "anyone" }],
      [{ perms: ["read"], scheme: "world", id: "me" }],
      [{ perms: ["read"], scheme: "nis", id: "me" }],
      [{ perms: ["read"], scheme: "digest", id: "me" }],
      [{ perms: ["read"], scheme: "ip", id: "300.1.1.1" }],
      [{ perms: ["read"], scheme: "ip", id: "10.0.0.0/33" }],
      [{ perms: ["read"], scheme: "auth", id: "" }],
      [{ perms: ["read"], scheme: "scrypt", id: "nobody" }],
    ]) {
      expect([acl, await code({ op: "create", path: `${top}/bad`, acl })]).toEqual([acl, "INVALID_ACL"]);
    }
    for (const acl of ["x", [1], [{ perms: ["read"] }], [{ perms: ["read"], scheme: 1, id: "x" }]]) {
      expect(await code({ op: "create", path: `${top}/bad`, acl })).toBe("BAD_ARGUMENTS");
    }
  });

  it("[O12] ip and scrypt grant what they name", async () => {
    await ok({ op: "create", path: `${top}/here`, acl: [{ perms: ["read"], scheme: "ip", id: "127.0.0.0/8" }] });
    await ok({ op: "get", path: `${top}/here` });
    await ok({ op: "create", path: `${top}/there`, acl: [{ perms: ["read"], scheme: "ip", id: "10.0.0.0/8" }] });
    expect(await code({ op: "get", path: `${top}/there` })).toBe("NO_AUTH");
    const ann = await RawClient.connect(hub.url, { auth: [digest] });
    await ann.ask({ op: "create", path: `${top}/scrypt`, data: "s", acl: [{ perms: ["read"], scheme: "scrypt", id: "ann" }] });
    expect((await ann.ask({ op: "get", path: `${top}/scrypt` }))["data"]).toBe("s");
    expect(await code({ op: "get", path: `${top}/scrypt` })).toBe("NO_AUTH");
    const mallory = await RawClient.connect(hub.url, { auth: [{ scheme: "digest", credential: "ann:wrong" }] });
    expect(await code({ op: "get", path: `${top}/scrypt` }, mallory)).toBe("NO_AUTH");
    await ann.cut();
    await mallory.cut();
  });

  it("[O20] checks come in order", async () => {
    const closed = [{ perms: ["read"], scheme: "world", id: "anyone" }];
    await ok({ op: "create", path: `${top}/closed`, acl: closed });
    await ok({ op: "create", path: `${top}/e`, ephemeral: true });
    for (const [message, expected] of [
      [{ op: "create", path: "/none/a", acl: [] }, "INVALID_ACL"],
      [{ op: "create", path: `${top}/none/a` }, "NO_NODE"],
      [{ op: "create", path: `${top}/closed/a` }, "NO_AUTH"],
      [{ op: "create", path: `${top}/e` }, "NODE_EXISTS"],
      [{ op: "create", path: `${top}/e/a` }, "NO_CHILDREN_FOR_EPHEMERALS"],
      [{ op: "set", path: `${top}/closed`, version: 9 }, "NO_AUTH"],
      [{ op: "set", path: `${top}/none`, version: 9 }, "NO_NODE"],
      [{ op: "setAcl", path: `${top}/none`, acl: [] }, "INVALID_ACL"],
      [{ op: "delete", path: `${top}/closed/none`, version: 9 }, "NO_AUTH"],
      [{ op: "delete", path: `${top}/closed`, version: 9 }, "BAD_VERSION"],
    ] as const) {
      expect([message, await code(message as Message)]).toEqual([message, expected]);
    }
  });
});
