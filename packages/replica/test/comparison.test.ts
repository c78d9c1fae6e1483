/** A comparison in a member whose state is replaced while it hashes. */
import { Tree } from "@copse/tree";
import { expect, it } from "vitest";
import { Comparison, type ComparisonOptions } from "../src/ensemble/comparison.ts";
import type { PeerMessage } from "../src/ensemble/peer-message.ts";

function comparisonOf(tree: Tree, told: PeerMessage[]): Comparison {
  const options = {
    member: "3",
    everyMs: 3_600_000,
    tree,
    clock: { now: () => 0, wall: () => 0 },
    coordinator: { isHere: false },
    proposals: { add: () => {} },
    canUse: () => true,
    peers: () => ["1", "2"],
    tell: (message: PeerMessage) => told.push(message),
    tally: { hashMismatches: 0 },
    trace: null,
  };
  return new Comparison(options as unknown as ComparisonOptions);
}

it("tells no hash of a mixture of two states", () => {
  const told: PeerMessage[] = [];
  const tree = new Tree();
  const comparison = comparisonOf(tree, told);
  comparison.begin();
  comparison.look();
  expect(told).toMatchObject([{ kind: "hash" }]);
  comparison.begin();
  tree.adopt(new Tree());
  comparison.restored();
  comparison.look();
  expect(told).toHaveLength(1);
});

it("keeps what a peer tells of a place that this member is about to come to", () => {
  const told: PeerMessage[] = [];
  const tree = new Tree();
  tree.index = 7;
  const comparison = comparisonOf(tree, told);
  const results: unknown[] = [];
  comparison.compare((result) => results.push(result));
  // They have applied the entry that marks the place, which is the next one here.
  for (const member of ["1", "2"]) comparison.said(member, { kind: "hash", index: 7, hash: "same" });
  comparison.begin();
  comparison.look();
  expect(results).toMatchObject([{ zxid: 0 }]);
  expect([...(results[0] as { hashes: ReadonlyMap<string, string> }).hashes.keys()]).toEqual(["1", "2", "3"]);
});
