/** Bodies of replies: their size is counted without writing them, and has to be that of what is written. */
import type { Stat } from "@copse/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { StatBody } from "../src/operations/reply-body.ts";

const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, 9, 10, 99, 100, -1, -9, -10, 999_999_999_999_999, Number.MAX_SAFE_INTEGER),
);
const text = fc.oneof(fc.string({ unit: "binary" }), fc.string());
const numbers = ["czxid", "mzxid", "pzxid", "ctime", "mtime", "version", "cversion", "aversion", "dataLength", "numChildren"] as const;

it("counts the body that it would write", () => {
  const stats = fc.record({
    ...(Object.fromEntries(numbers.map((name) => [name, integer])) as Record<(typeof numbers)[number], typeof integer>),
    ephemeralOwner: fc.option(text),
  });
  const kinds = fc.constantFrom<Pick<Stat, "ttl" | "container">>({}, { ttl: 1 }, { ttl: 60_000 }, { container: true });
  fc.assert(
    fc.property(integer, fc.option(text), stats, kinds, (zxid, path, stat, kind) => {
      const body = new StatBody(zxid, path, { ...stat, ...kind });
      expect(body.units).toBe(body.text.length);
      expect(JSON.parse(`{"id":1${body.text}}`)).toEqual({ id: 1, zxid, ...(path === null ? {} : { path }), stat: { ...stat, ...kind } });
    }),
    { numRuns: 2_000 },
  );
});
