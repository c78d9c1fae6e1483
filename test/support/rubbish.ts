/**
 * What a peer that is no copse server, or a broken one, may answer: from a seed.
 */
import type { Prng } from "@copse/testing/simulation";

type Message = Record<string, unknown>;

/** What stands for the answer to a request: frames to send. */
export type Answer = (request: Message) => readonly string[];

const stat = { czxid: 1, mzxid: 1, pzxid: 1, ctime: 1, mtime: 1, version: 0, cversion: 0, aversion: 0, dataLength: 1, numChildren: 0 };
const good: Message = {
  zxid: 7,
  path: "/a",
  data: "x",
  stat: { ...stat, ephemeralOwner: null },
  children: ["a", "b"],
  paths: ["/a"],
  results: [{ data: "x", stat }, { stat }],
  acl: [{ scheme: "world", id: "anyone", perms: ["read"] }],
  identities: [{ scheme: "world", id: "anyone" }],
  sub: 1,
  nodes: [{ path: "/a", data: "x", stat }],
};
const greeting: Message = {
  zxid: 7,
  session: { id: "s", secret: "t", timeout: 4_000 },
  resumed: false,
  lastId: 0,
  cluster: "c",
  member: "1",
  role: "leader",
  limits: { frameBytes: 65_536, requests: 100 },
};
const events: readonly Message[] = [
  { event: "changed", path: "/a", zxid: 8 },
  { event: "resync", path: "/a", zxid: 8 },
  { event: "ping" },
  { event: "session", state: "expired" },
  { event: "of another time" },
  { sub: 1, zxid: 8, change: "changed", path: "/a", data: "y", stat },
  { sub: 1, zxid: 8, change: "created", path: "/a/b", data64: "AA==", stat, more: true },
  { sub: 1, zxid: 9, nodes: good["nodes"], reset: true, more: true },
];
const odd: readonly unknown[] = [null, 0, -1, 1.5, 2 ** 53, "", "x", "/", true, [], {}, [null], { code: "X" }, "AAA", "{", { data: 1 }];
/** Frames of something else altogether. */
export const noJson: readonly string[] = [
  "",
  "welcome",
  "null",
  "[null]",
  "[[]]",
  "{",
  '{"id":1,"zxid":1}',
  "1e999",
  `${"[".repeat(20_000)}`,
];

/** Answers that a server could give, each with something wrong now and then. */
export function rubbishAnswers(random: Prng): Answer {
  return (request) => {
    const frames: string[] = [];
    if (random.chance(0.05)) frames.push(random.pick(noJson));
    if (random.chance(0.3)) frames.push(JSON.stringify(perhapsBroken(random.pick(events), random)));
    const body = request["op"] === "connect" ? greeting : good;
    const reply = random.chance(0.1) ? { zxid: 7, error: { code: random.pick(["NO_NODE", "UNAVAILABLE", "WHAT"]), message: "no" } } : body;
    frames.push(JSON.stringify({ id: request["id"], ...perhapsBroken(reply, random) }));
    return frames;
  };
}

/** Mostly as it is; else one member, at any depth, is another value or none. */
function perhapsBroken(message: Message, random: Prng): Message {
  const copy = structuredClone(message);
  if (random.chance(0.6)) return copy;
  let at = copy as Record<string, unknown>;
  for (;;) {
    const key = random.pick(Object.keys(at));
    const below = at[key];
    if (typeof below === "object" && below !== null && Object.keys(below).length > 0 && random.chance(0.6)) {
      at = below as Record<string, unknown>;
      continue;
    }
    if (random.chance(0.2)) delete at[key];
    else at[key] = random.pick(odd);
    return copy;
  }
}
