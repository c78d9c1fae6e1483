/** Who may connect, as whom, and until when (SPEC.md, part A), as a client sees it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Hub, startHub, temporaryFolder } from "../support/hub.ts";
import { Issuer } from "../support/issuer.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let issuer: Issuer;
const folder = temporaryFolder("identity");
let files = 0;

/** An identity file with this in it. */
function identityFile(said: Message): string {
  const file = join(folder, `identity-${++files}.json`);
  writeFileSync(file, JSON.stringify({ issuers: [issuer.settings()], ...said }));
  return file;
}

async function withToken(hub: Hub, token: string, members: Message = {}): Promise<RawClient> {
  const client = await RawClient.open(hub.url);
  client.session = await client.ask({ op: "connect", auth: [{ scheme: "token", credential: token }], ...members });
  return client;
}

const admin = { claims: { roles: ["operator"] }, sub: "root" };

beforeAll(async () => {
  issuer = await Issuer.start();
});
afterAll(() => issuer.stop());

describe("a token", () => {
  let hub: Hub;
  beforeAll(async () => {
    hub = await startHub({ identityFile: identityFile({ admins: ["claim acme:role=operator"] }) });
  });
  afterAll(() => hub.destroy());

  test("[A11] proves a subject, its issuer and the mapped claims, each shown whole", async () => {
    const ada = await withToken(hub, await issuer.token({ claims: { roles: ["editor", 7], tenant: "t1", other: "x" } }));
    expect(ada.session["error"]).toBeUndefined();
    const { identities, admin: isAdmin, expiresAt } = await ada.ask({ op: "whoami" });
    expect(identities.filter(({ scheme }: Message) => scheme !== "ip")).toEqual([
      { scheme: "token", id: "acme:ada" },
      { scheme: "issuer", id: "acme" },
      { scheme: "claim", id: "acme:role=editor" },
      { scheme: "claim", id: "acme:role=7" },
      { scheme: "claim", id: "acme:tenant=t1" },
    ]);
    expect(isAdmin).toBe(false);
    expect(Math.abs(expiresAt - Date.now() - 3_600_000)).toBeLessThan(60_000);
    ada.socket.close();
  });

  test("[A13] of whom the file names makes an admin", async () => {
    const root = await withToken(hub, await issuer.token(admin));
    const { identities, admin: isAdmin } = await root.ask({ op: "whoami" });
    expect(isAdmin).toBe(true);
    expect(identities).toContainEqual({ scheme: "admin", id: "admin" });
    expect((await root.ask({ op: "sessions" }))["error"]).toBeUndefined();
    root.socket.close();
  });

  test("[A11] that is not right is AUTH_FAILED with `refused` or `expired`, and nothing more", async () => {
    const key = new TextEncoder().encode("a secret of more than thirty-two bytes");
    const now = Math.floor(Date.now() / 1_000);
    const right = { iss: issuer.url, aud: "copse", sub: "ada", iat: now, exp: now + 60 };
    const wrong: Record<string, string> = {
      "alg none": new UnsecuredJWT(right).encode(),
      "a swapped algorithm": await new SignJWT(right).setProtectedHeader({ alg: "HS256", kid: "first" }).sign(key),
      "another audience": await issuer.token({ audience: "others" }),
      "another issuer under the same kid": await issuer.token({ claims: { iss: "https://other.example" } }),
      "no iat": await issuer.token({ without: ["iat"] }),
      "no exp": await issuer.token({ without: ["exp"] }),
      "no sub": await issuer.token({ without: ["sub"] }),
      "no aud": await issuer.token({ without: ["aud"] }),
      "exp past 2^53": await issuer.token({ claims: { exp: 2 ** 53 } }),
      "iat far ahead": await issuer.token({ issuedAgo: -120 }),
      "nbf far ahead": await issuer.token({ claims: { nbf: now + 120 } }),
      "a claim that is an object": await issuer.token({ claims: { tenant: { a: 1 } } }),
      "a claim with too many values": await issuer.token({ claims: { roles: Array.from({ length: 70 }, (_, at) => `r${at}`) } }),
      "a claim that is too long": await issuer.token({ claims: { tenant: "x".repeat(300) } }),
      "over 16 KiB": await issuer.token({ claims: { other: "x".repeat(20_000) } }),
      "deep claims": await issuer.token({ claims: { other: JSON.parse(`${"[".repeat(500)}${"]".repeat(500)}`) as unknown } }),
      "no token at all": "rubbish",
      "a signature of somebody else": `${(await issuer.token()).slice(0, -8)}AAAAAAAA`,
    };
    for (const [what, token] of Object.entries(wrong)) {
      const client = await withToken(hub, token);
      expect(client.session["error"], what).toMatchObject({ code: "AUTH_FAILED", reason: "refused" });
      expect((await client.closed).code, what).toBe(4401);
    }
    for (const token of [await issuer.token({ expiresIn: -1, issuedAgo: 60 }), await issuer.token({ issuedAgo: 86_500 })]) {
      const client = await withToken(hub, token);
      expect(client.session["error"]).toMatchObject({ code: "AUTH_FAILED", reason: "expired" });
    }
  });

  test("[A12] of another subject is not taken by a session, in auth or at a resume, and nothing of it changes", async () => {
    const ada = await withToken(hub, await issuer.token());
    const failed = await ada.ask({ op: "auth", scheme: "token", credential: await issuer.token({ sub: "bob" }) });
    expect(failed["error"]).toMatchObject({ code: "AUTH_FAILED" });
    expect((await ada.closed).code).toBe(4401);
    const { id, secret } = ada.session["session"];
    const bob = await withToken(hub, await issuer.token({ sub: "bob" }), { session: { id, secret } });
    expect(bob.session["error"]).toMatchObject({ code: "AUTH_FAILED" });
    const again = await withToken(hub, await issuer.token(), { session: { id, secret } });
    expect(again.session).toMatchObject({ resumed: true });
    again.socket.close();
  });

  test("[A12] renewed in place replaces what the former proved", async () => {
    const ada = await withToken(hub, await issuer.token({ claims: { tenant: "t1" } }));
    const renewed = await ada.ask({
      op: "auth",
      scheme: "token",
      credential: await issuer.token({ claims: { tenant: "t2" }, expiresIn: 7_200 }),
    });
    expect(renewed["identities"]).toContainEqual({ scheme: "claim", id: "acme:tenant=t2" });
    expect(renewed["identities"]).not.toContainEqual({ scheme: "claim", id: "acme:tenant=t1" });
    expect(renewed["expiresAt"]).toBeGreaterThan(Date.now() + 7_000_000);
    ada.socket.close();
  });

  test("[A16] that was answered once is answered again, though it has ended; another one under the same id is another request", async () => {
    const ada = await withToken(hub, await issuer.token());
    const credential = await issuer.token({ expiresIn: 2 });
    const auth = { op: "auth", scheme: "token", credential };
    const first = await ada.ask({ id: 100, ...auth });
    expect(first["error"]).toBeUndefined();
    await ada.cut();
    await expect.poll(async () => (await withToken(hub, credential)).session["error"]?.["reason"], { timeout: 10_000 }).toBe("expired");
    const { id, secret } = ada.session["session"];
    const again = await withToken(hub, await issuer.token(), { session: { id, secret } });
    expect(await again.ask({ id: 100, ...auth })).toEqual(first);
    const other = await again.ask({ id: 100, ...auth, credential: `${credential}x` });
    expect(other["error"]).toMatchObject({ code: "BAD_ARGUMENTS" });
    again.socket.close();
  });

  test("stands in ACLs, alone or with others at once; `auth` stands for it", async () => {
    const root = await withToken(hub, await issuer.token(admin));
    const ada = await withToken(hub, await issuer.token({ claims: { tenant: "t1", roles: ["editor"] } }));
    const bob = await withToken(hub, await issuer.token({ sub: "bob", claims: { tenant: "t2", roles: ["editor"] } }));
    const all = [
      { scheme: "claim", id: "acme:role=editor" },
      { scheme: "claim", id: "acme:tenant=t1" },
    ];
    const acl = [{ perms: ["read", "write"], all }];
    expect((await root.ask({ op: "create", path: "/both", data: "x", acl }))["error"]).toBeUndefined();
    expect((await ada.ask({ op: "get", path: "/both" }))["data"]).toBe("x");
    expect((await bob.ask({ op: "get", path: "/both" }))["error"]["code"]).toBe("NO_AUTH");
    expect((await ada.ask({ op: "getAcl", path: "/both" }))["acl"]).toEqual(acl);
    await ada.ask({ op: "create", path: "/adas", acl: [{ perms: ["read", "admin"], scheme: "auth", id: "" }] });
    expect((await ada.ask({ op: "getAcl", path: "/adas" }))["acl"]).toEqual([
      { perms: ["read", "admin"], scheme: "token", id: "acme:ada" },
    ]);
    for (const item of [
      { scheme: "admin", id: "admin" },
      { scheme: "token", id: "nocolon" },
      { scheme: "claim", id: "acme:role" },
    ]) {
      const refused = await ada.ask({ op: "create", path: "/bad", acl: [{ perms: ["read"], ...item }] });
      expect(refused["error"]["code"]).toBe("INVALID_ACL");
    }
    for (const client of [root, ada, bob]) client.socket.close();
  });

  test("[A15] logout drops all identities; the session goes on, where the policy lets it", async () => {
    const ada = await withToken(hub, await issuer.token());
    expect((await ada.ask({ op: "logout" }))["error"]).toBeUndefined();
    expect((await ada.closed).code).toBe(4401);
  });
});

describe("the keys of an issuer", () => {
  test("[A11] are asked for once, whatever unknown keys are named, and go on while it is down", async () => {
    const hub = await startHub({ identityFile: identityFile({}) });
    const first = await withToken(hub, await issuer.token());
    expect(first.session["error"]).toBeUndefined();
    const { asked } = issuer;
    issuer.isUp = false;
    const unknown = await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const client = await withToken(hub, await issuer.token({ kid: `unknown-${at}` }));
        return [client.session["error"]?.["code"], (await client.closed).code];
      }),
    );
    expect(new Set(unknown.map(String))).toEqual(new Set(["UNAVAILABLE,4503"]));
    expect(issuer.asked - asked).toBeLessThanOrEqual(1);
    const throttled = await first.ask({ op: "auth", scheme: "token", credential: await issuer.token({ kid: "unknown" }) });
    expect(throttled["error"]["code"]).toBe("THROTTLED");
    expect((await first.ask({ op: "whoami" }))["identities"]).toContainEqual({ scheme: "token", id: "acme:ada" });
    const known = await withToken(hub, await issuer.token());
    expect(known.session["error"]).toBeUndefined();
    issuer.isUp = true;
    for (const client of [first, known]) client.socket.close();
    await hub.destroy();
  });
});

describe("a connection that nobody vouches for", () => {
  const digest = { auth: [{ scheme: "digest", credential: "bob:secret" }] };

  test("[A13] is let in as the identity file says: not at all, to follow, or with a session", async () => {
    const outcomes: Record<string, unknown[]> = {};
    for (const anonymous of ["deny", "follow", "session"]) {
      const hub = await startHub({ identityFile: identityFile({ anonymous }) });
      outcomes[anonymous] = [];
      for (const members of [{}, { readOnly: true }, digest, { readOnly: true, ...digest }]) {
        const client = await RawClient.open(hub.url);
        const reply = await client.ask({ op: "connect", ...members });
        outcomes[anonymous].push(reply["error"]?.["code"] ?? "in");
        if (reply["error"] !== undefined) expect((await client.closed).code).toBe(4401);
        else client.socket.close();
      }
      await hub.destroy();
    }
    const refused = "AUTH_FAILED";
    expect(outcomes).toEqual({
      deny: [refused, refused, refused, refused],
      follow: [refused, "in", refused, "in"],
      session: ["in", "in", "in", "in"],
    });
  });

  test("is let in on loopback, unless something says that strangers may come", async () => {
    const tried: [object, boolean][] = [
      [{}, true],
      [{ trustProxy: ["10.0.0.0/8"] }, false],
      [{ origins: ["https://app.example"] }, false],
      [{ advertise: "wss://hub.example" }, false],
      [{ identityFile: identityFile({}) }, false],
      [{ trustProxy: ["10.0.0.0/8"], isInsecure: true }, true],
    ];
    for (const [settings, isIn] of tried) {
      const hub = await startHub(settings);
      const client = await RawClient.open(`ws://127.0.0.1:${hub.port}/v1`);
      expect((await client.ask({ op: "connect" }))["error"] === undefined, JSON.stringify(settings)).toBe(isIn);
      client.socket.close();
      await hub.destroy();
    }
  });

  test("is judged again when the file changes: nobody else is dropped", async () => {
    const file = identityFile({ anonymous: "session" });
    const hub = await startHub({ identityFile: file });
    const [ada, nobody] = [await withToken(hub, await issuer.token()), await RawClient.connect(hub.url)];
    writeFileSync(file, "{ not json");
    hub.reload();
    expect((await nobody.ask({ op: "whoami" }))["error"]).toBeUndefined();
    writeFileSync(file, JSON.stringify({ issuers: [issuer.settings()], anonymous: "deny" }));
    hub.reload();
    expect((await nobody.closed).code).toBe(4401);
    expect((await ada.ask({ op: "whoami" }))["identities"]).toContainEqual({ scheme: "token", id: "acme:ada" });
    ada.socket.close();
    await hub.destroy();
  });
});

describe("the end of an identity", () => {
  test("[A14] [P6] is told before, and takes what it gave: in the state of a session, at once on a connection without one", async () => {
    const hub = await startHub({ identityFile: identityFile({ anonymous: "session", admins: ["claim acme:role=operator"] }) });
    const root = await withToken(hub, await issuer.token(admin));
    const acl = [
      { perms: ["read"], scheme: "token", id: "acme:ada" },
      { perms: ["write"], scheme: "world", id: "anyone" },
    ];
    await root.ask({ op: "create", path: "/secret", data: "1", acl });
    const token = await issuer.token({ expiresIn: 3 });
    const [ada, reader] = [await withToken(hub, token), await withToken(hub, token, { readOnly: true })];
    for (const client of [ada, reader]) {
      expect((await client.ask({ op: "subscribe", path: "/secret", scope: "node" }))["nodes"]).toHaveLength(1);
      await client.ask({ op: "get", path: "/secret", watch: true });
    }
    for (const client of [ada, reader]) {
      expect(await client.until(({ event }) => event === "auth")).toMatchObject({
        identity: "token acme:ada",
        expiresAt: expect.any(Number),
      });
      await client.until((message) => message["reset"] === true);
      expect((await client.ask({ op: "get", path: "/secret" }))["error"]["code"]).toBe("NO_AUTH");
    }
    const before = [ada.events.length, reader.events.length];
    await root.ask({ op: "set", path: "/secret", data: "2" });
    // The watch was withheld, not used up: it fires when permission returns.
    const renewed = await ada.ask({ op: "auth", scheme: "token", credential: await issuer.token() });
    expect(renewed["error"]).toBeUndefined();
    const events = ada.events.slice(before[0]);
    expect(events).toContainEqual({ event: "changed", path: "/secret", zxid: expect.any(Number) });
    await ada.until((message) => message["nodes"]?.[0]?.["data"] === "2");
    await reader.ask({ op: "whoami" });
    expect(JSON.stringify(reader.events.slice(before[1]))).not.toContain('"data"');
    for (const client of [root, ada, reader]) client.socket.close();
    await hub.destroy();
  });

  test("[A14] [U5] what was written while somebody could not read it is not told afterwards: `since` gives the state of now", async () => {
    const hub = await startHub({ identityFile: identityFile({ anonymous: "session", admins: ["claim acme:role=operator"] }) });
    const root = await withToken(hub, await issuer.token(admin));
    const acl = [{ perms: ["read"], scheme: "token", id: "acme:ada" }];
    await root.ask({ op: "create", path: "/x", data: "shown", acl });
    const ada = await withToken(hub, await issuer.token());
    const { zxid: since, nodes } = await ada.ask({ op: "subscribe", path: "/x", scope: "node" });
    expect(nodes).toHaveLength(1);
    await ada.ask({ op: "unsubscribe", sub: 1 });
    await ada.ask({ op: "logout" });
    await root.ask({ op: "set", path: "/x", data: "unseen" });
    await root.ask({ op: "set", path: "/x", data: "public" });
    await root.ask({ op: "setAcl", path: "/x", acl: [{ perms: ["read"], scheme: "world", id: "anyone" }] });
    for (const client of [ada, await RawClient.connect(hub.url), await RawClient.connect(hub.url, { readOnly: true })]) {
      const again = await client.ask({ op: "subscribe", path: "/x", scope: "node", since });
      expect(again).toMatchObject({ resumed: false, nodes: [{ data: "public" }] });
      await client.ask({ op: "whoami" });
      expect(JSON.stringify(client.received)).not.toContain("unseen");
      client.socket.close();
    }
    root.socket.close();
    await hub.destroy();
  });

  test("[A13] [A14] closes with 4401 where the policy demands one", async () => {
    const hub = await startHub({ identityFile: identityFile({ anonymous: "deny" }) });
    const ada = await withToken(hub, await issuer.token({ expiresIn: 2 }));
    expect((await ada.closed).code).toBe(4401);
    const { id, secret } = ada.session["session"];
    const again = await withToken(hub, await issuer.token(), { session: { id, secret } });
    expect(again.session).toMatchObject({ resumed: true });
    again.socket.close();
    await hub.destroy();
  });
});

describe("a revocation", () => {
  test("[A15] takes the identity from sessions and connections, ends the sessions, and refuses the credential", async () => {
    const origins = ["https://app.example"];
    const hub = await startHub({ origins, identityFile: identityFile({ anonymous: "session", admins: ["claim acme:role=operator"] }) });
    const root = await withToken(hub, await issuer.token(admin));
    await root.ask({ op: "create", path: "/open", acl: [{ perms: ["create", "delete"], scheme: "world", id: "anyone" }] });
    const token = await issuer.token({ claims: { tenant: "t1" } });
    const [ada, reader] = [await withToken(hub, token), await withToken(hub, token, { readOnly: true })];
    await ada.ask({ op: "create", path: "/open/here", ephemeral: true });
    const bob = await withToken(hub, await issuer.token({ sub: "bob" }));
    expect((await bob.ask({ op: "revoke", identity: "token acme:ada" }))["error"]["code"]).toBe("NO_AUTH");
    expect((await root.ask({ op: "revoke", identity: "token acme:ada" }))["error"]).toBeUndefined();
    expect((await ada.closed).code).toBe(4410);
    expect((await root.ask({ op: "exists", path: "/open/here" }))["stat"]).toBeNull();
    expect((await reader.ask({ op: "whoami" }))["identities"]).not.toContainEqual({ scheme: "token", id: "acme:ada" });
    const again = await withToken(hub, token);
    expect(again.session["error"]).toMatchObject({ code: "AUTH_FAILED", reason: "refused" });
    expect((await root.ask({ op: "revoked" }))["list"]).toMatchObject([{ identity: "token acme:ada" }]);
    await root.ask({ op: "revoke", identity: "token acme:ada", before: 0 });
    expect((await root.ask({ op: "revoked" }))["list"]).toEqual([]);
    const back = await withToken(hub, token);
    expect(back.session["error"]).toBeUndefined();
    await root.ask({ op: "revoke", identity: "claim acme:tenant=t1", sessions: "keep" });
    expect((await back.ask({ op: "whoami" }))["identities"].filter(({ scheme }: Message) => scheme !== "ip")).toEqual([]);
    const { id } = back.session["session"];
    await root.ask({ op: "endSession", session: id });
    expect((await back.closed).code).toBe(4410);
    for (const client of [root, bob, reader]) client.socket.close();
    await hub.destroy();
  });

  test("is remembered over a restart, by its identity", async () => {
    const file = identityFile({ admins: ["claim acme:role=operator"] });
    const data = temporaryFolder("revoked");
    const hub = await startHub({ identityFile: file }, data);
    const root = await withToken(hub, await issuer.token(admin));
    await root.ask({ op: "revoke", identity: "issuer acme", sessions: "keep" });
    await hub.stop();
    const again = await startHub({ identityFile: file }, data);
    const refused = await withToken(again, await issuer.token());
    expect(refused.session["error"]).toMatchObject({ code: "AUTH_FAILED" });
    await again.destroy();
  });
});
