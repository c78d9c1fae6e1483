/** What every disk promises: run on the one in memory and on the real one. */
import type { Disk } from "@copse/log";
import { expect, it } from "vitest";

/** @param reopen the same files, as the next process finds them */
export function diskContract(open: () => Disk, reopen: (disk: Disk) => Disk): void {
  const append = (disk: Disk, name: string, text: string, isSynced = true): Promise<void> =>
    new Promise((resolve, reject) =>
      disk.append(name, disk.encode([text]), isSynced, (error) => (error === null ? resolve() : reject(error))),
    );
  const content = (disk: Disk, name: string): string => disk.decode(disk.read(name, 0, disk.size(name)));

  it("appends in order, and calls back later", async () => {
    const disk = open();
    let isLater = false;
    const first = new Promise<void>((resolve) => {
      disk.append("a.wal", disk.encode(["one "]), true, () => {
        expect(isLater).toBe(true);
        resolve();
      });
    });
    isLater = true;
    await first;
    await append(disk, "a.wal", "two ", false);
    await append(disk, "a.wal", "három");
    expect(content(disk, "a.wal")).toBe("one two három");
    expect(disk.size("a.wal")).toBe(14);
  });

  it("commits in order, with nothing but zeros after, and goes on where it was cut", async () => {
    const disk = open();
    const commit = (text: string): Promise<void> =>
      new Promise((resolve, reject) => disk.commit("a.wal", disk.encode([text]), (error) => (error === null ? resolve() : reject(error))));
    for (const text of ["one ", "x".repeat(20_000), " two ", "három"]) await commit(text);
    const whole = `one ${"x".repeat(20_000)} two három`;
    expect(content(disk, "a.wal").slice(0, whole.length)).toBe(whole);
    expect(content(disk, "a.wal").slice(whole.length)).toMatch(/^\0*$/);
    disk.truncate("a.wal", 8);
    const again = reopen(disk);
    await new Promise((resolve) => again.commit("a.wal", again.encode(["!"]), resolve));
    expect(content(again, "a.wal")).toMatch(/^one xxxx!\0*$/);
  });

  it("lists files sorted, reads parts, cuts, renames over, removes", async () => {
    const disk = open();
    for (const name of ["b", "a", "c"]) await append(disk, name, `content of ${name}`);
    expect(disk.list()).toEqual(["a", "b", "c"]);
    expect(disk.decode(disk.read("a", 8, 100))).toBe("of a");
    disk.truncate("a", 7);
    expect(content(disk, "a")).toBe("content");
    await append(disk, "a", "!");
    expect(content(disk, "a")).toBe("content!");
    await new Promise<void>((resolve) => disk.rename("a", "b", () => resolve()));
    expect([disk.list(), content(disk, "b")]).toEqual([["b", "c"], "content!"]);
    await new Promise<void>((resolve) => disk.remove("b", () => resolve()));
    expect(disk.list()).toEqual(["c"]);
  });

  it("encodes texts one after the other, whatever is in them, after the room that was asked for", () => {
    const disk = open();
    for (const texts of [["plain", "", "é"], ["é"], ["€uro", "plain"], ["😀"], ["x".repeat(9_000), "é"], []]) {
      const bytes = disk.encode(texts, 3);
      expect([bytes.length, disk.decode(bytes.subarray(3))]).toEqual([3 + Buffer.byteLength(texts.join("")), texts.join("")]);
    }
  });

  it("has a CRC-32 that is the standard's", () => {
    const disk = open();
    expect(disk.crc32(disk.encode(["123456789"]))).toBe(0xcbf43926);
    expect(disk.crc32(new Uint8Array())).toBe(0);
  });
}
