/**
 * A fingerprint of the whole state, for comparing members.
 *
 * It is taken over the lines of the snapshot, so that what a snapshot would lose, the digest would miss too, and a
 * state that went through a snapshot has the same digest as one that did not.
 */
import { fingerprint } from "@copse/protocol";
import { SnapshotWriter } from "./snapshot.ts";
import type { Tree } from "./tree.ts";

/** UTF-16 units of lines in one step: about a millisecond of work. */
const stepUnits = 65_536;

/** Takes the digest of the state as it is now, a step at a time, whatever is written meanwhile. */
export class DigestReader {
  readonly #writer: SnapshotWriter;
  #chain = 0;

  constructor(tree: Tree) {
    this.#writer = new SnapshotWriter(tree);
  }

  /** The digest, after the last step; null where more are to come. */
  step(): string | null {
    const piece = this.#writer.piece(stepUnits);
    if (piece === null) {
      this.close();
      return this.#chain.toString(36);
    }
    for (const line of piece.split("\n")) this.#chain = fingerprint(`${this.#chain} ${line}`);
    return null;
  }

  close(): void {
    this.#writer.close();
  }
}

/** A fingerprint of the whole state: equal on two members exactly when, but for chance, their states are. */
export function digestOf(tree: Tree): string {
  const reader = new DigestReader(tree);
  for (;;) {
    const digest = reader.step();
    if (digest !== null) return digest;
  }
}
