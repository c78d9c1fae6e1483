/** Kept stats: whatever has happened to a znode, what is given is its stat of now. */
import { madeValue } from "@copse/protocol";
import { aclOf, apply, open, statOf, Tree, type WriteTxn } from "@copse/tree";
import fc from "fast-check";
import { expect, it } from "vitest";
import { StatTexts, statTextsMax } from "../src/requests/stat-texts.ts";

const paths = ["/a", "/b", "/a/c", "/a/d"];
const path = fc.constantFrom(...paths);
const plain = { isEphemeral: false, isSequential: false, isContainer: false, ttl: null, acl: null, parents: false } as const;
const single = fc.oneof(
  path.map((at) => ({ op: "create", path: at, value: null, ...plain }) as const),
  fc.record({ path, data: fc.string({ maxLength: 3 }) }).map(({ path: at, data }) => ({
    op: "set" as const,
    path: at,
    value: madeValue(data, Buffer.byteLength(data), false),
    version: -1,
  })),
  path.map((at) => ({ op: "delete", path: at, version: -1, isRecursive: true }) as const),
  fc.record({ path, isOpen: fc.boolean() }).map(({ path: at, isOpen }) => {
    const acl = isOpen ? open : aclOf([{ perms: ["read"], scheme: "world", id: "anyone" }]);
    return { op: "setAcl", path: at, acl: acl.items, version: -1 } as const;
  }),
);
const writes = fc.array(
  fc.oneof(
    single,
    fc.array(single, { maxLength: 4 }).map((ops) => ({ op: "multi", ops }) as const),
  ),
  { maxLength: 40 },
);

it("gives the stat of now, after every txn", () => {
  fc.assert(
    fc.property(writes, (given) => {
      const tree = new Tree();
      const texts = new StatTexts();
      apply(tree, { kind: "open", session: "s", secretHash: "", timeoutMs: 1, identities: [], connection: "c" }, 1, 1);
      for (const [at, write] of given.entries()) {
        const txn: WriteTxn = {
          kind: "write",
          session: "s",
          generation: 1,
          id: at + 1,
          after: at,
          ack: at,
          print: 0,
          address: "",
          guards: [],
          write,
        };
        apply(tree, txn, at, 1);
        for (const one of paths) {
          const znode = tree.find(one);
          if (znode !== undefined) expect(JSON.parse(texts.of(one, znode))).toEqual(statOf(znode));
        }
      }
    }),
    { numRuns: 300 },
  );
});

it("forgets all where there are too many", () => {
  const tree = new Tree();
  const texts = new StatTexts();
  const root = tree.find("/")!;
  const first = texts.of("/0", root);
  for (let number = 1; number <= statTextsMax; number++) texts.of(`/${number}`, root);
  expect(texts.size).toBe(1);
  expect(texts.of("/0", root)).toBe(first);
});
