/** A disk that is only looked at: a torn tail stays, and so does what a start would remove. */
import type { Disk } from "./disk.ts";

/** @example const { entries, tornBytes } = recover(readOnly(disk), directory, () => {}); */
export function readOnly(disk: Disk): Disk {
  const refuse = (): never => {
    throw new Error("this disk is only read");
  };
  return {
    encode: (texts, headBytes) => disk.encode(texts, headBytes),
    decode: (bytes) => disk.decode(bytes),
    crc32: (bytes) => disk.crc32(bytes),
    base64: (bytes) => disk.base64(bytes),
    list: () => disk.list(),
    size: (name) => disk.size(name),
    read: (name, offset, length) => disk.read(name, offset, length),
    readLater: (name, offset, length, done) => disk.readLater(name, offset, length, done),
    truncate: () => {},
    remove: () => {},
    append: refuse,
    commit: refuse,
    rename: refuse,
  };
}
