/**
 * One record: a head of 12 bytes (mark and format, length, CRC-32), then the payload, which is UTF-8 text.
 *
 * Invariants: the CRC covers the length and the payload; the mark begins with U+0000, which JSON text never holds, so
 * no payload contains what looks like a record. Reading never throws: a record is whole, or the bytes end, or they are
 * bad, and what that means is for recovery to say.
 */
import type { Disk } from "./disk.ts";

/** Third byte: the format version of every file of the log. */
export const recordFormat = 1;
const mark = [0x00, 0xc0, recordFormat, 0x95] as const;
export const headBytes = 12;
/** Bytes of one record's payload: more than any entry, less than would make reading one a risk. */
export const payloadBytesMax = 268_435_456;

/**
 * @param payload in parts, so that large ones need not be joined before they are bytes
 * @throws Error where the payload is empty, or larger than what is ever read back: better no record than one that is lost
 */
export function encodeRecord(disk: Pick<Disk, "encode" | "crc32">, payload: readonly string[]): Uint8Array {
  const bytes = disk.encode(payload, headBytes);
  const length = bytes.length - headBytes;
  if (length === 0) throw new Error("a record is never empty");
  if (length > payloadBytesMax) throw new Error(`a record of ${length} bytes exceeds the limit of ${payloadBytesMax} bytes`);
  bytes.set(mark);
  const head = new DataView(bytes.buffer, bytes.byteOffset, headBytes);
  head.setUint32(4, length);
  head.setUint32(8, checksum(disk, bytes, length));
  return bytes;
}

function checksum(disk: Pick<Disk, "crc32">, record: Uint8Array, length: number): number {
  return (disk.crc32(record.subarray(headBytes, headBytes + length)) ^ Math.imul(length, 0x9e3779b1)) >>> 0;
}

export type ReadRecord =
  | { readonly kind: "whole"; readonly payload: string; readonly next: number }
  /** No byte is left. */
  | { readonly kind: "end" }
  | { readonly kind: "bad" };

/** Reads the record at `offset` of a file of which `bytes` is the whole content. */
export function readRecord(disk: Disk, bytes: Uint8Array, offset: number): ReadRecord {
  if (offset === bytes.length) return { kind: "end" };
  if (offset + headBytes > bytes.length || !mark.every((byte, at) => bytes[offset + at] === byte)) return { kind: "bad" };
  const head = new DataView(bytes.buffer, bytes.byteOffset + offset, headBytes);
  const length = head.getUint32(4);
  // No record is empty: a torn mark with room after it looks like one.
  if (length === 0 || length > payloadBytesMax || offset + headBytes + length > bytes.length) return { kind: "bad" };
  const record = bytes.subarray(offset, offset + headBytes + length);
  if (checksum(disk, record, length) !== head.getUint32(8)) return { kind: "bad" };
  return { kind: "whole", payload: disk.decode(record.subarray(headBytes)), next: offset + headBytes + length };
}

/** The offset of the first whole record after `offset`, or -1. */
export function findRecord(disk: Disk, bytes: Uint8Array, offset: number): number {
  for (let at = bytes.indexOf(mark[0], offset); at >= 0; at = bytes.indexOf(mark[0], at + 1)) {
    if (bytes[at + 1] === mark[1] && readRecord(disk, bytes, at).kind === "whole") return at;
  }
  return -1;
}
