/**
 * A snapshot that is read while it is made, and never stands on a disk.
 *
 * Its bytes are those of the file that a disk would hold. Invariant: it only goes forward, by pieces or by bytes, and no more than one piece
 * and what was asked for is in memory.
 */
import type { Disk } from "./disk.ts";
import { encodeRecord } from "./record.ts";
import { type SnapshotPlace, type SnapshotReading, snapshotHead } from "./snapshot-store.ts";

export interface LiveReadingOptions {
  readonly codec: Pick<Disk, "encode" | "crc32" | "base64">;
  readonly directory: string;
  readonly place: SnapshotPlace;
  /** Gives the next piece of text, or null after the last. */
  readonly nextPiece: () => string | null;
  /** Nobody asks for another piece. */
  readonly release: () => void;
}

export class LiveReading implements SnapshotReading {
  readonly #options: LiveReadingOptions;
  /** Records that were made and not read yet, and where the first of their bytes stands in the file. */
  #made: Uint8Array[] = [];
  #offset = 0;
  #length = 0;
  #pieces = 0;
  #isWhole = false;
  #isClosed = false;

  constructor(options: LiveReadingOptions) {
    this.#options = options;
    this.#add(snapshotHead(options.directory, options.place));
  }

  get place(): SnapshotPlace {
    return this.#options.place;
  }

  next(done: (error: Error | null, piece: string | null) => void): void {
    done(null, this.#isClosed ? null : this.#options.nextPiece());
  }

  /** @param offset the end of the bytes that were read last; to read bytes again, open another reading */
  bytes(offset: number, length: number, done: (error: Error | null, base64: string, count: number) => void): void {
    if (this.#isClosed || offset !== this.#offset) return done(new Error("the snapshot is read once, from its beginning"), "", 0);
    while (this.#length < length && !this.#isWhole) this.#make();
    const bytes = this.#take(Math.min(length, this.#length));
    done(null, this.#options.codec.base64(bytes), bytes.length);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.release();
  }

  #make(): void {
    const piece = this.#options.nextPiece();
    this.#isWhole = piece === null;
    this.#add(piece === null ? `Z${this.#pieces}` : `P${piece}`);
    this.#pieces++;
  }

  #add(payload: string): void {
    const record = encodeRecord(this.#options.codec, [payload]);
    this.#made.push(record);
    this.#length += record.length;
  }

  #take(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const first = this.#made.shift()!;
      const part = first.subarray(0, length - at);
      bytes.set(part, at);
      at += part.length;
      if (part.length < first.length) this.#made.unshift(first.subarray(part.length));
    }
    this.#length -= length;
    this.#offset += length;
    return bytes;
  }
}
