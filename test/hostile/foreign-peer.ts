/**
 * A server that is none: it answers as it is told, or from a seed, for as long as it is told; from then on it hands all on to a hub.
 */
import { once } from "node:events";
import type { Prng } from "@copse/testing/simulation";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import type { Message } from "../support/raw-client.ts";

/** What stands for the answer to a request: frames to send. */
export type Answer = (request: Message) => readonly string[];

export class ForeignPeer {
  readonly #server: WebSocketServer;
  readonly #hub: string;
  /** Null once it hands on. */
  answer: Answer | null;
  /** Frames that it has sent of its own. */
  answers = 0;

  private constructor(server: WebSocketServer, hub: string, answer: Answer) {
    this.#server = server;
    this.#hub = hub;
    this.answer = answer;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async start(hub: string, answer: Answer): Promise<ForeignPeer> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "copse.v1" });
    await once(server, "listening");
    return new ForeignPeer(server, hub, answer);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: WebSocket): void {
    socket.on("error", () => {});
    if (this.answer === null) return this.#handOn(socket);
    socket.on("message", (frame) => {
      const { answer } = this;
      if (answer === null) return socket.terminate();
      for (const request of [JSON.parse(String(frame)) as Message | Message[]].flat()) {
        for (const text of answer(request)) {
          this.answers++;
          socket.send(text);
        }
      }
    });
  }

  #handOn(socket: WebSocket): void {
    const beyond = new WebSocket(this.#hub, "copse.v1");
    const waiting: RawData[] = [];
    beyond.on("open", () => {
      for (const frame of waiting.splice(0)) beyond.send(frame, { binary: false });
    });
    socket.on("message", (frame) => (beyond.readyState === WebSocket.OPEN ? beyond.send(frame, { binary: false }) : waiting.push(frame)));
    beyond.on("message", (frame) => socket.send(frame, { binary: false }));
    beyond.on("error", () => socket.terminate());
    beyond.on("close", () => socket.terminate());
    socket.on("close", () => beyond.terminate());
  }
}

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
const noJson = ["", "welcome", "null", "[null]", "[[]]", "{", '{"id":1,"zxid":1}', "1e999", `${"[".repeat(20_000)}`];

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
