/** What one identity may hold and ask for, over all its connections (SPEC.md, part A). */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Hub, startHub, temporaryFolder } from "../support/hub.ts";
import { Issuer } from "../support/issuer.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let issuer: Issuer;
let hub: Hub;
const identityFile = join(temporaryFolder("classes"), "identity.json");
const limits = { connections: 3, sessions: 2, znodes: 3, createdBytes: 10, ephemerals: 1, watches: 2, subscriptions: 1 };
const settings = { identityFile, classes: { authenticated: limits } };

const as = async (sub: string, members: Message = {}): Promise<RawClient> => {
  const client = await RawClient.open(hub.url);
  client.session = await client.ask({ op: "connect", auth: [{ scheme: "token", credential: await issuer.token({ sub }) }], ...members });
  return client;
};
const code = (reply: Message): string => reply["error"]?.["code"] ?? "done";

beforeAll(async () => {
  issuer = await Issuer.start();
  writeFileSync(identityFile, JSON.stringify({ issuers: [issuer.settings()] }));
});
afterAll(() => issuer.stop());
beforeEach(async () => {
  hub = await startHub(settings);
  return () => hub.destroy();
});

test("[A17] connections and sessions, and nobody else notices", async () => {
  const [one, two] = [await as("ada"), await as("ada")];
  const third = await as("ada");
  expect(third.session["error"]).toMatchObject({ code: "QUOTA_EXCEEDED" });
  await third.closed;
  const follower = await as("ada", { readOnly: true });
  expect(follower.session["error"]).toBeUndefined();
  const fourth = await as("ada", { readOnly: true });
  expect(code(fourth.session)).toBe("QUOTA_EXCEEDED");
  expect((await fourth.closed).code).toBe(4429);
  expect(code((await as("bob")).session)).toBe("done");
  await two.ask({ op: "close" });
  await expect.poll(async () => code((await as("ada")).session)).toBe("done");
  one.socket.close();
});

test("[A17] what is created counts for its creator until it is deleted, also over a restart", async () => {
  const data = temporaryFolder("creators");
  await hub.destroy();
  hub = await startHub(settings, data);
  const [one, two, bob] = [await as("ada"), await as("ada"), await as("bob")];
  for (const [client, path] of [
    [one, "/a"],
    [two, "/a/b"],
    [one, "/a/b/c"],
  ] as const)
    expect(code(await client.ask({ op: "create", path, data: "123" }))).toBe("done");
  expect(code(await two.ask({ op: "create", path: "/d" }))).toBe("QUOTA_EXCEEDED");
  expect(code(await one.ask({ op: "set", path: "/a", data: "12345" }))).toBe("QUOTA_EXCEEDED");
  expect(code(await one.ask({ op: "set", path: "/a", data: "1234" }))).toBe("done");
  expect(code(await bob.ask({ op: "create", path: "/d" }))).toBe("done");
  // Whoever deletes it, it counts for its creator no more.
  expect(code(await bob.ask({ op: "delete", path: "/a/b/c" }))).toBe("done");
  expect(code(await two.ask({ op: "create", path: "/e", ephemeral: true, data: "12" }))).toBe("done");
  expect(
    code(
      await one.ask({
        op: "multi",
        ops: [
          { op: "delete", path: "/a/b" },
          { op: "create", path: "/f", ephemeral: true },
        ],
      }),
    ),
  ).toBe("QUOTA_EXCEEDED");
  expect(
    code(
      await one.ask({
        op: "multi",
        ops: [
          { op: "delete", path: "/a/b" },
          { op: "create", path: "/f", data: "1" },
        ],
      }),
    ),
  ).toBe("done");
  await one.ask({ op: "close" });
  await two.ask({ op: "close" });
  for (const stop of [hub.stop]) await stop();
  hub = await startHub({ ...settings, snapshotLogBytes: 1 }, data);
  const again = await as("ada");
  expect(code(await again.ask({ op: "create", path: "/g" }))).toBe("done");
  expect(code(await again.ask({ op: "create", path: "/h" }))).toBe("QUOTA_EXCEEDED");
  // And once more, from a snapshot.
  await expect.poll(() => hub.member.figures.snapshots).toBeGreaterThan(0);
  await again.ask({ op: "close" });
  await hub.stop();
  hub = await startHub(settings, data);
  const last = await as("ada");
  expect(code(await last.ask({ op: "create", path: "/h" }))).toBe("QUOTA_EXCEEDED");
  await last.ask({ op: "delete", path: "/g" });
  expect(code(await last.ask({ op: "create", path: "/h" }))).toBe("done");
});

test("[A17] watches and subscriptions, and rates, over all its connections", async () => {
  const [one, two] = [await as("ada"), await as("ada")];
  expect(code(await one.ask({ op: "addWatch", path: "/a", mode: "persistent" }))).toBe("done");
  expect(code(await two.ask({ op: "exists", path: "/b", watch: true }))).toBe("done");
  expect(code(await one.ask({ op: "exists", path: "/c", watch: true }))).toBe("QUOTA_EXCEEDED");
  expect(code(await two.ask({ op: "subscribe", path: "/", scope: "node" }))).toBe("done");
  expect(code(await one.ask({ op: "subscribe", path: "/", scope: "node" }))).toBe("QUOTA_EXCEEDED");
  await two.cut();
  await expect.poll(async () => code(await one.ask({ op: "subscribe", path: "/", scope: "node" }))).toBe("done");
  await hub.destroy();
  hub = await startHub({ identityFile, classes: { authenticated: { requestsPerSecond: 1, requestsBurst: 4 } } });
  const [three, four, bob] = [await as("ada"), await as("ada"), await as("bob")];
  const outcomes: string[] = [];
  for (let at = 0; at < 6; at++) outcomes.push(code(await (at % 2 === 0 ? three : four).ask({ op: "exists", path: "/" })));
  expect(outcomes.slice(0, 4)).toEqual(["done", "done", "done", "done"]);
  expect(outcomes.slice(4)).toContain("THROTTLED");
  expect(code(await bob.ask({ op: "exists", path: "/" }))).toBe("done");
});
