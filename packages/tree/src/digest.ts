/**
 * A fingerprint of the whole state, for comparing members.
 *
 * It is taken over the lines of the snapshot, so that what a snapshot would lose, the digest would miss too, and a
 * state that went through a snapshot has the same digest as one that did not.
 */
import { fingerprint } from "@copse/protocol";
import { SnapshotWriter } from "./snapshot.ts";
import type { Tree } from "./tree.ts";

/** A fingerprint of the whole state: equal on two members exactly when, but for chance, their states are. */
export function digestOf(tree: Tree): string {
  const writer = new SnapshotWriter(tree);
  let chain = 0;
  for (let piece = writer.piece(digestUnits); piece !== null; piece = writer.piece(digestUnits)) {
    for (const line of piece.split("\n")) chain = fingerprint(`${chain} ${line}`);
  }
  writer.close();
  return chain.toString(36);
}

const digestUnits = 65_536;
