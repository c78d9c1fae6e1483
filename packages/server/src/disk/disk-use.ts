/** What the data directory takes of its disk, and what is left there: looked at now and then, not at each scrape. */
import { readdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";

export interface DiskUse {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly logBytes: number;
  readonly snapshotBytes: number;
}

/** How long a look is good for, in milliseconds. */
const lookMs = 500;

/** @returns gives the newest look, which is at most half a second old */
export function diskUse(directory: string): () => DiskUse {
  let lookedAt = Number.NEGATIVE_INFINITY;
  let use: DiskUse = { freeBytes: 0, totalBytes: 0, logBytes: 0, snapshotBytes: 0 };
  return () => {
    const now = performance.now();
    if (now - lookedAt < lookMs) return use;
    lookedAt = now;
    use = look(directory);
    return use;
  };
}

function look(directory: string): DiskUse {
  const { bsize, bavail, blocks } = statfsSync(directory);
  const bytes = (suffix: string): number => {
    let sum = 0;
    // One that goes meanwhile takes nothing.
    for (const name of readdirSync(directory)) {
      if (name.endsWith(suffix)) sum += statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
    }
    return sum;
  };
  return { freeBytes: bsize * bavail, totalBytes: bsize * blocks, logBytes: bytes(".wal"), snapshotBytes: bytes(".snap") };
}
