/** The state of a data directory, as far as its newest snapshot has it, and the log after that. */
import { type Disk, type Recovered, recover } from "@copse/log";
import { Tree } from "@copse/tree";
import type { History } from "../following/history.ts";
import { SnapshotRestorer } from "./restorer.ts";

export interface RecoveredState {
  /** As the snapshot has it: the entries of the log come after it. */
  readonly tree: Tree;
  readonly history: History;
  readonly recovered: Recovered;
}

/** @throws CorruptLogError where the files can't be believed */
export function recoverState(disk: Disk, directory: string, newHistory: () => History): RecoveredState {
  let history = newHistory();
  let restorer = new SnapshotRestorer(history);
  const take = (piece: string): void => restorer.take(piece);
  const recovered = recover(disk, directory, take, () => {
    history = newHistory();
    restorer = new SnapshotRestorer(history);
  });
  return { tree: restorer.finish() ?? new Tree(), history, recovered };
}
