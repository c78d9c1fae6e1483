/** What a client makes of a peer that is no copse server: another endpoint that failed, and nothing worse. */
import { type Copse, connect, isCopseError } from "@copse/client";
import { Prng } from "@copse/testing/simulation";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import type { Message } from "../support/raw-client.ts";
import { Relay } from "../support/relay.ts";
import { type Answer, rubbishAnswers } from "../support/rubbish.ts";
import { ForeignPeer } from "./foreign-peer.ts";

const answersWanted = process.env["COPSE_FULL"] === "1" ? 100_000 : 10_000;
const clients = 16;
let hub: Hub;

beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub.destroy());

const session = { id: "s", secret: "t", timeout: 4_000 };
const greeted = { zxid: 1, session, resumed: false, lastId: 0, cluster: "c", member: "1", role: "leader" };
const stat = { czxid: 1 };
const znode = {
  data: "foreign",
  stat: { czxid: 1, mzxid: 1, pzxid: 1, ctime: 1, mtime: 1, version: 0, cversion: 0, aversion: 0, dataLength: 1, numChildren: 0 },
};

/** Greets as a server does; then says this to everything. */
function saying(body: Message | string): Answer {
  return ({ id, op }) => [typeof body !== "string" ? JSON.stringify(op === "connect" ? { id, ...greeted } : { id, ...body }) : body];
}

describe("a client at a peer that is none of ours", () => {
  const cases: Record<string, Answer> = {
    "says no JSON": () => ["welcome"],
    "says a text": () => ['"welcome"'],
    "says null": () => ["null"],
    "says a list of null": () => ["[null]"],
    "greets without a session": ({ id }) => [JSON.stringify({ id, zxid: 1 })],
    "refuses by a code that nobody knows": ({ id }) => [JSON.stringify({ id, zxid: 1, error: { code: "EINVAL", message: "no" } })],
    "refuses without a code": ({ id }) => [JSON.stringify({ id, zxid: 1, error: "no" })],
    "answers without a stat": saying({ zxid: 2, data: "x" }),
    "answers with half a stat": saying({ zxid: 2, data: "x", stat }),
    "answers with a zxid past all numbers": saying({ zxid: 2 ** 60, data: "x", stat }),
    "greets for a time that no timer can wait": ({ id }) => [JSON.stringify({ id, ...greeted, session: { ...session, timeout: 2 ** 40 } })],
  };
  it.each(Object.entries(cases))("that %s tries again, and is right once a hub answers", async (_name, answer) => {
    const peer = await ForeignPeer.start(`${hub.url}`, answer);
    const connecting = connect(peer.url, { allowClusterChange: true });
    const read = connecting.then((client) => client.get("/"));
    while (peer.answers < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    peer.answer = null;
    expect((await read).stat.czxid).toBe(0);
    await (await connecting).close();
    await peer.stop();
  });

  it("that greets for another cluster, where a member was said to be, is passed by: nothing is dropped", async () => {
    const peer = await ForeignPeer.start(hub.url, saying({ zxid: 2, ...znode }));
    const own = await startHub({ advertise: peer.url });
    const relay = new Relay();
    relay.to = own.port;
    const client = await connect(`ws://127.0.0.1:${await relay.listen()}`, { sessionTimeoutMs: 20_000 });
    await client.create("/a", "own", { ephemeral: true });
    const { sessionId } = client;
    relay.cut();
    await expect.poll(() => client.status.get().reason, { timeout: 20_000 }).toContain("of another cluster (c)");
    relay.mend();
    expect((await client.get("/a")).data).toBe("own");
    expect([client.sessionId, client.sessionSignal.aborted]).toEqual([sessionId, false]);
    await client.close();
    relay.close();
    await Promise.all([peer.stop(), own.destroy()]);
  });

  it("that gives a reason without end is quoted in part", async () => {
    const message = "no".repeat(500_000);
    const peer = await ForeignPeer.start(hub.url, ({ id }) => [JSON.stringify({ id, zxid: 1, error: { code: "EINVAL", message } })]);
    const error = await connect(peer.url, { connectTimeoutMs: 500 }).catch((reason: unknown) => reason as Error);
    expect((error as Error).message).toContain("EINVAL: nono");
    expect((error as Error).message.length).toBeLessThan(1_000);
    await peer.stop();
  });

  it(`throws nothing and hangs nowhere under ${answersWanted} answers from a seed`, { timeout: 600_000 }, async () => {
    const seed = Number(process.env["COPSE_SEED"] ?? Date.now() % 1_000_000_000);
    console.log(`again with COPSE_SEED=${seed}`);
    const peer = await ForeignPeer.start(hub.url, rubbishAnswers(new Prng(seed)));
    const strange: unknown[] = [];
    let isOver = false;
    const working = Array.from({ length: clients }, async () => {
      const client = await connect(peer.url, {
        sessionTimeoutMs: 4_000,
        allowClusterChange: true,
        connectTimeoutMs: Number.POSITIVE_INFINITY,
      });
      const stops = [
        client.observe("/a", { scope: "tree" }, { state: () => {}, changes: () => {}, failed: () => {} }),
        client.store("/a").subscribe(() => {}),
      ];
      const watching = (async () => {
        for await (const event of client.watch("/a", { mode: "recursive" })) if (typeof event.path !== "string") strange.push(event);
      })().catch((error: unknown) => isCopseError(error) || strange.push(error));
      const call = { timeoutMs: 100 };
      const calls: ((client: Copse) => Promise<unknown>)[] = [
        (copse) => copse.get("/a", call),
        (copse) => copse.children("/a", call),
        (copse) => copse.set("/a", "x", call),
        (copse) => copse.create("/a", "x", call),
        (copse) =>
          copse.read(
            [
              { op: "get", path: "/a" },
              { op: "exists", path: "/b" },
            ],
            call,
          ),
        (copse) =>
          copse.multi(
            [
              { op: "set", path: "/a", data: "x" },
              { op: "set", path: "/b", data: "x" },
            ],
            call,
          ),
        (copse) => copse.getAcl("/a", call),
        (copse) => copse.ephemerals("/", { ...call, signal: AbortSignal.timeout(200) }),
        (copse) => copse.whoami(call),
        (copse) => copse.sync(call),
      ];
      while (!isOver) {
        await new Promise((resolve) => setImmediate(resolve));
        const done = await Promise.allSettled(calls.map((run) => run(client)));
        for (const one of done)
          if (one.status === "rejected" && !isCopseError(one.reason) && one.reason?.name !== "TimeoutError") strange.push(one.reason);
      }
      // A hub answers at last: all is as if nothing had been.
      const { stat } = await client.get("/");
      for (const stop of stops) stop();
      await client.close();
      await watching;
      return stat.czxid;
    });
    while (peer.answers < answersWanted) await new Promise((resolve) => setTimeout(resolve, 20));
    isOver = true;
    peer.answer = null;
    expect(await Promise.all(working)).toEqual(Array(clients).fill(0));
    expect(strange).toEqual([]);
    await peer.stop();
  });
});
