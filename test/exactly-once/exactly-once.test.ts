/**
 * A random stream of writes, its connection cut at every point and resumed: each write is done once, its reply is the one
 * that an uncut stream gets, and the order is kept. [S11] [S2] [M2]
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let hub: Hub;
let streams = 0;

beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub.destroy());

const names = ["a", "b", "a/c"];
const path = fc.constantFrom(...names);
const version = fc.option(fc.integer({ min: 0, max: 2 }), { nil: -1, freq: 1 });
const single = fc.oneof(
  fc.record({ op: fc.constant("create"), path, data: fc.string({ maxLength: 5 }) }),
  fc.record({ op: fc.constant("create"), path: fc.constant("q-"), sequential: fc.constant(true), ephemeral: fc.boolean() }),
  fc.record({ op: fc.constant("set"), path, data: fc.string({ maxLength: 5 }), version }),
  fc.record({ op: fc.constant("delete"), path, version }),
  fc.record({
    op: fc.constant("setAcl"),
    path,
    acl: fc.constant([{ scheme: "world", id: "anyone", perms: ["read", "write", "create", "delete", "admin"] }]),
  }),
);
const write = fc.oneof(
  { weight: 8, arbitrary: single },
  { weight: 2, arbitrary: fc.array(single, { maxLength: 3 }).map((ops) => ({ op: "multi", ops })) },
  { weight: 1, arbitrary: fc.constant({ op: "auth", scheme: "digest", credential: "ann:secret" }) },
);
const stream = fc.array(write, { minLength: 4, maxLength: 12 });

function below(root: string, request: Message): Message {
  if (request["op"] === "multi") return { ...request, ops: (request["ops"] as Message[]).map((one) => below(root, one)) };
  return request["path"] === undefined ? request : { ...request, path: `${root}/${request["path"]}` };
}

/** Messages as any stream gets them: of numbers of txns their order is compared, because a resume takes one too. */
function plain(root: string, messages: readonly Message[]): Message[] {
  const isZxid = (key: string): boolean => key.endsWith("zxid");
  const zxids = new Set<number>();
  const own = JSON.parse(JSON.stringify(messages).replaceAll(root, ""), (key, value: unknown) => {
    if (isZxid(key)) zxids.add(value as number);
    if (key === "ctime" || key === "mtime") return undefined;
    return key === "ephemeralOwner" && value !== null ? "own" : value;
  }) as Message[];
  const ranks = new Map([...zxids].sort((a, b) => a - b).map((zxid, rank) => [zxid, rank]));
  return JSON.parse(JSON.stringify(own), (key, value: unknown) => (isZxid(key) ? ranks.get(value as number) : value)) as Message[];
}

/** Without what says only how far the member is: the zxid of an error, or of a read. */
function withoutProgress({ zxid: _, ...rest }: Message): Message {
  return rest;
}

interface Played {
  readonly replies: readonly Message[];
  /** All that stands at the end. */
  readonly state: readonly Message[];
}

/** @param cut after so many writes are sent, of which so many have been answered; null for no cut */
async function play(writes: readonly Message[], cut: { readonly sent: number; readonly answered: number } | null): Promise<Played> {
  const root = `/stream-${++streams}`;
  let client = await RawClient.connect(hub.url);
  await client.ask({ op: "create", path: root });
  const requests = writes.map((request, at): Message => ({ id: 100 + at, ...below(root, request) }));
  const replies = new Map<number, Message>();
  const take = (): void => {
    for (const message of client.received)
      if ((message["id"] as number) >= 100 && !replies.has(message["id"] as number)) replies.set(message["id"] as number, message);
  };
  if (cut !== null) {
    for (const request of requests.slice(0, cut.sent)) client.send(request);
    if (cut.answered > 0) await client.reply(99 + cut.answered);
    const { session } = client.session;
    await client.cut();
    take();
    client = await RawClient.connect(hub.url, { session });
    expect(client.session["resumed"]).toBe(true);
  }
  for (const request of requests) if (!replies.has(request["id"] as number)) client.send(request);
  const last = requests.at(-1)!["id"] as number;
  if (!replies.has(last)) await client.reply(last);
  take();
  // One that was answered before is answered the same again, and not done again.
  const again = requests.at(-1)!;
  const from = client.received.length;
  client.send(again);
  expect(await client.until((message) => message["id"] === again["id"], from)).toEqual(replies.get(again["id"] as number));
  client.skipTo(1_000);
  const { children } = await client.ask({ op: "children", path: root, stats: true });
  const state = [
    ...(children as Message[]),
    ...(await Promise.all(names.map(async (name) => withoutProgress(await client.ask({ op: "get", path: `${root}/${name}` }))))),
  ];
  await client.ask({ op: "close" });
  const inOrder = requests.map(({ id }) => replies.get(id as number)!);
  const zxids = inOrder.filter(({ error }) => error === undefined).map(({ zxid }) => zxid as number);
  expect(zxids).toEqual([...new Set(zxids)].sort((a, b) => a - b));
  const written = inOrder.map((reply) => (reply["error"] === undefined ? reply : withoutProgress(reply)));
  const all = plain(root, [...written, ...state]);
  return { replies: all.slice(0, written.length), state: all.slice(written.length) };
}

describe("exactly once", () => {
  it("cut at every point of a random stream, and resumed", { timeout: 300_000 }, async () => {
    const runs = process.env["COPSE_FULL"] === "1" ? 200 : 8;
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(stream, async (writes) => {
        const uncut = await play(writes, null);
        for (let sent = 0; sent <= writes.length; sent++) {
          for (let answered = 0; answered <= sent; answered++) {
            cuts++;
            expect(await play(writes, { sent, answered })).toEqual(uncut);
          }
        }
      }),
      { numRuns: runs },
    );
    expect(cuts).toBeGreaterThan(runs * 14);
  });
});
