/** What a member keeps its data on: a directory of its own, or, for an edge, nothing. */
import { type Disk, MemoryDisk } from "@copse/log";
import { systemRandom } from "../system-clock.ts";
import { type DirectoryIdentity, openDataDirectory } from "./data-directory.ts";
import { type DiskUse, diskUse } from "./disk-use.ts";
import { FileDisk } from "./file-disk.ts";

export interface Storage {
  readonly identity: Pick<DirectoryIdentity, "directory" | "cluster" | "joins">;
  readonly disk: Disk;
  readonly use: () => DiskUse;
  /** Nothing is written any more once it resolves. */
  close(): Promise<void>;
  /** Lets the next process in. */
  release(): Promise<void>;
}

/** @throws ConfigError where another process uses the directory, or it belongs to another member */
export async function openStorage(directory: string, member: string, purpose: () => "alone" | "founding" | "joining"): Promise<Storage> {
  const { identity, release } = await openDataDirectory(directory, member, purpose, systemRandom.token);
  const disk = new FileDisk(directory);
  return { identity, disk, use: diskUse(directory), close: () => disk.close(), release };
}

/** Of an edge: what it knows, its feeder knows too. */
export function noStorage(): Storage {
  const disk = new MemoryDisk({
    encode: (text) => Buffer.from(text, "utf8"),
    decode: (bytes) => Buffer.from(bytes).toString("utf8"),
    base64: (bytes) => Buffer.from(bytes).toString("base64"),
    defer: (run) => setImmediate(run),
  });
  const nothing = { freeBytes: 0, totalBytes: 0, logBytes: 0, snapshotBytes: 0 };
  const done = async (): Promise<void> => {};
  return { identity: { directory: "", cluster: null }, disk, use: () => nothing, close: done, release: done };
}
