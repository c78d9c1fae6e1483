/** A client whose token ends: it renews by itself, says why where it can't, and its recipes go on. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AuthReason, type Copse, type Credential, connect, isCopseError } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Hub, startHub, temporaryFolder } from "../support/hub.ts";
import { Issuer } from "../support/issuer.ts";

let issuer: Issuer;
let hub: Hub;
const clients: Copse[] = [];

beforeAll(async () => {
  issuer = await Issuer.start();
  const file = join(temporaryFolder("renewal"), "identity.json");
  writeFileSync(file, JSON.stringify({ issuers: [issuer.settings()], admins: ["claim acme:role=operator"] }));
  hub = await startHub({ identityFile: file });
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await hub.destroy();
  await issuer.stop();
});

async function client(auth: (ask: { reason: AuthReason }) => Promise<string>): Promise<Copse> {
  const one = await connect(hub.url, {
    auth: async (ask): Promise<Credential[]> => [{ scheme: "token", credential: await auth(ask) }],
  });
  clients.push(one);
  return one;
}

test("renews before the end; locks, stores and identities go on without a hiccup", { timeout: 60_000 }, async () => {
  const asked: AuthReason[] = [];
  const ada = await client(({ reason }) => {
    asked.push(reason);
    return issuer.token({ expiresIn: 3 });
  });
  await ada.create("/app/title", "one", { parents: true });
  const seen: string[] = [];
  const off = ada.store("/app/title").subscribe((text) => seen.push(text));
  const held = await lock(ada, "/locks/a");
  expect(ada.identities.get()).toContainEqual({ scheme: "token", id: "acme:ada" });
  await expect.poll(() => asked.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(4);
  expect(asked[0]).toBe("connect");
  expect(new Set(asked.slice(1))).toEqual(new Set(["expiring"]));
  expect(held.signal.aborted).toBe(false);
  expect(ada.state).toBe("connected");
  await ada.set("/app/title", "two");
  await expect.poll(() => seen.at(-1)).toBe("two");
  off();
  await held.close();
});

test("whose token is refused asks once more, and then says so", async () => {
  const asked: AuthReason[] = [];
  const refused = client(({ reason }) => {
    asked.push(reason);
    return issuer.token({ expiresIn: -10, issuedAgo: 60 });
  });
  await expect(refused).rejects.toMatchObject({ code: "AUTH_FAILED", reason: "expired" });
  expect(asked).toEqual(["connect", "refused"]);
});

test("with another subject is another session", { timeout: 60_000 }, async () => {
  let sub = "ada";
  const one = await client(() => issuer.token({ sub, expiresIn: 2 }));
  const { sessionId, sessionSignal } = one;
  await one.create("/mine", "x", { ephemeral: true });
  sub = "bob";
  await expect.poll(() => one.state === "connected" && one.sessionId !== sessionId, { timeout: 30_000 }).toBe(true);
  expect(sessionSignal.aborted).toBe(true);
  expect(one.identities.get()).toContainEqual({ scheme: "token", id: "acme:bob" });
});

test("explains, logs out, and is revoked by an admin", async () => {
  const root = await client(() => issuer.token({ sub: "root", claims: { roles: ["operator"] } }));
  const ada = await client(() => issuer.token({ sub: "eve" }));
  await root.create("/secret", "x", { acl: [{ perms: ["read"], scheme: "token", id: "acme:somebody" }] });
  expect(await ada.explain("/secret", "read")).toMatchObject({ allowed: false });
  expect(await root.explain("/secret", "read", { as: ["token acme:somebody"] })).toMatchObject({ allowed: true });
  await root.revoke("token acme:eve");
  await expect.poll(() => ada.state).toBe("closed");
  expect(await root.revoked()).toMatchObject([{ identity: "token acme:eve" }]);
  await root.logout();
  await expect.poll(() => root.state !== "connected" || root.identities.get().length > 0).toBe(true);
});

test("a lock rejects where rules hide who is before it", async () => {
  const root = await client(() => issuer.token({ sub: "boss", claims: { roles: ["operator"] } }));
  const own = { perms: ["read", "create", "delete"], scheme: "token", id: "acme:carl" };
  const hidden = { path: "/queue/lock-0000000000", allow: [] };
  await root.create("/queue");
  await root.create("/queue/lock-", "", { sequential: true });
  const rules = [
    hidden,
    { path: "/queue", allow: [own] },
    { path: "/queue/{place}", allow: [{ perms: ["create", "delete"], scheme: "token", id: "acme:carl" }] },
    { path: "/queue/lock-0000000001", allow: [own] },
  ];
  await root.create("/copse/rules", JSON.stringify({ version: 1, otherwise: "deny", rules }));
  const carl = await client(() => issuer.token({ sub: "carl" }));
  const error = await lock(carl, "/queue").catch((caught: unknown) => caught);
  expect(isCopseError(error, "NO_AUTH")).toBe(true);
  await root.delete("/copse/rules");
});
