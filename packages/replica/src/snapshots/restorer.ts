/** The state of a snapshot, from its pieces. */
import { SnapshotLoader, type Tree } from "@copse/tree";
import type { History } from "../following/history.ts";

/** Takes the pieces of a snapshot back. */
export class SnapshotRestorer {
  readonly #loader: SnapshotLoader = new SnapshotLoader();
  readonly #history: History;
  #isEmpty = true;

  constructor(history: History) {
    this.#history = history;
  }

  take(piece: string): void {
    this.#isEmpty = false;
    const text = piece.slice(1);
    if (piece.startsWith("T")) this.#loader.take(text);
    else for (const line of text.split("\n")) this.#history.restore(line);
  }

  /** The tree of the snapshot, or null if there was none. @throws Error where the state is incomplete */
  finish(): Tree | null {
    return this.#isEmpty ? null : this.#loader.finish();
  }
}
