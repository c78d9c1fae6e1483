/** The keys of an issuer over hours, on a clock that the test moves; the issuer is a real HTTP server. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cooldownMs, RemoteKeySet } from "../src/credentials/key-set.ts";

let server: Server;
let url: string;
let keys: JWK[];
let isUp = true;
let now = 0;

async function key(kid: string): Promise<JWK> {
  return { ...(await exportJWK((await generateKeyPair("ES256")).publicKey)), kid, alg: "ES256", use: "sig" };
}

beforeAll(async () => {
  keys = [await key("one")];
  server = createServer((_request, response) => {
    response.writeHead(isUp ? 200 : 503);
    response.end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const header = (kid: string): { alg: string; kid: string } => ({ alg: "ES256", kid });

it("go on through an outage of an hour, and are asked for at most once in a cooldown by ten thousand unknown ids", async () => {
  const set = new RemoteKeySet(
    () => Promise.resolve(url),
    () => now,
  );
  expect(await set.find(header("one"))).toHaveLength(1);
  expect(set.asked).toBe(1);
  isUp = false;
  for (const minute of [1, 20, 60]) {
    now = minute * 60_000;
    expect(await set.find(header("one"))).toHaveLength(1);
  }
  await new Promise((resolve) => setImmediate(resolve));
  const before = set.asked;
  const unknown = await Promise.all(Array.from({ length: 10_000 }, (_, at) => set.find(header(`unknown-${at}`))));
  expect(unknown.every((found) => found === null)).toBe(true);
  expect(set.asked - before).toBeLessThanOrEqual(1);
  isUp = true;
  now += cooldownMs;
  expect(await set.find(header("unknown"))).toEqual([]);
});

it("rotate: a new one is found when it is named, one that was withdrawn goes in time, a wrong algorithm asks nobody", async () => {
  now = 0;
  const set = new RemoteKeySet(
    () => Promise.resolve(url),
    () => now,
  );
  await set.find(header("one"));
  const asked = set.asked;
  expect(await set.find({ alg: "RS256", kid: "one" })).toEqual([]);
  expect(set.asked).toBe(asked);
  keys = [...keys, await key("two")];
  now += cooldownMs;
  expect(await set.find(header("two"))).toHaveLength(1);
  keys = keys.filter(({ kid }) => kid === "two");
  now += 3_600_000;
  // The use of a key that is known long since asks whether it still is.
  await set.find(header("two"));
  await expect.poll(async () => (await set.find(header("one")))?.length ?? 0).toBe(0);
});
