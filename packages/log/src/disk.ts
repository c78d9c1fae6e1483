/**
 * The port to a data directory: flat files that only ever grow at their end.
 *
 * Contract (test/contracts/disk): the synchronous calls are for start-up alone; the others never block the loop and
 * call back once, later, never from within the call. `append` calls on one file happen in order. When a synced append has called
 * back without an error, its bytes, all before them in that file, and the file's own existence survive a power cut. A file that
 * is grown by `commit` may end in zeros that nobody added: the next `commit` writes over them, and readers of the file have to
 * tell them from what was added. After an error the state of the file is unknown: the owner must end, not retry.
 */
export type Done = (error: Error | null) => void;

export interface Disk {
  /**
   * The UTF-8 of well-formed texts, one after the other, as bytes that nobody else has.
   * @param headBytes room before them, for the caller to fill in
   */
  encode(texts: readonly string[], headBytes?: number): Uint8Array;
  /** The text of UTF-8. */
  decode(bytes: Uint8Array): string;
  /** CRC-32 (IEEE 802.3) of the bytes. */
  crc32(bytes: Uint8Array): number;
  /** The bytes as base64. */
  base64(bytes: Uint8Array): string;

  /** Start-up: the names of all files, sorted. */
  list(): readonly string[];
  /** Start-up: bytes of a file. */
  size(name: string): number;
  /** Start-up: up to `length` bytes from `offset`; fewer only at the end of the file. */
  read(name: string, offset: number, length: number): Uint8Array;
  /** Start-up: cuts a file, durably. */
  truncate(name: string, bytes: number): void;

  /** Adds bytes at the end of a file, which comes into being with the first; `isSynced` asks for durability. */
  append(name: string, bytes: Uint8Array, isSynced: boolean, done: Done): void;
  /**
   * Adds bytes at the end of a file and makes them durable, as fast as the disk can: it may put zeros after them, so that the
   * next bytes change nothing but themselves. A file is grown by `commit` or by `append`, never by both, and by one commit at a time: its
   * owner waits for each, as the zeros of one could else come after the bytes of the next.
   */
  commit(name: string, bytes: Uint8Array, done: Done): void;
  /** As `read`, without holding the loop. */
  readLater(name: string, offset: number, length: number, done: (error: Error | null, bytes: Uint8Array) => void): void;
  /** Renames a file durably, over an older one of that name. */
  rename(from: string, to: string, done: Done): void;
  /** Removes a file; not necessarily durably. */
  remove(name: string, done: Done): void;
}
