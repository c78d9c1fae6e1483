/**
 * Quotas: what the table says is what counting anew gives, whatever was done and undone; a hard bound is never passed.
 */
import { type Multi, madeValue, type SingleWrite, type Value } from "@copse/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { apply } from "../src/apply.ts";
import { QuotaTable } from "../src/operations/quota.ts";
import { Tree } from "../src/tree.ts";
import { decodeTxns, encodeEntry, encodeTxn, formatOf, type WriteTxn } from "../src/txn.ts";
import { writeTxn } from "./write-txn.ts";

const paths = ["/a", "/a/b", "/a/b/c", "/d"] as const;
const text = (data: string): Value => madeValue(data, Buffer.byteLength(data), false);
const create = (path: string, data: string | null, parents = false): SingleWrite => ({
  op: "create",
  path,
  value: data === null ? null : text(data),
  isEphemeral: false,
  isSequential: false,
  isContainer: false,
  ttl: null,
  acl: null,
  parents,
});
const set = (path: string, data: string | null): SingleWrite => ({
  op: "set",
  path,
  value: data === null ? null : text(data),
  version: -1,
});
const remove = (path: string, isRecursive = false): SingleWrite => ({ op: "delete", path, version: -1, isRecursive });

const path = fc.constantFrom(...paths);
const data = fc.option(fc.string({ maxLength: 8, unit: "grapheme" }));
const quota = fc.record({ count: fc.nat({ max: 4 }), bytes: fc.nat({ max: 12 }) }, { requiredKeys: [] }).map((one) => JSON.stringify(one));
const quotaPath = fc.constantFrom("/copse/quota", ...paths.map((at) => `/copse/quota${at}`));
const single: fc.Arbitrary<SingleWrite> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(path, data, fc.boolean()).map((given) => create(...given)) },
  { weight: 5, arbitrary: fc.tuple(path, data).map((given) => set(...given)) },
  { weight: 3, arbitrary: fc.tuple(path, fc.boolean()).map((given) => remove(...given)) },
  { weight: 2, arbitrary: fc.tuple(quotaPath, quota).map(([at, said]) => create(at, said, true)) },
  { weight: 2, arbitrary: fc.tuple(quotaPath, fc.option(quota)).map(([at, said]) => set(at, said)) },
  { weight: 1, arbitrary: quotaPath.map((at) => remove(at)) },
);
const write: fc.Arbitrary<SingleWrite | Multi> = fc.oneof(
  { weight: 3, arbitrary: single },
  { weight: 1, arbitrary: fc.array(single, { maxLength: 5 }).map((ops): Multi => ({ op: "multi", ops })) },
);

function freshTree(): Tree {
  const tree = new Tree();
  apply(tree, { kind: "open", session: "s", secretHash: "h", timeoutMs: 5_000, identities: [], connection: "c" }, 1, 1);
  return tree;
}

const txnOf = (tree: Tree, op: WriteTxn["write"]): WriteTxn => writeTxn(tree, "s", op);

/** What is used, counted znode by znode. */
function counted(tree: Tree, at: string): { count: number; bytes: number } {
  const sum = { count: 0, bytes: 0 };
  const top = tree.find(at);
  const stack = top === undefined ? [] : [top];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    sum.count++;
    sum.bytes += next.value?.bytes ?? 0;
    stack.push(...(next.children?.after(null) ?? []));
  }
  return sum;
}

describe("quotas", () => {
  it("are counted as they would be anew, and no change passes a hard one", () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 60 }), (writes) => {
        const tree = freshTree();
        for (const one of writes) {
          const before = new Map(tree.quotas.all().map((use) => [use.path, use]));
          const applied = apply(tree, txnOf(tree, one as WriteTxn["write"]), 1, 1);
          const after = tree.quotas.all();
          expect(after).toEqual(new QuotaTable(tree).all());
          for (const { path: at, used } of after) expect(used).toEqual(counted(tree, at));
          if (applied.outcome !== "done") expect(after).toEqual([...before.values()]);
          // A quota that this write has not set is kept: past it nothing grows, but for quotas themselves.
          if (formatOf({ kind: "write", write: one } as WriteTxn) === 2) continue;
          for (const { path: at, quota: bound, used } of after) {
            const was = before.get(at);
            if (was === undefined || JSON.stringify(was.quota) !== JSON.stringify(bound)) continue;
            if (bound.count !== null && used.count > was.used.count) expect(used.count).toBeLessThanOrEqual(bound.count);
            if (bound.bytes !== null && used.bytes > was.used.bytes) expect(used.bytes).toBeLessThanOrEqual(bound.bytes);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("refuse exactly what is too much: with ancestors, inside a multi, and never what shrinks", () => {
    const tree = freshTree();
    const ask = (op: SingleWrite | Multi): string | null => apply(tree, txnOf(tree, op as WriteTxn["write"]), 1, 1).code;
    expect(ask(create("/copse/quota/a", '{"count":3,"bytes":10}', true))).toBeNull();
    expect(ask(create("/a/b/c/d", null, true))).toBe("QUOTA_EXCEEDED");
    expect(ask(create("/a/b/c", "12345", true))).toBeNull();
    expect(ask(create("/a/x", null))).toBe("QUOTA_EXCEEDED");
    expect(ask({ op: "multi", ops: [remove("/a/b/c"), create("/a/x", "12345"), set("/a/x", "1234567890")] })).toBeNull();
    expect(ask(set("/a/b", "1"))).toBe("QUOTA_EXCEEDED");
    expect(ask(set("/copse/quota/a", '{"count":1,"bytes":2}'))).toBeNull();
    expect(ask(set("/a/x", "123456789"))).toBeNull();
    expect(ask(set("/a/x", "987654321"))).toBeNull();
    expect(ask(set("/a/x", "9876543210"))).toBe("QUOTA_EXCEEDED");
    expect(tree.quotas.all()).toMatchObject([{ path: "/a", used: { count: 3, bytes: 9 } }]);
    expect(ask(create("/copse/quota/copse/config", "{}", true))).toBe("BAD_ARGUMENTS");
    expect(ask(remove("/copse/quota", true))).toBe("BAD_ARGUMENTS");
    for (const wrong of ["", "7", "[]", '{"count":-1}', '{"count":1.5}', '{"other":1}', '{"bytes":1e400}']) {
      expect(ask(set("/copse/quota/a", wrong))).toBe("BAD_ARGUMENTS");
    }
  });

  it("are made by who is admin of what they bound, are not bounded themselves, and are at most so many, however they come about", () => {
    const tree = freshTree();
    const ask = (op: SingleWrite | Multi): string | null => apply(tree, txnOf(tree, op as WriteTxn["write"]), 1, 1).code;
    const acl = [{ perms: ["read"], scheme: "world", id: "anyone" }];
    ask({ ...create("/closed", null), acl } as SingleWrite);
    expect(ask(create("/copse/quota/closed", "{}", true))).toBe("NO_AUTH");
    expect(ask(create("/copse/quota/closed/below", '{"count":0}', true))).toBe("NO_AUTH");
    expect(ask(create("/copse/quota", '{"count":1,"bytes":1}'))).toBeNull();
    expect(ask(create("/x", null))).toBe("QUOTA_EXCEEDED");
    expect(ask(create("/copse/quota/open", '{"count":100}'))).toBeNull();
    expect(ask(set("/copse/quota", '{"count":1000000,"bytes":1000000}'))).toBeNull();
    expect(ask(create("/x", null))).toBeNull();
    const all = Array.from({ length: 9_998 }, (_, at) => create(`/copse/quota/n${at}`, at < 5_000 ? "{}" : null));
    for (let at = 0; at < all.length; at += 1_000) expect(ask({ op: "multi", ops: all.slice(at, at + 1_000) })).toBeNull();
    for (let at = 5_000; at < all.length; at++) expect(ask(set(`/copse/quota/n${at}`, "{}"))).toBeNull();
    expect(ask(create("/copse/quota/one-more", null))).toBeNull();
    expect(ask(set("/copse/quota/one-more", "{}"))).toBe("QUOTA_EXCEEDED");
    expect(ask(create("/copse/quota/another", "{}"))).toBe("QUOTA_EXCEEDED");
    expect(ask(set("/copse/quota/n0", '{"count":1}'))).toBeNull();
  });

  it("travel in entries that older builds refuse to read", () => {
    const tree = freshTree();
    const plain = txnOf(tree, create("/a", null) as WriteTxn["write"]);
    const bound = txnOf(tree, { op: "multi", ops: [create("/copse/quota/a", "{}", true)] });
    expect([formatOf(plain), formatOf(bound)]).toEqual([1, 2]);
    const entry = encodeEntry([encodeTxn(bound)], formatOf(bound));
    expect(entry).toContain('"format":2');
    expect(decodeTxns(entry)).toEqual([bound]);
  });
});
