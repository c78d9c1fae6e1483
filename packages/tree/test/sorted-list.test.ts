/** The ordered list against the simplest thing that is right. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sortedStrings } from "../src/collections/sorted-list.ts";

describe("a sorted list", () => {
  it("does what a sorted array does", () => {
    const step = fc.tuple(
      fc.constantFrom("insert", "delete"),
      fc.integer({ min: 0, max: 3_000 }).map((n) => String(n).padStart(4, "0")),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 500, maxLength: 3_000, size: "max" }), (steps) => {
        const list = sortedStrings();
        const model = new Set<string>();
        for (const [what, key] of steps) {
          if (what === "delete") expect(list.delete(key)).toBe(model.delete(key));
          else if (!model.has(key)) {
            model.add(key);
            list.insert(key, key);
          }
        }
        const sorted = [...model].sort();
        expect([...list.after(null)]).toEqual(sorted);
        expect(list.size).toBe(sorted.length);
        for (const key of ["", "0500", "1500x", "2999", "9"]) {
          expect([...list.after(key)]).toEqual(sorted.filter((item) => item > key));
          expect(list.get(key)).toBe(model.has(key) ? key : undefined);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("takes ascending, descending and random keys by the hundred thousand", () => {
    const count = 100_000;
    const keys = Array.from({ length: count }, (_, at) => String(at).padStart(6, "0"));
    for (const order of [keys, [...keys].reverse(), keys.map((_, at) => keys[(at * 7_919) % count]!)]) {
      const list = sortedStrings();
      for (const key of order) list.insert(key, key);
      let before = "";
      let seen = 0;
      for (const key of list.after(null)) {
        expect(key > before).toBe(true);
        before = key;
        seen++;
      }
      expect(seen).toBe(count);
    }
  });
});
