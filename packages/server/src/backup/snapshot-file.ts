/**
 * A snapshot as a file of its own: what it holds, and a data directory made of it.
 *
 * The file is a member's snapshot as it stands on its disk: a head, pieces and an end that counts them, each a record with its length and
 * checksum. So a file that was cut or altered is refused, wherever that is.
 */
import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { beginAnew, readSnapshot, writeState, zxidStep } from "@copse/replica";
import { ConfigError } from "../config-error.ts";
import { writeIdentity } from "../disk/data-directory.ts";
import { FileDisk } from "../disk/file-disk.ts";
import { systemRandom } from "../system-clock.ts";

/** What a snapshot holds. */
export interface SnapshotSummary {
  readonly cluster: string;
  readonly zxid: number;
  readonly index: number;
  readonly term: number;
  /** The state's time, in milliseconds since the epoch. */
  readonly time: number;
  readonly znodes: number;
  readonly sessions: number;
  /** Of the file. */
  readonly bytes: number;
}

/** What became of a state that began anew. */
export interface NewBeginning {
  readonly cluster: string;
  readonly member: string;
  readonly zxid: number;
  /** How far the zxid was raised. */
  readonly raisedBy: number;
  readonly znodes: number;
  readonly sessionsEnded: number;
}

/**
 * Reads the whole file.
 * @throws Error saying what is wrong with it
 * @example console.log((await describeSnapshot("nightly.snap")).zxid);
 */
export function describeSnapshot(file: string): SnapshotSummary {
  const { disk, name } = opened(file);
  const { tree, place } = readSnapshot(disk, name);
  const { ensemble, zxid, time, root, sessions } = tree;
  return { cluster: ensemble.cluster, zxid, ...place, time, znodes: root.descendants + 1, sessions: sessions.size, bytes: disk.size(name) };
}

/**
 * Makes a data directory of a snapshot: a cluster of its own, with one member.
 * @param directory is missing or empty
 * @throws ConfigError where the directory can't be used; Error where the file can't be believed
 */
export async function restoreSnapshot(file: string, directory: string, member: string): Promise<NewBeginning> {
  const { disk, name } = opened(file);
  const state = readSnapshot(disk, name);
  const path = resolve(directory);
  if (fs.existsSync(path) && fs.readdirSync(path).length > 0) throw new ConfigError(`data: ${path} is not empty`);
  fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  fs.chmodSync(path, 0o700);
  const [cluster, token] = [systemRandom.token(), systemRandom.token()];
  const sessionsEnded = beginAnew(state, cluster);
  await written(path, token, state, member);
  writeIdentity(path, { directory: token, cluster, member });
  return { cluster, member, zxid: state.tree.zxid, raisedBy: zxidStep, znodes: state.tree.root.descendants + 1, sessionsEnded };
}

/** Writes a state's snapshot into a directory. */
export async function written(path: string, token: string, state: Parameters<typeof writeState>[2], member: string): Promise<void> {
  const disk = new FileDisk(path);
  try {
    await new Promise<void>((done, failed) =>
      writeState(disk, token, state, Number(member), (error) => (error === null ? done() : failed(error))),
    );
  } finally {
    await disk.close();
  }
}

function opened(file: string): { readonly disk: FileDisk; readonly name: string } {
  const path = resolve(file);
  if (!fs.existsSync(path)) throw new ConfigError(`${join(file)} does not exist`);
  return { disk: new FileDisk(dirname(path)), name: basename(path) };
}
