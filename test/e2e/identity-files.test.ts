/**
 * Three members whose identity files differ: what one of them lets in, all of them apply alike, byte for byte, also where the log is replayed.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "@copse/tree";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Hub, startHub, temporaryFolder } from "../support/hub.ts";
import { Issuer } from "../support/issuer.ts";
import { freePort, until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";

let issuer: Issuer;
const folder = temporaryFolder("identity-files");

beforeAll(async () => {
  issuer = await Issuer.start();
});
afterAll(() => issuer.stop());

/** The members as servers of this process, each with the identity file of its own, over what their directories hold. */
async function start(directories: readonly string[], files: readonly string[], ports: readonly number[]): Promise<Hub[]> {
  const peers = ports.map((port, at) => ({ id: String(at + 1), address: `127.0.0.1:${port}` }));
  const hubs = await Promise.all(
    peers.map(({ id, address }, at) => startHub({ member: id, peers, peerListen: address, identityFile: files[at]! }, directories[at])),
  );
  await until(async () => hubs.every(({ member }) => member.isServing && member.tree.ensemble.version > 0));
  return hubs;
}

/** All members hold the same, as soon as all have applied the same. */
async function sameState(hubs: readonly Hub[], zxid: number): Promise<void> {
  await until(async () => hubs.every(({ member }) => member.tree.zxid >= zxid && member.tree.index === hubs[0]!.member.tree.index));
  const [first, ...others] = hubs.map(({ member }) => digestOf(member.tree));
  for (const other of others) expect(other).toEqual(first);
}

it("are the same in every znode, session and refusal", { timeout: 120_000 }, async () => {
  // Only the first makes an operator an admin; the second maps another claim; the third lets nobody of the issuer in.
  const said = [
    { issuers: [issuer.settings()], admins: ["claim acme:role=operator"], anonymous: "deny" },
    { issuers: [issuer.settings({ claims: { tenant: "/tenant" } })], anonymous: "session" },
    { anonymous: "session" },
  ];
  const files = said.map((one, at) => {
    const file = join(folder, `identity-${at + 1}.json`);
    writeFileSync(file, JSON.stringify(one));
    return file;
  });
  const ports = await Promise.all(files.map(() => freePort()));
  const directories = files.map((_, at) => join(folder, `member-${at + 1}`));
  let hubs = await start(directories, files, ports);
  const token = await issuer.token({ sub: "root", claims: { roles: ["operator"], tenant: "t1" } });
  const connect = (id: string, auth: object[]): Promise<RawClient> => RawClient.connect(hubs[Number(id) - 1]!.url, { auth });
  const first = await connect("1", [{ scheme: "token", credential: token }]);
  expect((await first.ask({ op: "whoami" }))["admin"]).toBe(true);
  const second = await connect("2", [{ scheme: "token", credential: token }]);
  // The root is open, and this member's policy is `session`: it counts its client as an admin by the world's grant.
  expect((await second.ask({ op: "whoami" }))["identities"]).toContainEqual({ scheme: "claim", id: "acme:tenant=t1" });
  const third = await RawClient.open(hubs[2]!.url);
  const refused = await third.ask({ op: "connect", auth: [{ scheme: "token", credential: token }] });
  expect(refused["error"]).toMatchObject({ code: "AUTH_FAILED" });
  const anyone = await connect("3", []);
  const acl = [{ perms: ["read", "write"], scheme: "claim", id: "acme:role=operator" }];
  await first.ask({ op: "create", path: "/a", data: "1", acl });
  const outcomes = [
    await first.ask({ op: "set", path: "/a", data: "2" }),
    await second.ask({ op: "set", path: "/a", data: "3" }),
    await anyone.ask({ op: "set", path: "/a", data: "4" }),
  ].map((reply) => reply["error"]?.["code"] ?? "done");
  expect(outcomes).toEqual(["done", "NO_AUTH", "NO_AUTH"]);
  const rules = { version: 1, otherwise: "allow", rules: [{ path: "/a", allow: [{ perms: ["read"], scheme: "token", id: "acme:root" }] }] };
  expect((await first.ask({ op: "create", path: "/copse/rules", data: JSON.stringify(rules) }))["error"]).toBeUndefined();
  await first.ask({ op: "revoke", identity: "token acme:mallory" });
  const { zxid } = await first.ask({ op: "sync" });
  await sameState(hubs, zxid);
  for (const client of [first, second, anyone]) client.socket.close();
  await Promise.all(hubs.map((hub) => hub.stop()));
  // Now from the log, and with each other's files.
  hubs = await start(directories, [...files].reverse(), ports);
  await sameState(hubs, zxid);
  await Promise.all(hubs.map((hub) => hub.stop()));
});
