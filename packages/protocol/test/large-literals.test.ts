/** Frames with large values: whatever stands around them, what is decoded is what a parser would have given. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeFrame } from "../src/frame.ts";
import { noLimits } from "../src/limits.ts";
import { decodeWrite } from "../src/requests/write.ts";
import { cutLargeValues } from "../src/text/large-literals.ts";
import { decodeValue } from "../src/text/value.ts";

const large = "x".repeat(5_000);

/** What the parser alone makes of it: each message with its value, or what is wrong. */
function parsed(frame: string): unknown {
  try {
    const messages = [JSON.parse(frame)].flat(1) as Record<string, unknown>[];
    return messages.map((message) => shown(message));
  } catch {
    return "not JSON";
  }
}

function shown(message: Record<string, unknown>): unknown {
  const value = decodeValue(message, noLimits.dataBytes);
  const ops = message["ops"];
  return { ...message, data: value, ops: Array.isArray(ops) ? (ops as Record<string, unknown>[]).map(shown) : ops };
}

function decoded(frame: string): unknown {
  const { messages, fault } = decodeFrame(frame);
  return fault ?? messages.map(({ members }) => shown(members));
}

describe("large values in a frame", () => {
  it("are taken out and come back", () => {
    for (const frame of [
      `{"id":1,"op":"set","path":"/a","data":"${large}"}`,
      `[{"id":1,"op":"set","path":"/a","data":"${large}","ack":3},{"id":2,"op":"create","path":"/b","data":"${large}y"}]`,
      `{"id":1,"op":"multi","ops":[{"op":"set","path":"/a","data":"${large}"},{"op":"set","path":"/b","data":"small"}]}`,
      `{"id":1,"op":"set","path":"/a","data":"first","data":"${large}"}`,
      `{"id":1,"op":"set","path":"/a","data":"${large}","data":"last"}`,
      `{"id":1,"op":"set","path":"/a","more":{"data":"${large}"},"data":"#1"}`,
    ]) {
      expect(decoded(frame)).toEqual(parsed(frame));
    }
    expect(cutLargeValues(`{"id":1,"op":"set","path":"/a","data":"${large}"}`)?.text).toBe('{"id":1,"op":"set","path":"/a","data":"#0"}');
  });

  it("are left to the parser where a text looks like what stands in for one, and where they are not what the host would write", () => {
    for (const [name, value] of [
      ["#0", large],
      ["\\u00230", large],
      ["/\\n", large],
      ["/a", `${large}\\/`],
      ["/a", `${large}\\u0041`],
      ["/a", `${large}\\u0001`],
      ["/a", `${large}\\x`],
      ["/a", `${large}\u0001`],
      ["/a", `${large}\ud800`],
    ]) {
      const frame = `{"id":1,"op":"set","path":"${name}","data":"${value}"}`;
      expect([cutLargeValues(frame), decoded(frame)]).toEqual([null, parsed(frame)]);
    }
  });

  it("are taken out with what has to be escaped in them, and with what takes more than a byte", () => {
    const document = JSON.stringify({ quoted: 'a"b\\c', lines: "\n\r\t\b\f", more: "éß€😀\u2028\u007f", filler: large });
    for (const text of [document, `${document}\\`, `\\${document}`, `"${document}"`, `${"é".repeat(3_000)}${"😀".repeat(3_000)}`]) {
      const frame = JSON.stringify({ id: 1, op: "set", path: "/a", data: text });
      expect(cutLargeValues(frame)?.text).toBe('{"id":1,"op":"set","path":"/a","data":"#0"}');
      expect(decoded(frame)).toEqual(parsed(frame));
    }
  });

  it("never change what a frame means", () => {
    const texts = fc.oneof(
      fc.constant(large),
      fc.constant(`${large}\\u0041`),
      fc.constant(`é\\n${large}\\"`),
      fc.constantFrom("", "#0", "#1", "\\u00230", "a\\\\", 'q\\"data\\":'),
    );
    const member = fc.tuple(fc.constantFrom("data", "data", "path", "more", "data64"), texts).map(([name, text]) => `"${name}":"${text}"`);
    const message = fc.array(member, { maxLength: 4 }).map((members) => `{${['"id":1', '"op":"set"', ...members].join(",")}}`);
    const frame = fc
      .tuple(fc.array(message, { minLength: 1, maxLength: 3 }), fc.nat({ max: 20 }), fc.constantFrom("", "", "", '"', "\\", "}"))
      .map(([messages, at, odd]) => {
        const whole = `[${messages.join(",")}]`;
        return whole.slice(0, whole.length - at) + odd + whole.slice(whole.length - at);
      });
    fc.assert(
      fc.property(frame, (text) => {
        const expected = parsed(text);
        if (expected === "not JSON") expect(decodeFrame(text).fault).toBe("not JSON");
        else if (!(expected as { id?: unknown }[]).every(({ id }) => id === 1)) expect(decodeFrame(text).fault).toContain("as its id");
        else expect(decoded(text)).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it("are refused over the limit, and elsewhere than where data belongs", () => {
    const write = (frame: string, dataBytes: number): unknown =>
      decodeWrite(decodeFrame(frame).messages[0]!.members, { ...noLimits, dataBytes });
    expect(write(`{"id":1,"op":"set","path":"/a","data":"${large}"}`, 4_999)).toMatchObject({ code: "TOO_LARGE" });
    expect(write(`{"id":1,"op":"set","path":"/a","data":"${large}"}`, 5_000)).toMatchObject({ op: "set" });
    expect(write(`{"id":1,"op":"set","path":"/a","data":"${large}","data64":"AAAA"}`, 9_999)).toMatchObject({ code: "BAD_ARGUMENTS" });
  });
});
