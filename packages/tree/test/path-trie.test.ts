import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PathTrie } from "../src/collections/path-trie.ts";

const name = fc.constantFrom("a", "b", "ab", "a.b", "c");
const path = fc.array(name, { maxLength: 6 }).map((names) => `/${names.join("/")}`);
const step = fc.tuple(fc.constantFrom("set", "delete"), path);

function isOnWay(above: string, to: string): boolean {
  return above === "/" || to === above || to.startsWith(`${above}/`);
}

describe("a path trie", () => {
  it("finds what a map of paths finds, and what stands on the way down", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.array(path, { minLength: 10, maxLength: 10 }), (steps, asked) => {
        const trie = new PathTrie<string>();
        const known = new Map<string, string>();
        for (const [what, at] of steps) {
          if (what === "set") {
            trie.set(at, at);
            known.set(at, at);
          } else {
            trie.delete(at);
            known.delete(at);
          }
          expect(trie.size).toBe(known.size);
        }
        for (const at of [...asked, ...steps.map(([, one]) => one)]) {
          expect(trie.get(at)).toBe(known.get(at));
          const onWay: string[] = [];
          trie.visitWay(at, (item) => onWay.push(item));
          expect(onWay).toEqual([...known.keys()].filter((one) => isOnWay(one, at)).sort((left, right) => left.length - right.length));
          expect(trie.hasOnWay(at)).toBe(onWay.length > 0);
        }
      }),
      { numRuns: 500 },
    );
  });
});
