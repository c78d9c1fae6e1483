/**
 * Rubbish in a data directory: bytes of log and snapshots changed from a seed. A member refuses what it can't believe, with
 * an error that names the file, or begins with what was there before the damage; never with anything else.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError, type MemoryDisk, recover } from "@copse/log";
import { Prng } from "@copse/testing/simulation";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startHub } from "../support/hub.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { RawClient } from "../support/raw-client.ts";

const rounds = process.env["COPSE_FULL"] === "1" ? 20_000 : 2_000;
let files: Map<string, Buffer>;
let directory: string;
let destroy: () => Promise<void>;

/** A directory as a hub leaves it: a snapshot, two segments, entries of every size. */
beforeAll(async () => {
  const hub = await startHub({ snapshotLogBytes: 30_000, segmentBytes: 12_000 });
  const client = await RawClient.connect(hub.url);
  for (let at = 0; at < 200; at++) await client.ask({ op: "create", path: `/n-${at}`, data: "ä𝄞".repeat(at) });
  await client.ask({ op: "delete", path: "/n-3" });
  destroy = hub.destroy;
  await hub.stop();
  const names = readdirSync(hub.data).filter((name) => /\.(wal|snap)$/.test(name));
  files = new Map(names.map((name) => [name, readFileSync(join(hub.data, name))]));
  directory = (JSON.parse(readFileSync(join(hub.data, "identity.json"), "utf8")) as { directory: string }).directory;
});
afterAll(() => destroy());

async function diskOf(contents: ReadonlyMap<string, Buffer>): Promise<MemoryDisk> {
  const disk = memoryDisk();
  for (const [name, bytes] of contents) {
    await new Promise<void>((resolve, reject) => disk.append(name, bytes, true, (error) => (error === null ? resolve() : reject(error))));
  }
  return disk;
}

function damaged(bytes: Buffer, random: Prng): Buffer {
  const at = random.below(bytes.length);
  const length = Math.min(1 + random.below(40), bytes.length - at);
  const rubbish = Buffer.from(Array.from({ length }, () => random.below(256)));
  switch (random.below(6)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([bytes[at]! ^ (1 << random.below(8))]), bytes.subarray(at + 1)]);
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), rubbish, bytes.subarray(at)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length), bytes.subarray(at + length)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at - Math.min(at, length), at), bytes.subarray(at)]);
  }
}

it(`is refused or cut, and never served: ${rounds} damaged directories`, { timeout: 600_000 }, async () => {
  const seed = Number(process.env["COPSE_SEED"] ?? Date.now() % 1_000_000_000);
  const random = new Prng(seed);
  const goodPieces: string[] = [];
  const good = recover(await diskOf(files), directory, (piece) => goodPieces.push(piece));
  expect(good.entries.length).toBeGreaterThan(10);
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const name = random.pick([...files.keys()]);
    const disk = await diskOf(new Map([...files, [name, damaged(files.get(name)!, random)]]));
    const pieces: string[] = [];
    try {
      const { entries, snapshot } = recover(disk, directory, (piece) => pieces.push(piece));
      expect(snapshot).toEqual(good.snapshot);
      expect(pieces.join("")).toBe(goodPieces.join(""));
      expect(entries).toEqual(good.entries.slice(0, entries.length));
    } catch (error) {
      if (!(error instanceof CorruptLogError)) throw new Error(`seed ${seed}, round ${round}, ${name}`, { cause: error });
      expect(error.message).toMatch(/\.(wal|snap)/);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(rounds / 3);
  console.log(`files: ${refused} of ${rounds} damaged directories were refused, the others cut (seed ${seed})`);
});
