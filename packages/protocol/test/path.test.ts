/** Paths: rules and order. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { comparePaths, isWithin, joinPath, nameOf, parentOf, pathFault, sequenceSuffix, sequentialPathFault } from "../src/path.ts";

const max = 4_096;

describe("paths", () => {
  it.each(["/", "/a", "/a/b", "/a.b", "/...", "/.a", "/é", "/😀", "/\ue000", "/a b", "/__proto__", "/constructor"])(
    "[O1] %s is a path",
    (path) => {
      expect(pathFault(path, max)).toBeNull();
    },
  );

  it.each([
    "",
    "a",
    "/a/",
    "//",
    "/a//b",
    "/.",
    "/..",
    "/a/./b",
    "/a/..",
    "/\u0000",
    "/\u001f",
    "/\u007f",
    "/\u009f",
    "/\ufff0",
    "/\uffff",
    "/\ud800",
  ])("[O1] %j is not a path", (path) => {
    expect(pathFault(path, max)).not.toBeNull();
  });

  it("[O1] counts bytes, not units", () => {
    expect(pathFault(`/${"a".repeat(max - 1)}`, max)).toBeNull();
    expect(pathFault(`/${"a".repeat(max)}`, max)).not.toBeNull();
    expect(pathFault(`/${"é".repeat(2_047)}`, max)).toBeNull();
    expect(pathFault(`/${"é".repeat(2_048)}`, max)).not.toBeNull();
  });

  it("[O2] judges a sequential path with its suffix", () => {
    expect(sequentialPathFault("/a/", max)).toBeNull();
    expect(sequentialPathFault("/", max)).toBeNull();
    expect(sequentialPathFault("/a/.", max)).toBeNull();
    expect(sequentialPathFault("/a//", max)).not.toBeNull();
    expect(sequentialPathFault(`/${"a".repeat(max - 10)}`, max)).not.toBeNull();
    expect(sequenceSuffix(7)).toBe("0000000007");
    expect(sequenceSuffix(12_345_678_901)).toBe("12345678901");
  });

  it("takes paths apart and puts them together", () => {
    expect([parentOf("/a"), parentOf("/a/b"), nameOf("/a/b"), joinPath("/", "a"), joinPath("/a", "b")]).toEqual([
      "/",
      "/a",
      "b",
      "/a",
      "/a/b",
    ]);
    expect([isWithin("/a/b", "/a"), isWithin("/ab", "/a"), isWithin("/a", "/a"), isWithin("/a", "/")]).toEqual([true, false, true, true]);
  });

  it("orders paths as a walk does: segment by segment, in code units", () => {
    const path = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "-", "!", "é"), minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 4,
    });
    const bySegments = (a: readonly string[], b: readonly string[]): number => {
      for (let at = 0; at < Math.min(a.length, b.length); at++) if (a[at] !== b[at]) return a[at]! < b[at]! ? -1 : 1;
      return Math.sign(a.length - b.length);
    };
    fc.assert(
      fc.property(path, path, (a, b) => void expect(Math.sign(comparePaths(`/${a.join("/")}`, `/${b.join("/")}`))).toBe(bySegments(a, b))),
    );
  });
});
