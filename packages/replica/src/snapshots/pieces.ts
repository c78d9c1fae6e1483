/**
 * The pieces of a snapshot: the tree's, then the history's, as they were at one moment, while both go on.
 *
 * Invariant: a piece is made when it is asked for, and no sooner; `close` lets go of what was kept for those that were not.
 */
import { SnapshotWriter, snapshotFormatOf, type Tree } from "@copse/tree";
import type { History } from "../following/history.ts";

/** UTF-16 units of one piece: half a millisecond of work, and below the size from which the collector of garbage holds a text apart. */
export const pieceUnits = 114_688;

export interface Pieces {
  /** The next one, or null after the last. */
  readonly next: () => string | null;
  readonly close: () => void;
}

/** Those of the state as it is now. */
export function piecesOf(tree: Tree, history: History): Pieces {
  const writer = new SnapshotWriter(tree);
  const lines = history.lines(snapshotFormatOf(tree));
  const next = (): string | null => {
    const piece = writer.piece(pieceUnits);
    return piece === null ? historyPiece(lines) : `T${piece}`;
  };
  return { next, close: () => writer.close() };
}

function historyPiece(lines: Iterator<string, undefined>): string | null {
  const piece: string[] = [];
  for (let units = 0; units < pieceUnits; ) {
    const next = lines.next();
    if (next.done) break;
    piece.push(next.value);
    units += next.value.length;
  }
  return piece.length === 0 ? null : `H${piece.join("\n")}`;
}
