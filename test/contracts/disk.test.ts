/** The disk contract on each disk there is. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Disk, MemoryDisk } from "@copse/log";
import { FileDisk } from "@copse/server";
import { FaultDisk, World } from "@copse/testing/simulation";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/hub.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { diskContract } from "./disk.ts";

describe("the disk in memory", () => diskContract(memoryDisk, (disk) => disk));
describe("the disk that can fail", () => {
  const world = new World(1);
  world.onSchedule = () => setImmediate(() => void world.run(world.now + 1));
  const open = (): Disk => new FaultDisk(world, { latencyMsMax: 1, stalls: 0, errors: 0 });
  diskContract(open, (disk) => disk);
});
describe("the real disk", () => {
  let folder = "";
  diskContract(
    () => {
      folder = temporaryFolder("disk");
      return new FileDisk(folder);
    },
    () => new FileDisk(folder),
  );
});

describe("closing the real disk", () => {
  it("waits for what is under way, calls nobody back, and begins nothing more", async () => {
    const folder = temporaryFolder("disk");
    const disk = new FileDisk(folder);
    const called: string[] = [];
    disk.append("a", disk.encode(["whole"]), true, () => called.push("appended"));
    const closed = disk.close();
    disk.rename("a", "b", () => called.push("renamed"));
    await closed;
    expect([called, new FileDisk(folder).list()]).toEqual([[], ["a"]]);
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("whole");
  });
});

describe("a crash of the disk in memory", () => {
  it("loses what was not synced, and nothing else", async () => {
    const disk: MemoryDisk = memoryDisk();
    const append = (text: string, isSynced: boolean): Promise<void> =>
      new Promise((resolve) => disk.append("a", disk.encode([text]), isSynced, () => resolve()));
    await append("kept", true);
    await append("lost", false);
    disk.crash();
    expect(disk.decode(disk.read("a", 0, 100))).toBe("kept");
  });
});
