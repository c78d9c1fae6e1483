/** Decoding of frames and requests: what is taken, what is refused, what closes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeFrame, encodeFrames } from "../src/frame.ts";
import { defaultLimits, noLimits } from "../src/limits.ts";
import { decodeRequest, type Request } from "../src/requests/request.ts";
import { decodeWrite, encodeWrite, type Write } from "../src/requests/write.ts";

function decode(message: Record<string, unknown>): Request {
  return decodeRequest(message, 1, defaultLimits);
}

function codeOf(message: Record<string, unknown>): string | null {
  const request = decode(message);
  return request.kind === "refused" ? request.refusal.code : null;
}

describe("frames", () => {
  it("[M1] hold one message or an array", () => {
    expect(decodeFrame('{"id":1,"op":"ping"}').messages.map(({ id }) => id)).toEqual([1]);
    expect(decodeFrame('[{"id":1},{"id":2}]').messages.map(({ id }) => id)).toEqual([1, 2]);
    expect(decodeFrame("[]")).toEqual({ messages: [], fault: null });
  });

  it.each([
    "",
    "x",
    "1",
    "null",
    '"a"',
    "[1]",
    "[[]]",
    "{}",
    '{"id":0}',
    '{"id":-1}',
    '{"id":1.5}',
    '{"id":"1"}',
    '{"id":null}',
    '{"id":9007199254740992}',
    '{"id":-0}',
  ])("[M9] %s closes", (text) => {
    expect(decodeFrame(text).fault).not.toBeNull();
  });

  it("[M9] handles the messages before the fault", () => {
    const { messages, fault } = decodeFrame('[{"id":1,"op":"ping"},7]');
    expect([messages.length, fault]).toEqual([1, "a message is an object"]);
  });

  it("[M9] never echoes the payload", () => {
    expect(decodeFrame('{"secret').fault).not.toContain("secret");
  });

  it("[M10] refuses JSON nested deeper than 64 before it is parsed", () => {
    expect(decodeFrame(`{"id":1,"x":${"[".repeat(63)}${"]".repeat(63)}}`).fault).toBeNull();
    expect(decodeFrame(`{"id":1,"x":${"[".repeat(64)}${"]".repeat(64)}}`).fault).toBe("nested too deep");
    expect(decodeFrame("[".repeat(200_000)).fault).toBe("nested too deep");
  });

  it("join chunks without splitting one", () => {
    const chunks = [
      { text: "1", messages: 1 },
      { text: "2,3", messages: 2 },
      { text: "4", messages: 1 },
    ];
    expect(encodeFrames(chunks, 100)).toEqual(["[1,2,3,4]"]);
    expect(encodeFrames(chunks, 4)).toEqual(["[1]", "[2,3]", "[4]"]);
    expect(encodeFrames([{ text: "1", messages: 1 }], 0)).toEqual(["1"]);
    expect(encodeFrames([{ text: "2,3", messages: 2 }], 0)).toEqual(["[2,3]"]);
  });
});

describe("requests", () => {
  it("[M8] an unknown op is UNIMPLEMENTED, a missing or wrong one BAD_ARGUMENTS", () => {
    expect(codeOf({ op: "frob" })).toBe("UNIMPLEMENTED");
    expect(codeOf({ op: "constructor" })).toBe("UNIMPLEMENTED");
    expect(codeOf({})).toBe("BAD_ARGUMENTS");
    expect(codeOf({ op: 7 })).toBe("BAD_ARGUMENTS");
  });

  it("[M6] a null member counts as absent", () => {
    expect(codeOf({ op: "get", path: "/a", watch: null, atLeast: null, linearizable: null })).toBeNull();
    expect(decode({ op: "create", path: "/a", data: null, ttl: null, acl: null })).toMatchObject({
      write: { value: null, ttl: null, acl: null },
    });
  });

  const wrong: Record<string, unknown>[] = [
    { op: "get" },
    { op: "get", path: 1 },
    { op: "get", path: "a" },
    { op: "get", path: "/a", watch: 1 },
    { op: "get", path: "/a", atLeast: -1 },
    { op: "get", path: "/a", atLeast: 1.5 },
    { op: "get", path: "/a", atLeast: Number.POSITIVE_INFINITY },
    { op: "get", path: "/a", ack: 2 ** 53 },
    { op: "children", path: "/a", limit: -1 },
    { op: "children", path: "/a", after: 7 },
    { op: "set", path: "/a", data: 7 },
    { op: "set", path: "/a", data: "x", data64: "eA==" },
    { op: "set", path: "/a", data64: "x" },
    { op: "set", path: "/a", data: "\ud800" },
    { op: "set", path: "/a", version: -2 },
    { op: "set", path: "/a", version: -0 },
    { op: "set", path: "/a", version: 2 ** 31 },
    { op: "set", path: "/a", guard: 1 },
    { op: "set", path: "/a", guard: { path: "/g" } },
    { op: "set", path: "/a", guard: Array(17).fill({ path: "/g", czxid: 1 }) },
    { op: "create", path: "/a", ttl: 0 },
    { op: "create", path: "/a", ttl: 2 ** 40 },
    { op: "create", path: "/a", ephemeral: true, ttl: 1 },
    { op: "create", path: "/a", ephemeral: true, container: true },
    { op: "create", path: "/a", container: true, ttl: 1 },
    { op: "create", path: "/a", container: true, sequential: true },
    { op: "create", path: "/a", acl: {} },
    { op: "create", path: "/a", acl: [{ perms: "read", scheme: "world", id: "anyone" }] },
    { op: "setAcl", path: "/a" },
    { op: "multi" },
    { op: "multi", ops: [1] },
    { op: "multi", ops: [{ op: "multi", ops: [] }] },
    { op: "multi", ops: [{ op: "get", path: "/a" }] },
    { op: "read", ops: [{ op: "set", path: "/a" }] },
    { op: "addWatch", path: "/a", mode: "data" },
    { op: "removeWatch", path: "/a", mode: "x" },
    { op: "restoreWatches", data: ["/a"] },
    { op: "restoreWatches", since: 1, data: ["a"] },
    { op: "subscribe", path: "/a" },
    { op: "subscribe", path: "/a", scope: "all" },
    { op: "subscribe", path: "/a", scope: "node", since: -1 },
    { op: "unsubscribe" },
    { op: "auth", scheme: "digest" },
  ];
  it.each(wrong.map((message) => [JSON.stringify(message), message] as const))("[M8] %s is BAD_ARGUMENTS", (_text, message) => {
    expect(codeOf(message)).toBe("BAD_ARGUMENTS");
  });

  it("[M8] the error names the member", () => {
    const request = decode({ op: "set", path: "/a", version: "1" });
    expect(request.kind === "refused" && request.refusal.message).toContain("version");
  });

  it("[M11] data over the limit is TOO_LARGE, counted in bytes", () => {
    expect(codeOf({ op: "set", path: "/a", data: "a".repeat(1_048_576) })).toBeNull();
    expect(codeOf({ op: "set", path: "/a", data: "a".repeat(1_048_577) })).toBe("TOO_LARGE");
    expect(codeOf({ op: "set", path: "/a", data: "é".repeat(524_289) })).toBe("TOO_LARGE");
    expect(codeOf({ op: "set", path: "/a", data64: Buffer.alloc(1_048_577).toString("base64") })).toBe("TOO_LARGE");
  });

  it("[M4] base64 that is UTF-8 becomes text", () => {
    const text = Buffer.from("héllo").toString("base64");
    expect(decode({ op: "set", path: "/a", data64: text })).toMatchObject({
      write: { value: { json: '"héllo"', isBase64: false, bytes: 6 } },
    });
    expect(decode({ op: "set", path: "/a", data64: "/w==" })).toMatchObject({
      write: { value: { json: '"/w=="', isBase64: true, bytes: 1 } },
    });
  });

  it("[C8] a multi or read with too many ops is TOO_LARGE", () => {
    const ops = Array(10_001).fill({ op: "check", path: "/a" });
    expect(codeOf({ op: "multi", ops })).toBe("TOO_LARGE");
    expect(codeOf({ op: "read", ops: Array(10_001).fill({ op: "get", path: "/a" }) })).toBe("TOO_LARGE");
    expect(codeOf({ op: "multi", ops: ops.slice(1) })).toBeNull();
  });

  it("a wrong op in a multi is named by its index", () => {
    const request = decode({
      op: "multi",
      ops: [
        { op: "check", path: "/a" },
        { op: "set", path: "a" },
      ],
    });
    expect(request.kind === "refused" && request.refusal.index).toBe(1);
  });

  it("whatever comes, decoding neither throws nor takes a number that is not of the wire", () => {
    const ops = ["get", "set", "create", "multi", "children", "subscribe", "restoreWatches", "connect", "auth", "read"];
    const member = fc.oneof(
      fc.string(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.anything()),
      fc.dictionary(fc.string(), fc.anything()),
    );
    const names = [
      "path",
      "data",
      "data64",
      "version",
      "ops",
      "acl",
      "ttl",
      "guard",
      "since",
      "scope",
      "mode",
      "limit",
      "after",
      "ack",
      "atLeast",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...ops), fc.dictionary(fc.constantFrom(...names), member), (op, members) => {
        decode({ ...members, op });
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("writes", () => {
  it("survive their encoding for the log", () => {
    const path = fc.constantFrom("/a", "/a/b", '/q"uote', "/é");
    const value = fc.oneof(fc.constant({}), fc.record({ data: fc.string() }), fc.record({ data64: fc.constant("/w==") }));
    const version = fc.integer({ min: -1, max: 5 });
    const single = fc.oneof(
      fc
        .tuple(path, value, fc.boolean(), fc.boolean())
        .map(([at, data, sequential, parents]) => ({ op: "create", path: at, ...data, sequential, parents })),
      fc.tuple(path, value, version).map(([at, data, v]) => ({ op: "set", path: at, ...data, version: v })),
      fc.tuple(path, version, fc.boolean()).map(([at, v, recursive]) => ({ op: "delete", path: at, version: v, recursive })),
      path.map((at) => ({ op: "setAcl", path: at, acl: [{ perms: ["read"], scheme: "world", id: "anyone" }] })),
    );
    const multi = fc.array(single, { maxLength: 4 }).map((ops) => ({ op: "multi", ops }));
    fc.assert(
      fc.property(fc.oneof(single, multi), (message) => {
        const write = decodeWrite(message, defaultLimits) as Write;
        expect(decodeWrite(JSON.parse(encodeWrite(write)), noLimits)).toEqual(write);
      }),
    );
  });
});
