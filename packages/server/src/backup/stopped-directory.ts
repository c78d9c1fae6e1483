/**
 * A data directory that nobody serves: whether it can be believed, what its log says, and how a member goes on alone with it after the
 * majority is lost.
 */
import * as fs from "node:fs";
import { join, resolve } from "node:path";
import { beginAnew, orderedEntry, readDirectory, txnsOf, zxidStep } from "@copse/replica";
import { openIdleDirectory, writeIdentity } from "../disk/data-directory.ts";
import { FileDisk } from "../disk/file-disk.ts";
import { systemRandom } from "../system-clock.ts";
import { type NewBeginning, written } from "./snapshot-file.ts";

/** What a data directory holds. */
export interface DirectorySummary {
  readonly member: string;
  readonly cluster: string;
  readonly zxid: number;
  readonly term: number;
  /** The term of the last entry: of the logs that are left, the one with the highest lacks least, and among equals the longest. */
  readonly lastTerm: number;
  /** The entry that the snapshot ends with, and the last one of the log. */
  readonly snapshotIndex: number;
  readonly lastIndex: number;
  /** Entries of which it does not know that a majority holds them. */
  readonly uncommitted: number;
  /** Bytes of a write that was cut short at the end of the log; they were never acknowledged. */
  readonly tornBytes: number;
  /** Snapshots that are damaged; the one before and the log hold the same state. */
  readonly damaged: readonly string[];
  readonly znodes: number;
  readonly sessions: number;
}

/** One record of a log. */
export interface LogRecord {
  readonly index: number;
  readonly term: number;
  /** The state's time when it was proposed, in milliseconds since the epoch; absent where it has none. */
  readonly time?: number;
  readonly kind: "txns" | "members" | "empty";
  /** The txns, or the change of members, as they stand in the log. */
  readonly content?: unknown;
}

/**
 * Reads a data directory as a start would, and changes nothing.
 * @throws ConfigError where there is none, or a hub runs on it; CorruptLogError where it can't be believed
 */
export function verifyDirectory(directory: string): Promise<DirectorySummary> {
  return idle(directory, (_, { disk, identity }) => {
    const { tree, place, recovered, uncommitted } = readDirectory(disk, identity.directory);
    return {
      member: identity.member,
      cluster: identity.cluster ?? tree.ensemble.cluster,
      zxid: tree.zxid,
      term: place.term,
      lastTerm: recovered.entries[recovered.entries.length - 1]?.term ?? recovered.snapshot.term,
      snapshotIndex: recovered.snapshot.index,
      lastIndex: place.index,
      uncommitted,
      tornBytes: recovered.tornBytes,
      damaged: recovered.damaged,
      znodes: tree.root.descendants + 1,
      sessions: tree.sessions.size,
    };
  });
}

/** The entries that a log holds after its snapshot. @throws as verifyDirectory */
export function logRecords(directory: string): Promise<readonly LogRecord[]> {
  return idle(directory, (_, { disk, identity }) =>
    readDirectory(disk, identity.directory).recovered.entries.map((entry): LogRecord => {
      const { index, term, change } = entry;
      if (change !== null) return { index, term, kind: "members", content: change };
      const { payload, time } = orderedEntry(entry);
      return payload === ""
        ? { index, term, kind: "empty" }
        : { index, term, time, kind: "txns", content: JSON.parse(txnsOf(payload)) as unknown };
    }),
  );
}

/**
 * Lets a member go on alone, as another cluster, with all that its directory holds, acknowledged by a majority or not. What it had before
 * stays beside it, in a folder.
 * @returns also the folder
 * @throws as verifyDirectory
 */
export function recoverAlone(directory: string): Promise<NewBeginning & { readonly before: string }> {
  return idle(directory, async (path, { disk, identity }) => {
    const state = readDirectory(disk, identity.directory);
    const [cluster, token] = [systemRandom.token(), systemRandom.token()];
    const sessionsEnded = beginAnew(state, cluster);
    const after = join(path, "recovering");
    fs.rmSync(after, { recursive: true, force: true });
    fs.mkdirSync(after, { mode: 0o700 });
    await written(after, token, state, identity.member);
    // Nothing is taken away before what takes its place stands; after a crash in between both are still there.
    const before = join(path, `before-recovery-${new Date().toISOString().replace(/[:.]/g, "-")}`);
    fs.mkdirSync(before, { mode: 0o700 });
    for (const name of disk.list()) if (/\.(wal|snap)$|^identity\.json$/.test(name)) fs.renameSync(join(path, name), join(before, name));
    for (const name of fs.readdirSync(after)) fs.renameSync(join(after, name), join(path, name));
    fs.rmdirSync(after);
    writeIdentity(path, { directory: token, cluster, member: identity.member });
    const { zxid, root } = state.tree;
    return { cluster, member: identity.member, zxid, raisedBy: zxidStep, znodes: root.descendants + 1, sessionsEnded, before };
  });
}

/** Works on a data directory that nobody serves meanwhile. */
async function idle<T>(
  directory: string,
  work: (path: string, held: { disk: FileDisk; identity: Awaited<ReturnType<typeof openIdleDirectory>>["identity"] }) => T | Promise<T>,
): Promise<T> {
  const path = resolve(directory);
  const { identity, release } = await openIdleDirectory(path, systemRandom.token);
  const disk = new FileDisk(path);
  try {
    return await work(path, { disk, identity });
  } finally {
    await disk.close();
    await release();
  }
}
