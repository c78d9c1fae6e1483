/** Replies to writes: their size is counted without writing them, and has to be that of what is written. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeReply, keptReply, type Stat, StatReply, writeDone } from "../src/index.ts";

const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, 9, 10, 99, 100, -1, -9, -10, 999_999_999_999_999, Number.MAX_SAFE_INTEGER),
);
const text = fc.oneof(fc.string({ unit: "binary" }), fc.string());
const numbers = ["czxid", "mzxid", "pzxid", "ctime", "mtime", "version", "cversion", "aversion", "dataLength", "numChildren"] as const;

it("count the text that they would write", () => {
  const stats = fc.record({
    ...(Object.fromEntries(numbers.map((name) => [name, integer])) as Record<(typeof numbers)[number], typeof integer>),
    ephemeralOwner: fc.option(text),
  });
  const kinds = fc.constantFrom<Pick<Stat, "ttl" | "container">>({}, { ttl: 1 }, { ttl: 60_000 }, { container: true });
  fc.assert(
    fc.property(integer, fc.option(text), stats, kinds, (zxid, path, stat, kind) => {
      const reply = new StatReply(zxid, path, { ...stat, ...kind });
      expect(reply.units).toBe(reply.text.length);
      expect(keptReply(reply.text)).toMatchObject({ text: reply.text, units: reply.units });
      expect(JSON.parse(encodeReply(1, reply.text))).toEqual({
        id: 1,
        zxid,
        ...(path === null ? {} : { path }),
        stat: { ...stat, ...kind },
      });
    }),
    { numRuns: 2_000 },
  );
});

it("say what each op of a batch answers, in its own braces", () => {
  const stat = { ...Object.fromEntries(numbers.map((name) => [name, 1])), ephemeralOwner: null } as Stat;
  const reply = writeDone(7, { results: [new StatReply(7, "/a", stat), {}, { deleted: 3 }] });
  expect(JSON.parse(encodeReply(2, reply.text))).toMatchObject({
    id: 2,
    zxid: 7,
    results: [{ path: "/a", stat: { czxid: 1 } }, {}, { deleted: 3 }],
  });
  expect(encodeReply(3, writeDone(8, {}).text)).toBe('{"id":3,"zxid":8}');
});
