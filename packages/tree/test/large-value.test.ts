/** Large values: their prints tell requests apart as others do, and their entries are those that every build reads. */

import { crc32 } from "node:zlib";
import { base64Encode, decodeWrite, isRefusal, noLimits, type SingleWrite } from "@copse/protocol";
import { describe, expect, it } from "vitest";
import { apply } from "../src/apply.ts";
import { encodeLargeEntry, encodeLargeTxn, isLarge, type LargeTxn, largePrintOf } from "../src/large-value.ts";
import { SnapshotLoader, SnapshotWriter, snapshotFormatOf } from "../src/snapshot.ts";
import { Tree } from "../src/tree.ts";
import { decodeTxns, encodeEntry, encodeTxn, formatOf, type WriteTxn } from "../src/txn.ts";
import { writeTxn } from "./write-txn.ts";

const text = "x".repeat(10_000);

function decoded(message: Record<string, unknown>): SingleWrite {
  const write = decodeWrite(message, noLimits);
  if (isRefusal(write)) throw new Error(write.message);
  return write as SingleWrite;
}

function largeTxn(tree: Tree, message: Record<string, unknown>, guards: WriteTxn["guards"] = []): LargeTxn {
  const txn = writeTxn(tree, "s", decoded(message) as WriteTxn["write"]);
  if (!isLarge(txn.write)) throw new Error("the value is not large");
  return { ...txn, write: txn.write, guards, print: largePrintOf(txn.write, guards, (json) => crc32(json)) };
}

function treeWithSession(): Tree {
  const tree = new Tree();
  const open = { kind: "open", session: "s", secretHash: "", timeoutMs: 1, identities: [], connection: "c" } as const;
  apply(tree, open, 1, 1);
  apply(tree, writeTxn(tree, "s", decoded({ op: "create", path: "/a" }) as WriteTxn["write"]), 1, 1);
  return tree;
}

const asked = [
  { op: "set", path: "/a", data: text },
  { op: "set", path: "/a", data: `${text}é"\n` },
  { op: "set", path: "/a", version: 7, data: text },
  { op: "set", path: "/b", data: text },
  { op: "set", path: "/a", data: text.replace("x", "y") },
  { op: "set", path: "/a", data64: base64Encode(new Uint8Array(8_000).fill(0xff)) },
  { op: "create", path: "/a", data: text },
  { op: "create", path: "/a", data: text, sequential: true, parents: true, counter: 3 },
  { op: "create", path: "/a", data: text, ttl: 5, acl: [{ scheme: "world", id: "anyone", perms: ["read"] }] },
];

describe("large values", () => {
  it("are written into an entry in parts that say what the whole would", () => {
    const tree = treeWithSession();
    for (const message of asked) {
      const txn = largeTxn(tree, message, [{ path: "/g", czxid: 3 }]);
      const whole = decodeTxns(encodeEntry([encodeTxn(txn)], formatOf(txn)));
      expect(decodeTxns(encodeLargeEntry(encodeLargeTxn(txn), formatOf(txn)).join(""))).toEqual(whole);
      expect(formatOf(txn)).toBe(8);
    }
  });

  it("have prints that differ wherever the requests do, and are nobody else's", () => {
    const tree = treeWithSession();
    const prints = [...asked.map((message) => largeTxn(tree, message)), largeTxn(tree, asked[0]!, [{ path: "/g", czxid: 3 }])].map(
      ({ print }) => print,
    );
    expect(new Set(prints).size).toBe(prints.length);
    expect(prints.every((print) => Number.isSafeInteger(print) && print < 0)).toBe(true);
    expect(largeTxn(tree, { ...asked[0], ack: 9 }).print).toBe(prints[0]);
  });

  it("are known again, whether the first of the two had a print by the text or by the checksum", () => {
    for (const isByText of [false, true]) {
      const tree = treeWithSession();
      const txn = largeTxn(tree, asked[0]!);
      const first = isByText ? { ...txn, print: writeTxn(tree, "s", txn.write).print } : txn;
      expect(apply(tree, first, 2, 1)).toMatchObject({ outcome: "done", code: null });
      expect(apply(tree, txn, 3, 1)).toMatchObject({ outcome: "repeated", code: null });
      const other = { ...largeTxn(tree, asked[4]!), id: txn.id, after: txn.after };
      expect(apply(tree, other, 3, 1)).toMatchObject({ outcome: "refused", code: "BAD_ARGUMENTS" });
    }
  });

  it("keep their prints in a snapshot", () => {
    const tree = treeWithSession();
    const txn = largeTxn(tree, asked[0]!);
    apply(tree, txn, 2, 1);
    expect(snapshotFormatOf(tree)).toBe(5);
    const writer = new SnapshotWriter(tree);
    const loader = new SnapshotLoader();
    for (let piece = writer.piece(1_000); piece !== null; piece = writer.piece(1_000)) loader.take(piece);
    expect(apply(loader.finish(), txn, 3, 1)).toMatchObject({ outcome: "repeated" });
  });
});
