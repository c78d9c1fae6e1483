/**
 * Bad input of every kind, each with its answer; and after each, another client goes on as if nothing had been.
 *
 * Elsewhere: who never reads (test/protocol/subscriptions, U6), a stranger on the peer port (test/e2e/ensemble), damaged
 * files (packages/log), random rubbish (fuzz.test.ts).
 */
import { defaultLimits } from "@copse/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";
import { answerTo, closeCodeFor, frame, upgrade } from "../support/raw-socket.ts";

let hub: Hub;
let witness: RawClient;
let rounds = 0;

beforeAll(async () => {
  hub = await startHub({ origins: ["https://app.example.com"], isInsecure: true });
  witness = await RawClient.connect(hub.url);
  await witness.ask({ op: "create", path: "/witness", data: "0" });
});
afterAll(() => hub.destroy());

/** Whoever is attacked, others are served, and what they wrote stands. */
afterEach(async () => {
  expect(await witness.ask({ op: "get", path: "/witness" })).toMatchObject({ data: String(rounds) });
  await witness.ask({ op: "set", path: "/witness", data: String(++rounds) });
});

async function answer(request: Message): Promise<Message> {
  const client = await RawClient.connect(hub.url);
  const reply = await client.ask(request);
  await client.ask({ op: "close" });
  return reply["error"] as Message;
}

/** How the server ends a connection that sends this after a good connect. */
async function closing(text: string): Promise<{ code: number; reason: string }> {
  const client = await RawClient.connect(hub.url);
  client.sendText(text);
  return client.closed;
}

describe("HTTP", () => {
  it("[C3] a plain GET of /v1 gets 426, a bad handshake 400 or 426, a foreign Origin 403", async () => {
    expect((await fetch(`${hub.page}/v1`)).status).toBe(426);
    expect(await upgrade(hub.port, "/v1", { "Sec-WebSocket-Version": "7" })).toBe(400);
    expect(await upgrade(hub.port, "/v1", { "Sec-WebSocket-Key": "x" })).toBe(400);
    expect(await upgrade(hub.port, "/v1", { Origin: "https://evil.example.com" })).toBe(403);
  });

  it("more than 16 kB of headers get 431", async () => {
    expect(await upgrade(hub.port, "/v1", { "X-Long": "x".repeat(17_000) })).toBe(431);
  });

  it("dripped headers get 408", async () => {
    expect(await answerTo(hub.port, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe("frames", () => {
  it("[C4] a binary frame closes with 1003", async () => {
    const client = await RawClient.connect(hub.url);
    client.socket.send(Buffer.from("{}"), { binary: true });
    expect((await client.closed).code).toBe(1003);
  });

  it("[C4] a text frame that is not UTF-8 closes with 1007", async () => {
    expect(await closeCodeFor(hub.port, frame(1, Buffer.from([0x22, 0xc0, 0x80, 0x22])))).toBe(1007);
    expect(await closeCodeFor(hub.port, frame(1, Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])))).toBe(1007);
  });

  it("broken frames close with 1002: unmasked, reserved bits, a bad opcode", async () => {
    expect(await closeCodeFor(hub.port, frame(1, Buffer.from("{}"), { isMasked: false }))).toBe(1002);
    expect(await closeCodeFor(hub.port, frame(1, Buffer.from("{}"), { rsv: 0x40 }))).toBe(1002);
    expect(await closeCodeFor(hub.port, frame(3, Buffer.from("{}")))).toBe(1002);
  });

  it("[C5] a frame over the limit closes with 1009, before it is buffered", async () => {
    const huge = Buffer.from([0x81, 0xff, 0x00, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(await closeCodeFor(hub.port, huge)).toBe(1009);
    const endless = Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    expect([1009, 1002, 1006]).toContain(await closeCodeFor(hub.port, endless));
    expect((await closing(JSON.stringify({ id: 2, op: "set", path: "/a", data: "x".repeat(2_097_152) }))).code).toBe(1009);
  });

  it("endless tiny fragments close the connection", async () => {
    const rest = Array.from({ length: 200 }, () => frame(0, Buffer.from(" "), { fin: false }));
    expect([1008, 1009]).toContain(await closeCodeFor(hub.port, Buffer.concat([frame(1, Buffer.from("["), { fin: false }), ...rest])));
  });

  it("no compression is negotiated, so nothing inflates", async () => {
    const client = await RawClient.open(hub.url);
    expect(client.socket.extensions).toBe("");
    await client.cut();
    // What claims to be compressed all the same has a reserved bit.
    expect(await closeCodeFor(hub.port, frame(1, Buffer.from([0xaa, 0x56, 0x2a]), { rsv: 0x40 }))).toBe(1002);
  });
});

describe("malformed messages", () => {
  const deep = (depth: number): string => `{"id":77777,"op":"get","path":"/","x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  it.each(
    [
      "not json 77777",
      "",
      "[1]",
      "null",
      '"77777"',
      '{"op":"get","path":"/77777"}',
      '{"id":0,"op":"ping"}',
      '{"id":-1,"op":"ping"}',
      '{"id":1.5,"op":"ping"}',
      '{"id":9007199254740992,"op":"ping"}',
      '{"id":"77777","op":"ping"}',
      `{"id":77777,"x":${"[".repeat(200_000)}`,
      deep(64),
      deep(200_000),
    ].map((text) => [text.slice(0, 30), text]),
  )("[M9] [M10] %s closes with 4400 and a reason that echoes nothing", async (_, text) => {
    const { code, reason } = await closing(text!);
    expect(code).toBe(4400);
    expect(reason).not.toContain("77777");
  });

  it("[M10] nesting up to the limit is fine", async () => {
    expect(await answer({ op: "get", path: "/", x: JSON.parse("[".repeat(60) + "]".repeat(60)) as unknown })).toBeUndefined();
  });

  it("[M9] an id that is still unanswered closes; one that was answered does not", async () => {
    const client = await RawClient.connect(hub.url);
    await client.ask({ id: 50, op: "get", path: "/" });
    await client.ask({ id: 50, op: "get", path: "/" });
    client.send([
      { id: 60, op: "get", path: "/", atLeast: 10_000_000 },
      { id: 60, op: "ping" },
    ]);
    expect((await client.closed).code).toBe(4400);
  });

  it("[C6] a first message that is not connect, and a second connect, close with 4400", async () => {
    const first = await RawClient.open(hub.url);
    first.send({ id: 1, op: "get", path: "/" });
    expect((await first.closed).code).toBe(4400);
    expect((await closing('{"id":9,"op":"connect"}')).code).toBe(4400);
  });
});

describe("wrong members", () => {
  it("[M7] __proto__ and constructor are ordinary, as keys and as names", async () => {
    const client = await RawClient.connect(hub.url);
    for (const name of ["__proto__", "constructor", "toString"]) {
      expect((await client.ask({ op: "create", path: `/${name}`, data: name }))["error"]).toBeUndefined();
      expect((await client.ask({ op: "get", path: `/${name}` }))["data"]).toBe(name);
    }
    client.sendText('{"id":90,"op":"get","path":"/constructor","__proto__":{"path":"/nothing","watch":true},"constructor":1}');
    expect((await client.reply(90))["data"]).toBe("constructor");
    expect(({} as Message)["watch"]).toBeUndefined();
    await client.cut();
  });

  it.each([
    ['{"id":5,"op":"set","path":"/witness","version":1e400}', "version"],
    ['{"id":5,"op":"set","path":"/witness","version":-2}', "version"],
    ['{"id":5,"op":"set","path":"/witness","version":2147483648}', "version"],
    ['{"id":5,"op":"set","path":"/witness","version":0.5}', "version"],
    ['{"id":5,"op":"get","path":"/witness","atLeast":9007199254740993}', "atLeast"],
    ['{"id":5,"op":"get","path":"/witness","atLeast":-1}', "atLeast"],
    ['{"id":5,"op":"get","path":"/witness","atLeast":-0}', "atLeast"],
    ['{"id":5,"op":"create","path":"/x","ttl":0}', "ttl"],
    ['{"id":5,"op":"create","path":"/x","ttl":1e400}', "ttl"],
    ['{"id":5,"op":"create","path":"/x","ttl":1099511627776}', "ttl"],
    ['{"id":5,"op":"children","path":"/","limit":-1}', "limit"],
    ['{"id":5,"op":"subscribe","path":"/","scope":"tree","since":-5}', "since"],
    ['{"id":5,"op":"get","path":7}', "path"],
    ['{"id":5,"op":"get"}', "path"],
    ['{"id":5,"op":"get","path":"/a\\ud800"}', "path"],
    ['{"id":5,"op":"create","path":"/a\\udc00b"}', "path"],
    ['{"id":5,"op":"set","path":"/witness","data":"\\ud801"}', "data"],
    ['{"id":5,"op":"set","path":"/witness","data64":"!!!"}', "data64"],
    ['{"id":5,"op":"set","path":"/witness","data64":"AAA"}', "data64"],
    ['{"id":5,"op":"set","path":"/witness","data":"a","data64":"YQ=="}', "data"],
    ['{"id":5,"op":"multi","ops":[{"op":"multi","ops":[]}]}', "ops"],
    ['{"id":5,"op":"multi","ops":{"length":1}}', "ops"],
    ['{"id":5,"op":"create","path":"/x","acl":"all"}', "acl"],
  ])("[M8] %s gets BAD_ARGUMENTS that names the member", async (text, member) => {
    const client = await RawClient.connect(hub.url);
    client.sendText(text);
    const { error } = await client.reply(5);
    expect(error).toMatchObject({ code: "BAD_ARGUMENTS" });
    expect(error["message"]).toContain(member);
    await client.ask({ op: "close" });
  });

  it("negative and absurd timeouts are refused or clamped", async () => {
    const refused = await RawClient.open(hub.url);
    refused.send({ id: 1, op: "connect", timeout: -1 });
    expect((await refused.reply(1))["error"]).toMatchObject({ code: "BAD_ARGUMENTS" });
    expect((await refused.closed).code).toBe(4400);
    const long = await RawClient.connect(hub.url, { timeout: 9_007_199_254_740_991 });
    expect(long.session["session"]).toMatchObject({ timeout: 120_000 });
    await long.ask({ op: "close" });
  });

  it("[M8] an unknown op gets UNIMPLEMENTED, and is not echoed", async () => {
    for (const op of ["drop", "__proto__", "constructor", "x".repeat(1_000)]) {
      const error = await answer({ op });
      expect(error["code"]).toBe("UNIMPLEMENTED");
      expect(error["message"]).not.toContain("xxxx");
    }
    expect((await answer({ op: null }))["code"]).toBe("BAD_ARGUMENTS");
  });

  it("NFC and NFD are different names", async () => {
    expect(await answer({ op: "create", path: "/hostile-\u00e9" })).toBeUndefined();
    expect(await answer({ op: "create", path: "/hostile-e\u0301" })).toBeUndefined();
  });
});

describe("too much", () => {
  it("[M11] data over 1 MiB gets TOO_LARGE, and the connection stays", async () => {
    const client = await RawClient.connect(hub.url);
    const data64 = Buffer.alloc(1_048_577).toString("base64");
    expect(await client.ask({ op: "create", path: "/large", data: "x".repeat(1_048_577) })).toMatchObject({ error: { code: "TOO_LARGE" } });
    expect(await client.ask({ op: "create", path: "/large", data: "é".repeat(524_289) })).toMatchObject({ error: { code: "TOO_LARGE" } });
    expect(await client.ask({ op: "create", path: "/large", data64 })).toMatchObject({ error: { code: "TOO_LARGE" } });
    expect((await client.ask({ op: "create", path: "/large", data: "x".repeat(1_048_576) }))["error"]).toBeUndefined();
    await client.ask({ op: "close" });
  });

  it("[C8] a multi of too many ops gets TOO_LARGE, whatever stands in it", async () => {
    for (const one of [{ op: "check" }, 0, null]) {
      expect(await answer({ op: "multi", ops: Array.from({ length: 100_000 }, () => one) })).toMatchObject({ code: "TOO_LARGE" });
      expect(await answer({ op: "read", ops: Array.from({ length: 100_000 }, () => one) })).toMatchObject({ code: "TOO_LARGE" });
    }
  });

  it("[O1] a path that is too long, or has a million segments, is BAD_ARGUMENTS", async () => {
    expect(await answer({ op: "get", path: `/${"x".repeat(4_096)}` })).toMatchObject({ code: "BAD_ARGUMENTS" });
    expect(await answer({ op: "create", path: "/x".repeat(500_000), parents: true })).toMatchObject({ code: "BAD_ARGUMENTS" });
  });

  it("[C9] a million watches, subscriptions or ephemerals are not taken: QUOTA_EXCEEDED past the limit", async () => {
    const small = await startHub({ limits: { ...defaultLimits, watches: 100, subscriptions: 20, ephemerals: 50 } });
    const client = await RawClient.connect(small.url);
    const codes = async (count: number, request: (at: number) => Message): Promise<(string | undefined)[]> => {
      const ids = client.sendAll(Array.from({ length: count }, (_, at) => request(at)));
      const replies: (string | undefined)[] = [];
      for (const id of ids) replies.push((await client.reply(id))["error"]?.code as string | undefined);
      return replies;
    };
    for (const [limit, request] of [
      [100, (at: number) => ({ op: "exists", path: `/none-${at}`, watch: true })],
      [20, () => ({ op: "subscribe", path: "/none", scope: "node" })],
      [50, (at: number) => ({ op: "create", path: `/e-${at}`, ephemeral: true })],
    ] as const) {
      const found = await codes(limit + 30, request);
      expect(found).toEqual([...Array.from({ length: limit }, () => undefined), ...Array.from({ length: 30 }, () => "QUOTA_EXCEEDED")]);
    }
    await client.cut();
    await small.destroy();
  });
});

describe("sessions of others", () => {
  it("[S5] a wrong secret gets SESSION_EXPIRED and 4410, as an unknown session does", async () => {
    const { id } = witness.session["session"] as Message;
    for (const session of [
      { id, secret: "x".repeat(22) },
      { id: "x".repeat(22), secret: "x".repeat(22) },
      { id, secret: "" },
    ]) {
      const thief = await RawClient.open(hub.url);
      thief.send({ id: 1, op: "connect", session });
      expect((await thief.reply(1))["error"]).toMatchObject({ code: "SESSION_EXPIRED" });
      expect((await thief.closed).code).toBe(4410);
    }
  });
});
