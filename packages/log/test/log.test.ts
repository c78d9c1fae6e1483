/**
 * The log over the disk in memory: what is acknowledged is there after a crash; a torn tail is cut; everything else that is
 * damaged is refused, wherever the bit flips.
 */
import { CorruptLogError, type MemoryDisk, noHardState, type Recovered, recover, type SnapshotPlace, SnapshotStore, Wal } from "@copse/log";
import { type Entry, emptyConfiguration } from "@copse/raft";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryDisk } from "../../../test/support/memory-disk.ts";

const directory = "d1";

function open(disk: MemoryDisk, segmentBytesMax = 100_000, pieces: string[] = []): { wal: Wal; recovered: Recovered } {
  const recovered = recover(disk, directory, (piece) => pieces.push(piece));
  const onError = (error: Error): void => {
    throw error;
  };
  const nextIndex = (recovered.entries[recovered.entries.length - 1]?.index ?? recovered.snapshot.index) + 1;
  return { wal: new Wal(disk, recovered.segments, recovered.segmentBytes, { directory, segmentBytesMax, nextIndex, onError }), recovered };
}

function entry(index: number, payload = `payload ${index}`): Entry {
  return { index, term: 1, kind: "normal", payload, change: null };
}

function append(wal: Wal, ...entries: Entry[]): Promise<void> {
  return new Promise((resolve) => wal.append(entries, null, resolve));
}

async function filled(count: number, segmentBytesMax?: number): Promise<MemoryDisk> {
  const disk = memoryDisk();
  const { wal } = open(disk, segmentBytesMax);
  for (let index = 1; index <= count; index++) await append(wal, entry(index));
  return disk;
}

/** Bytes of a file up to the room after its records. */
function written(disk: MemoryDisk, name: string): number {
  const bytes = disk.read(name, 0, disk.size(name));
  return bytes.findLastIndex((byte) => byte !== 0) + 1;
}

function damage(disk: MemoryDisk, name: string, change: (bytes: Uint8Array) => Uint8Array): void {
  const bytes = change(disk.read(name, 0, disk.size(name)));
  disk.truncate(name, 0);
  disk.append(name, bytes, true, () => {});
}

describe("the write-ahead log", () => {
  it("gives back what was acknowledged, after a crash too, and goes on", async () => {
    const disk = memoryDisk();
    let next = 1;
    for (let round = 0; round < 5; round++) {
      const { wal, recovered } = open(disk, 300);
      expect(recovered.entries.map(({ index }) => index)).toEqual(Array.from({ length: next - 1 }, (_, at) => at + 1));
      for (let count = 0; count < 7; count++) await append(wal, entry(next++));
      wal.append([entry(next)], null, () => {});
      disk.crash();
    }
    expect(disk.list().length).toBeGreaterThan(3);
  });

  it("writes all that waits as one record with one sync", async () => {
    const disk = memoryDisk();
    const { wal } = open(disk);
    const done: number[] = [];
    await Promise.all(Array.from({ length: 100 }, (_, at) => append(wal, entry(at + 1)).then(() => done.push(at + 1))));
    expect(done).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    expect(wal.counts).toMatchObject({ commits: 2, entries: 100 });
    expect(open(disk).recovered.entries).toHaveLength(100);
  });

  it("closes a record long before it is too large to be read back, and refuses one that is", async () => {
    const disk = memoryDisk();
    const { wal } = open(disk, 1e9);
    const large = "x".repeat(3_000_000);
    await Promise.all(Array.from({ length: 24 }, (_, at) => append(wal, entry(at + 1, large))));
    expect(wal.counts.commits).toBeGreaterThan(4);
    expect(open(disk, 1e9).recovered.entries).toHaveLength(24);
    const errors: Error[] = [];
    const refusing = new Wal(memoryDisk(), [], 0, { directory, nextIndex: 1, onError: (error) => errors.push(error) });
    refusing.append([entry(1, "x".repeat(268_435_457))], null, () => expect.unreachable());
    expect(errors[0]?.message).toContain("exceeds the limit of 268435456 bytes");
  });

  it("keeps the newest hard state, and lets a later entry of an index replace what stood there and after", async () => {
    const disk = memoryDisk();
    const { wal } = open(disk);
    expect(open(disk).recovered.hardState).toEqual(noHardState);
    await new Promise<void>((resolve) => wal.append([entry(1)], { term: 1, vote: 1, commit: 0 }, resolve));
    await append(wal, entry(2), entry(3), entry(4));
    await new Promise<void>((resolve) => wal.append([{ ...entry(3, "new"), term: 2 }], { term: 2, vote: 0, commit: 2 }, resolve));
    const { entries, hardState } = open(disk).recovered;
    expect(entries.map(({ index, term, payload }) => [index, term, payload])).toEqual([
      [1, 1, "payload 1"],
      [2, 1, "payload 2"],
      [3, 2, "new"],
    ]);
    expect(hardState).toEqual({ term: 2, vote: 0, commit: 2 });
  });

  it("cuts a torn tail, wherever the tear is", async () => {
    const whole = await filled(5);
    const name = whole.list()[0]!;
    const last = written(whole, name);
    const before = written(await filled(4), name);
    for (let at = before * 2; at < last * 2; at++) {
      const disk = await filled(5);
      const size = at >> 1;
      disk.truncate(name, size);
      // A write may be torn in room that was there before it: zeros follow what came through.
      if (at % 2 === 1) damage(disk, name, (bytes) => Uint8Array.from([...bytes, ...new Uint8Array(last)]));
      const { recovered, wal } = open(disk);
      expect(recovered.entries).toHaveLength(4);
      // A tear among zeros can't be told from room.
      expect(recovered.tornBytes).toBeLessThanOrEqual(size - before);
      expect(recovered.tornBytes > 0).toBe(size > before + 1);
      await append(wal, entry(5, "again"));
      expect(open(disk).recovered.entries.map(({ payload }) => payload)).toEqual(
        [1, 2, 3, 4].map((index) => `payload ${index}`).concat("again"),
      );
    }
  });

  it("takes zeros after the records for room, in older segments too, and writes over them", async () => {
    const disk = await filled(30, 400);
    for (const name of disk.list()) expect(disk.size(name)).toBeGreaterThan(written(disk, name));
    const { recovered, wal } = open(disk, 400);
    expect([recovered.entries.length, recovered.tornBytes]).toEqual([30, 0]);
    const newest = disk.list().at(-1)!;
    expect(recovered.segmentBytes).toBe(written(disk, newest));
    await append(wal, entry(31));
    expect(open(disk, 400).recovered.entries).toHaveLength(31);
  });

  it("cuts a tail of garbage, and a newest segment in which nothing is whole", async () => {
    const disk = await filled(3);
    const name = disk.list()[0]!;
    damage(disk, name, (bytes) => Uint8Array.from([...bytes, 0, 0xc0, 1, 0x95, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    expect(open(disk).recovered.entries).toHaveLength(3);
    disk.append("0000000000000004.wal", Uint8Array.from([0, 1, 2]), true, () => {});
    const { recovered, wal } = open(disk);
    expect(recovered.entries).toHaveLength(3);
    await append(wal, entry(4));
    expect(open(disk).recovered.entries).toHaveLength(4);
  });

  it("never serves wrong data: a flipped bit is refused, or cuts no more than the last record", async () => {
    const original = await filled(6);
    const name = original.list()[0]!;
    const size = original.size(name);
    const lastRecord = written(await filled(5), name);
    const room = written(original, name);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: size - 1 }), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        const disk = await filled(6);
        damage(disk, name, (bytes) => bytes.map((byte, position) => (position === at ? byte ^ (1 << bit) : byte)));
        if (at < lastRecord) expect(() => open(disk)).toThrow(CorruptLogError);
        else {
          const whole = at < room ? [1, 2, 3, 4, 5] : [1, 2, 3, 4, 5, 6];
          expect(open(disk).recovered.entries.map(({ payload }) => payload)).toEqual(whole.map((index) => `payload ${index}`));
        }
      }),
      { numRuns: 200 },
    );
  });

  it("refuses damage in an older segment, a missing segment, and files of another directory, and says which", async () => {
    const torn = await filled(30, 400);
    const [first = "", second = ""] = torn.list();
    torn.truncate(first, written(torn, first) - 3);
    expect(() => open(torn)).toThrow(/^0000000000000001\.wal: a record at byte \d+ is damaged, and newer segments follow/);
    const gap = await filled(30, 400);
    gap.remove(second, () => {});
    expect(() => open(gap)).toThrow(/found entry \d+, expected \d+/);
    const headless = await filled(30, 400);
    headless.remove(first, () => {});
    expect(() => open(headless)).toThrow(/no snapshot holds/);
    expect(() => recover(torn, "other", () => {})).toThrow(/another data directory/);
  });

  it("keeps a hard state without entries on an empty log, and membership changes beside entries", async () => {
    const disk = memoryDisk();
    const { wal } = open(disk);
    await new Promise<void>((resolve) => wal.append([], { term: 3, vote: 2, commit: 0 }, resolve));
    expect(open(disk).recovered).toMatchObject({ hardState: { term: 3, vote: 2, commit: 0 }, entries: [] });
    const change: Entry = {
      ...entry(2, ""),
      kind: "change",
      change: { transition: "auto", changes: [{ kind: "add-learner", member: 4 }] },
    };
    await append(wal, entry(1), change, entry(3, "17 {}"));
    expect(open(disk).recovered.entries).toEqual([entry(1), change, entry(3, "17 {}")]);
  });

  it("names segments in ascending order though older entries are written anew", async () => {
    const disk = memoryDisk();
    const { wal } = open(disk, 200);
    for (let index = 1; index <= 20; index++) await append(wal, entry(index));
    for (let index = 8; index <= 30; index++) await append(wal, { ...entry(index, `anew ${index}`), term: 2 });
    const names = disk.list();
    expect([...names].sort()).toEqual(names);
    const { entries } = open(disk, 200).recovered;
    expect(entries.map(({ index, term }) => [index, term])).toEqual(Array.from({ length: 30 }, (_, at) => [at + 1, at < 7 ? 1 : 2]));
  });

  it("tells its owner of a disk error once, and acknowledges nothing more", async () => {
    const disk = memoryDisk();
    const errors: Error[] = [];
    const wal = new Wal(disk, [], 0, { directory, nextIndex: 1, onError: (error) => errors.push(error) });
    const failing = disk.commit.bind(disk);
    let isBroken = false;
    disk.commit = (name, bytes, done) => failing(name, bytes, () => done(isBroken ? new Error("EIO") : null));
    await append(wal, entry(1));
    isBroken = true;
    let acknowledged = 0;
    for (let index = 2; index < 6; index++) wal.append([entry(index)], null, () => acknowledged++);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    isBroken = false;
    wal.append([entry(6)], null, () => acknowledged++);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect([errors.length, acknowledged]).toEqual([1, 0]);
  });
});

describe("snapshots", () => {
  function write(disk: MemoryDisk, index: number, pieces: string[], names: readonly string[] = []): Promise<number> {
    const left = [...pieces];
    return new Promise((resolve) => storeOn(disk, names).write(placeOf(index), () => left.shift() ?? null, resolve));
  }

  function storeOn(disk: MemoryDisk, names: readonly string[] = []): SnapshotStore {
    const index = names.length === 0 ? 0 : Number(names[names.length - 1]!.slice(0, 16));
    return new SnapshotStore(disk, names, index === 0 ? null : placeOf(index), directory, (error) => {
      throw error;
    });
  }

  function placeOf(index: number, term = 1): SnapshotPlace {
    return { index, term, configuration: { ...emptyConfiguration, voters: [1, 2, 3] } };
  }

  it("stand in for the entries before them, and let old segments go", async () => {
    const disk = await filled(30, 400);
    const { wal } = open(disk, 400);
    const segments = (): number => disk.list().filter((name) => name.endsWith(".wal")).length;
    const before = segments();
    await write(disk, 20, ["one", "two"]);
    wal.truncateBefore(20);
    await new Promise((resolve) => setImmediate(resolve));
    expect(segments()).toBeLessThan(before);
    const pieces: string[] = [];
    const { recovered } = open(disk, 400, pieces);
    expect(pieces).toEqual(["one", "two"]);
    expect(recovered.snapshot).toEqual(placeOf(20));
    expect(recovered.entries.map(({ index }) => index)).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  });

  it("count only when complete: a crash in the middle leaves the older one", async () => {
    const disk = await filled(10);
    await write(disk, 5, ["old"]);
    storeOn(disk, ["0000000000000005.snap"]).write(
      placeOf(9),
      () => "endless",
      () => {},
    );
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    disk.crash();
    const pieces: string[] = [];
    expect(open(disk, 1_000, pieces).recovered.snapshot.index).toBe(5);
    expect(pieces).toEqual(["old"]);
    expect(disk.list().some((name) => name.endsWith(".tmp"))).toBe(false);
  });

  it("that are damaged have a fallback, where the log leads on from it; else they are refused", async () => {
    const [older, newest] = ["0000000000000005.snap", "0000000000000009.snap"];
    const twice = async (): Promise<MemoryDisk> => {
      const disk = await filled(12, 100);
      await write(disk, 2, ["first"]);
      await write(disk, 5, ["old"], ["0000000000000002.snap"]);
      await write(disk, 9, ["new"], ["0000000000000002.snap", older]);
      await new Promise((resolve) => setImmediate(resolve));
      expect(disk.list().filter((name) => name.endsWith(".snap"))).toEqual([older, newest]);
      return disk;
    };
    const alter = (disk: MemoryDisk, name: string): void => {
      const bytes = disk.read(name, 0, disk.size(name));
      bytes[bytes.length - 2]! ^= 1;
      disk.truncate(name, 0);
      disk.append(name, bytes, true, () => {});
    };
    const recovered = (disk: MemoryDisk): { readonly pieces: readonly string[]; readonly found: Recovered } => {
      const pieces: string[] = [];
      const found = recover(
        disk,
        directory,
        (piece) => pieces.push(piece),
        () => pieces.splice(0),
      );
      return { pieces, found };
    };
    const one = await twice();
    alter(one, newest);
    expect(() => recover(one, directory, () => {})).toThrow(CorruptLogError);
    const { pieces, found } = recovered(one);
    expect(pieces).toEqual(["old"]);
    expect(found).toMatchObject({ damaged: [newest], snapshotNames: [older], snapshot: placeOf(5) });
    expect(found.entries.map(({ index }) => index)).toEqual([6, 7, 8, 9, 10, 11, 12]);
    const both = await twice();
    for (const name of [older, newest]) alter(both, name);
    expect(() => recovered(both)).toThrow(/0000000000000009\.snap/);
    // The log ends before the place of the snapshot that is damaged: what was acknowledged up to there is lost.
    const short = await filled(7);
    await write(short, 5, ["old"]);
    await write(short, 9, ["new"], [older]);
    alter(short, newest);
    expect(() => recovered(short)).toThrow(/does not lead/);
  });

  it("from elsewhere begin the log anew: what it held before is no part of it, wherever the process ended", async () => {
    const began = async (): Promise<MemoryDisk> => {
      const disk = await filled(10);
      await new Promise((resolve) => storeOn(disk).write(placeOf(8, 5), () => null, resolve));
      return disk;
    };
    // Ended between the snapshot and the log's new beginning: entry 8 is of another term than the snapshot's.
    const cut = await began();
    expect(open(cut).recovered).toMatchObject({ entries: [], snapshot: { index: 8, term: 5 }, hardState: { term: 5, vote: 0 } });
    const whole = await began();
    const { wal } = open(whole);
    await new Promise<void>((resolve) => wal.append([], { term: 6, vote: 0, commit: 8 }, resolve, { index: 8, term: 5 }));
    expect(open(whole).recovered.entries).toEqual([]);
    await append(wal, { ...entry(9), term: 6 });
    expect(open(whole).recovered.entries).toEqual([{ ...entry(9), term: 6 }]);
    // After a log that ended before it there is a gap, and it is no damage.
    const short = await filled(3);
    await new Promise((resolve) => storeOn(short).write(placeOf(8, 5), () => null, resolve));
    const next = open(short).wal;
    await new Promise<void>((resolve) => next.append([entry(9)], null, resolve, { index: 8, term: 5 }));
    expect(open(short).recovered.entries).toEqual([entry(9)]);
  });

  it("are read a piece at a time while newer ones come, and go once nobody reads them", async () => {
    const disk = memoryDisk();
    const store = storeOn(disk);
    const written = (index: number, ...pieces: string[]): Promise<number> =>
      new Promise((resolve) => store.write(placeOf(index), () => pieces.shift() ?? null, resolve));
    await written(5, "one", "two");
    const reading = store.open();
    const next = (): Promise<string | null> =>
      new Promise((resolve, reject) => reading.next((error, piece) => (error === null ? resolve(piece) : reject(error))));
    expect(await next()).toBe("one");
    await written(9, "three");
    await written(12, "four");
    expect([store.newest?.index, store.oldestRead, disk.list().length]).toEqual([12, 5, 3]);
    expect([await next(), await next()]).toEqual(["two", null]);
    reading.close();
    expect([store.oldestRead, disk.list()]).toEqual([Number.POSITIVE_INFINITY, ["0000000000000009.snap", "0000000000000012.snap"]]);
    expect(store.oldestKept).toBe(9);
  });

  it("replace older ones, apart from the newest two", async () => {
    const disk = await filled(10);
    await write(disk, 5, ["old"]);
    await write(disk, 7, ["newer"], ["0000000000000005.snap"]);
    await write(disk, 9, ["newest"], ["0000000000000005.snap", "0000000000000007.snap"]);
    expect(disk.list().filter((name) => name.endsWith(".snap"))).toEqual(["0000000000000007.snap", "0000000000000009.snap"]);
  });

  it("are refused where a byte is wrong or the end is missing", async () => {
    const name = "0000000000000005.snap";
    const size = await filled(10).then(async (disk) => {
      await write(disk, 5, ["piece one", "piece two"]);
      return disk.size(name);
    });
    for (let at = 0; at < size; at += 3) {
      const disk = await filled(10);
      await write(disk, 5, ["piece one", "piece two"]);
      damage(disk, name, (bytes) => bytes.map((byte, position) => (position === at ? byte ^ 1 : byte)));
      expect(() => open(disk)).toThrow(CorruptLogError);
      disk.truncate(name, at);
      expect(() => open(disk)).toThrow(CorruptLogError);
    }
  });
});
