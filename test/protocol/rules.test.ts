/** Rules: grants for whole subtrees (SPEC.md, part P), as a client sees them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Hub, startHub, temporaryFolder } from "../support/hub.ts";
import { Issuer } from "../support/issuer.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let issuer: Issuer;
let hub: Hub;
let root: RawClient;
let ada: RawClient;
let bob: RawClient;
const file = join(temporaryFolder("rules"), "identity.json");

const everyone = { scheme: "world", id: "anyone" };
const operator = { perms: ["read", "write", "create", "delete", "admin"], scheme: "claim", id: "acme:role=operator" };
const operators = { path: "/**", allow: [operator] };

function document(...rules: Message[]): string {
  return JSON.stringify({ version: 1, otherwise: "deny", rules: [...rules, operators] });
}

async function rule(...rules: Message[]): Promise<Message> {
  const data = document(...rules);
  const set = await root.ask({ op: "set", path: "/copse/rules", data });
  return set["error"]?.["code"] === "NO_NODE" ? root.ask({ op: "create", path: "/copse/rules", data }) : set;
}

async function as(sub: string, claims: Message, members: Message = {}): Promise<RawClient> {
  return RawClient.connect(hub.url, { auth: [{ scheme: "token", credential: await issuer.token({ sub, claims }) }], ...members });
}

const code = (reply: Message): string => reply["error"]?.["code"] ?? "done";

beforeAll(async () => {
  issuer = await Issuer.start();
  writeFileSync(file, JSON.stringify({ issuers: [issuer.settings()], anonymous: "session" }));
});
afterAll(() => issuer.stop());
beforeEach(async () => {
  hub = await startHub({ identityFile: file });
  root = await as("root", { roles: ["operator"] });
  ada = await as("ada", { tenant: "t1" });
  bob = await as("bob", { tenant: "t2" });
});
afterEach(async () => {
  for (const client of [root, ada, bob]) client.socket.close();
  await hub.destroy();
});

test("[P1] are written by admins alone, checked to the last field, and never lock their writer out", async () => {
  expect(code(await rule())).toBe("done");
  for (const message of [
    { op: "get", path: "/copse/rules" },
    { op: "exists", path: "/copse/rules" },
    { op: "set", path: "/copse/rules", data: "" },
    { op: "delete", path: "/copse/rules" },
  ]) {
    expect(code(await ada.ask(message)), message.op).toBe("NO_AUTH");
  }
  expect((await ada.ask({ op: "children", path: "/copse" }))["children"]).toEqual(["config"]);
  expect((await root.ask({ op: "children", path: "/copse" }))["children"]).toEqual(["config", "rules"]);
  const wrong: [unknown, string][] = [
    ["not json", "JSON"],
    [{ version: 2, otherwise: "deny", rules: [] }, "version"],
    [{ version: 1, otherwise: "maybe", rules: [] }, "otherwise"],
    [{ version: 1, otherwise: "deny", rules: [{ path: "/a/**/b", allow: [] }] }, "rules[0].path"],
    [{ version: 1, otherwise: "deny", rules: [{ path: "/a*", allow: [] }] }, "rules[0].path"],
    [
      { version: 1, otherwise: "deny", rules: [operators, { path: "/a", allow: [{ perms: ["fly"], ...everyone }] }] },
      "rules[1].allow[0].perms",
    ],
    [{ version: 1, otherwise: "deny", rules: [{ path: "/a/{x}", allow: [{ perms: ["read"], scheme: "token", id: "acme:{y}" }] }] }, "{y}"],
    [
      { version: 1, otherwise: "deny", rules: [{ path: "/a/{x}", allow: [{ perms: ["read"], scheme: "token", id: "acme:u-{x}" }] }] },
      "whole subject",
    ],
    [{ version: 1, otherwise: "deny", rules: [{ path: "/a", allow: [], deny: [] }] }, "rules[0].deny"],
    [{ version: 1, otherwise: "deny", rules: [] }, "no longer be an admin"],
    [{ version: 1, otherwise: "deny", rules: Array.from({ length: 1_001 }, () => operators) }, "1000 rules"],
  ];
  for (const [said, word] of wrong) {
    const reply = await root.ask({ op: "set", path: "/copse/rules", data: typeof said === "string" ? said : JSON.stringify(said) });
    expect(code(reply), word).toBe("BAD_ARGUMENTS");
    expect(reply["error"]["message"].toLowerCase(), word).toContain(word.toLowerCase());
  }
  const inMulti = await root.ask({ op: "multi", ops: [{ op: "set", path: "/copse/rules", data: document() }] });
  expect(code(inMulti)).toBe("BAD_ARGUMENTS");
  expect(code(await root.ask({ op: "delete", path: "/copse/rules" }))).toBe("done");
  expect(code(await ada.ask({ op: "create", path: "/free" }))).toBe("done");
});

test("[P2] [P3] grant by pattern and variable; what no rule grants is refused whether or not it is there", async () => {
  await rule(
    { path: "/public/**", allow: [{ perms: ["read"], ...everyone }] },
    {
      path: "/users/{user}/**",
      allow: [{ perms: ["read", "write", "create", "delete"], scheme: "token", id: "acme:{user}" }],
      dataBytes: 10,
    },
    {
      path: "/rooms/{room}/*",
      allow: [{ perms: ["read", "create", "delete"], scheme: "claim", id: "acme:tenant={room}" }],
      ephemeral: true,
    },
  );
  for (const path of ["/public", "/public/a", "/users", "/rooms", "/rooms/t1"]) await root.ask({ op: "create", path, data: "x" });
  expect(code(await ada.ask({ op: "get", path: "/public" }))).toBe("done");
  expect(code(await ada.ask({ op: "get", path: "/public/a" }))).toBe("done");
  expect(code(await ada.ask({ op: "set", path: "/public/a", data: "y" }))).toBe("NO_AUTH");
  expect(code(await ada.ask({ op: "create", path: "/users/ada", data: "0123456789" }))).toBe("done");
  expect(code(await ada.ask({ op: "create", path: "/users/ada/a/b", parents: true }))).toBe("done");
  expect(code(await ada.ask({ op: "set", path: "/users/ada", data: "0123456789!" }))).toBe("QUOTA_EXCEEDED");
  expect(code(await bob.ask({ op: "get", path: "/users/ada" }))).toBe("NO_AUTH");
  expect(code(await bob.ask({ op: "get", path: "/users/nobody" }))).toBe("NO_AUTH");
  expect(code(await bob.ask({ op: "exists", path: "/users/nobody", watch: true }))).toBe("NO_AUTH");
  expect(code(await bob.ask({ op: "create", path: "/users/ada/x" }))).toBe("NO_AUTH");
  // A grant on a condition.
  expect(code(await ada.ask({ op: "create", path: "/rooms/t1/ada" }))).toBe("NO_AUTH");
  expect(code(await ada.ask({ op: "create", path: "/rooms/t1/ada", ephemeral: true }))).toBe("done");
  expect(code(await ada.ask({ op: "create", path: "/rooms/t1/n-", ephemeral: true, sequential: true }))).toBe("done");
  expect(code(await ada.ask({ op: "create", path: "/rooms/t2/ada", ephemeral: true }))).toBe("NO_AUTH");
  // Every path of a recursive delete, and of a multi.
  await root.ask({ op: "create", path: "/rooms/t1/ada2" });
  expect(code(await ada.ask({ op: "delete", path: "/users/ada", recursive: true }))).toBe("done");
  expect(code(await ada.ask({ op: "delete", path: "/rooms", recursive: true }))).toBe("NO_AUTH");
  const multi = await ada.ask({
    op: "multi",
    ops: [
      { op: "create", path: "/users/ada" },
      { op: "create", path: "/users/bob" },
    ],
  });
  expect(multi["error"]).toMatchObject({ code: "NO_AUTH", index: 1 });
  expect(code(await ada.ask({ op: "exists", path: "/users/ada" }))).toBe("done");
  const guarded = await ada.ask({ op: "create", path: "/users/ada", guard: { path: "/users/bob", czxid: 1 } });
  expect(code(guarded)).toBe("NO_AUTH");
});

test("[P4] hide names: in lists, subscriptions, events and counts, while numChildren stays", async () => {
  for (const path of ["/users", "/users/ada", "/users/bob"]) await root.ask({ op: "create", path, data: path });
  await rule(
    { path: "/users", allow: [{ perms: ["read"], ...everyone }] },
    { path: "/users/{user}/**", allow: [{ perms: ["read", "write"], scheme: "token", id: "acme:{user}" }] },
  );
  const { children, stat } = await ada.ask({ op: "children", path: "/users" });
  expect([children, stat.numChildren]).toEqual([["ada"], 2]);
  const pages: unknown[] = [];
  for (let after: string | undefined; ; ) {
    const page = await bob.ask({ op: "children", path: "/users", limit: 1, ...(after === undefined ? {} : { after }) });
    pages.push(...page["children"]);
    if (page["more"] !== true) break;
    after = page["after"] ?? page["children"].at(-1);
  }
  expect(pages).toEqual(["bob"]);
  expect(code(await ada.ask({ op: "count", path: "/users" }))).toBe("NO_AUTH");
  expect(code(await ada.ask({ op: "count", path: "/users/ada" }))).toBe("done");
  await ada.ask({ op: "addWatch", path: "/users", mode: "recursive" });
  const subscribed = await ada.ask({ op: "subscribe", path: "/users", scope: "tree" });
  expect(subscribed["nodes"].map(({ path }: Message) => path)).toEqual(["/users", "/users/ada"]);
  const from = ada.received.length;
  await bob.ask({ op: "set", path: "/users/bob", data: "2" });
  const { zxid } = await bob.ask({ op: "set", path: "/users/bob", data: "3" });
  await ada.ask({ op: "get", path: "/users", atLeast: zxid });
  expect(ada.received.slice(from).filter(({ id }) => id === undefined)).toEqual([]);
});

test("[P5] [P6] that change reset what may be concerned before anything else, and give back what was withheld", async () => {
  for (const path of ["/a", "/b"]) await root.ask({ op: "create", path, data: "1" });
  await rule({ path: "/*", allow: [{ perms: ["read"], ...everyone }] });
  const [one, two] = [
    await ada.ask({ op: "subscribe", path: "/a", scope: "node" }),
    await ada.ask({ op: "subscribe", path: "/b", scope: "node" }),
  ];
  await ada.ask({ op: "get", path: "/a", watch: true });
  const from = ada.received.length;
  await rule({ path: "/b", allow: [{ perms: ["read"], ...everyone }] });
  await ada.until((message) => message["sub"] === two["sub"] && message["nodes"]?.length === 1, from);
  const resets = ada.received.slice(from).filter((message) => message["reset"] === true);
  expect(new Set(resets.map(({ sub }) => sub))).toEqual(new Set([one["sub"], two["sub"]]));
  expect(resets[0]).toMatchObject({ nodes: [], more: true });
  const { zxid } = await root.ask({ op: "set", path: "/a", data: "2" });
  await ada.ask({ op: "exists", path: "/b", atLeast: zxid });
  expect(JSON.stringify(ada.events.slice(ada.events.length - 1))).not.toContain('"2"');
  expect(ada.events.filter(({ event }) => event === "changed")).toEqual([]);
  const back = await rule({ path: "/*", allow: [{ perms: ["read"], ...everyone }] });
  await ada.ask({ op: "exists", path: "/b", atLeast: back["zxid"] });
  expect(ada.events.filter(({ event }) => event === "changed")).toEqual([{ event: "changed", path: "/a", zxid }]);
  await ada.until((message) => message["sub"] === one["sub"] && message["nodes"]?.[0]?.["data"] === "2");
  // What a `since` before the rules asks for is the whole state.
  const again = await ada.ask({ op: "subscribe", path: "/b", scope: "node", since: back["zxid"] - 1 });
  expect(again["resumed"]).toBe(false);
});

test("[P3] [P4] one subscription that shows nothing leaves the others of its connection alone", async () => {
  await rule({ path: "/open/**", allow: [{ perms: ["read"], ...everyone }] });
  for (const path of ["/open", "/closed"]) await root.ask({ op: "create", path, data: "1" });
  const [closed, open] = [
    await ada.ask({ op: "subscribe", path: "/closed", scope: "node" }),
    await ada.ask({ op: "subscribe", path: "/open", scope: "node" }),
  ];
  expect(closed).toMatchObject({ nodes: [], denied: true });
  // Neither here: a hidden znode and a missing one look alike.
  expect(await ada.ask({ op: "subscribe", path: "/closed/none", scope: "node" })).toMatchObject({ nodes: [], denied: true });
  expect(code(await ada.ask({ op: "get", path: "/closed" }))).toBe("NO_AUTH");
  await root.ask({ op: "set", path: "/closed", data: "2" });
  await root.ask({ op: "set", path: "/open", data: "2" });
  expect(await ada.until(({ change }) => change === "changed")).toMatchObject({ sub: open["sub"], data: "2" });
  expect(ada.events.filter(({ sub }) => sub === closed["sub"])).toEqual([]);
});

describe("explain", () => {
  test("[P7] says why, to oneself; to admins of anyone", async () => {
    await root.ask({ op: "create", path: "/users", data: "" });
    await rule({ path: "/users/{user}/**", allow: [{ perms: ["write"], scheme: "token", id: "acme:{user}" }] });
    const own = await ada.ask({ op: "explain", path: "/users/bob/x", perm: "write" });
    expect(own).toMatchObject({
      allowed: false,
      rules: [
        { index: 0, granted: false },
        { index: 1, granted: false },
      ],
      because: expect.any(String),
    });
    expect(own["acl"]).toBeUndefined();
    expect(code(await ada.ask({ op: "explain", path: "/users/bob/x", perm: "write", as: ["token acme:bob"] }))).toBe("NO_AUTH");
    const asBob = await root.ask({ op: "explain", path: "/users/bob", perm: "write", as: ["token acme:bob"] });
    expect(asBob["rules"]).toEqual([
      { index: 0, granted: true },
      { index: 1, granted: false },
    ]);
    expect(code(await ada.ask({ op: "explain", path: "/users", perm: "fly" }))).toBe("BAD_ARGUMENTS");
  });
});
