/** The disk contract on each disk there is. */
import type { MemoryDisk } from "@copse/log";
import { FileDisk } from "@copse/server";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/hub.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { diskContract } from "./disk.ts";

describe("the disk in memory", () => diskContract(memoryDisk));
describe("the real disk", () => diskContract(() => new FileDisk(temporaryFolder("disk"))));

describe("a crash of the disk in memory", () => {
  it("loses what was not synced, and nothing else", async () => {
    const disk: MemoryDisk = memoryDisk();
    const append = (text: string, isSynced: boolean): Promise<void> =>
      new Promise((resolve) => disk.append("a", disk.encode(text), isSynced, () => resolve()));
    await append("kept", true);
    await append("lost", false);
    disk.crash();
    expect(disk.decode(disk.read("a", 0, 100))).toBe("kept");
  });
});
