/** The newest changes, as a snapshot carries them: what comes back is what went in. */
import { base64Encode, decodeValue, isValue, type Value } from "@copse/protocol";
import { type Change, open } from "@copse/tree";
import { describe, expect, it } from "vitest";
import { History } from "../src/following/history.ts";

function heldValue(message: Record<string, unknown>): Value | null {
  const value = decodeValue(message, 1_000_000);
  if (!isValue(value)) throw new Error("no value");
  return value;
}

const values = [
  heldValue({}),
  heldValue({ data: "" }),
  heldValue({ data: "plain" }),
  heldValue({ data: 'quoted "text"\nof two lines, with a \\ and an é' }),
  heldValue({ data: "AAAA" }),
  heldValue({ data: "é\n" }),
  heldValue({ data64: base64Encode(new Uint8Array([0xff, 0xfe, 0xfd])) }),
  heldValue({ data64: base64Encode(new Uint8Array(5_000).fill(0xff)) }),
];

function historyOf(lines: Iterable<string>): History {
  const history = new History(1_000, 1_000_000);
  for (const line of lines) history.restore(line);
  return history;
}

/** The values as whoever writes them into a message sees them. */
function seen(history: History): unknown {
  return history.since(0)?.map(({ changes }) => changes.map(({ value }) => value && [value.json, value.bytes, value.isBase64]));
}

describe("the history in a snapshot", () => {
  const history = new History(1_000, 1_000_000);
  for (const [at, value] of values.entries()) {
    const change = { kind: "changed", path: `/n${at}`, value, acl: open, before: null, parentAcl: null } as unknown as Change;
    history.add(at + 1, [change]);
  }

  it("brings text back as text, and bytes as bytes", () => {
    expect(seen(historyOf(history.lines(5)))).toEqual(seen(history));
  });

  it("lets go of the older half where memory is short, and still knows all after its floor", () => {
    const full = new History(1_000, 1_000_000);
    const value = heldValue({ data: "x".repeat(1_000) });
    const change = { kind: "changed", path: "/n", value, acl: open, before: null, parentAcl: null } as unknown as Change;
    for (let zxid = 1; zxid <= 100; zxid++) full.add(zxid, [change]);
    full.shed();
    expect([full.floor, full.since(49), full.since(50)?.map(({ zxid }) => zxid)]).toEqual([
      50,
      null,
      Array.from({ length: 50 }, (_, at) => 51 + at),
    ]);
    full.add(101, [change]);
    expect(full.since(99)?.map(({ zxid }) => zxid)).toEqual([100, 101]);
  });

  it("tells text from bytes where an older build did not say which it is", () => {
    const older = [...history.lines(5)].map((line) => line.replace(/,"isBase64":(true|false)/, ""));
    expect(older.join()).not.toContain("isBase64");
    expect(seen(historyOf(older))).toEqual(seen(history));
  });
});
