/**
 * Snapshots: whole states as files, written a piece at a time and renamed into place when complete and durable.
 *
 * A snapshot `NNNN.snap` holds the state after entry NNNN. Its first record is a head, its last an end that counts the
 * pieces; a file without its end is not a snapshot. Invariants: each piece is asked for when the one before is written, so
 * the loop is never held for longer than one piece takes; the newest two stay, so that one
 * that is damaged has a fallback, and an older one goes when nobody reads it any more.
 */
import type { Configuration } from "@copse/raft";
import type { Disk } from "./disk.ts";
import { encodeRecord, headBytes, payloadBytesMax, readRecord, recordFormat } from "./record.ts";
import type { Place } from "./segment.ts";

export interface SnapshotRecord extends Place {
  readonly format: number;
  readonly directory: string;
  /** Who is a member after that entry; absent in the first files of format 1, which a single member wrote. */
  readonly configuration?: Configuration;
}

/** The first record of a file. */
export function snapshotHead(directory: string, { index, term, configuration }: SnapshotPlace): string {
  const head: SnapshotRecord = { format: recordFormat, directory, index, term, configuration };
  return `A${JSON.stringify(head)}`;
}

/** What a snapshot stands for. */
export interface SnapshotPlace extends Place {
  readonly configuration: Configuration;
}

const temporarySuffix = ".tmp";

export function snapshotName(index: number): string {
  return `${String(index).padStart(16, "0")}.snap`;
}

/** The index that a file name promises, or null where the file is no snapshot. */
export function snapshotIndex(name: string): number | null {
  return /^\d{16}\.snap$/.test(name) ? Number(name.slice(0, 16)) : null;
}

export function isTemporary(name: string): boolean {
  return name.endsWith(temporarySuffix);
}

export class SnapshotStore {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #onError: (error: Error) => void;
  #names: string[];
  #newest: SnapshotPlace | null;
  #isWriting = false;
  /** Readings under way, by file name. */
  readonly #readings: Map<string, number> = new Map();
  #files = 0;

  /**
   * @param names the snapshots on disk; `newest` is what the last of them stands for
   * @param onError hears of a disk error once, and the owner has to end
   */
  constructor(disk: Disk, names: readonly string[], newest: SnapshotPlace | null, directory: string, onError: (error: Error) => void) {
    this.#disk = disk;
    this.#names = [...names];
    this.#newest = newest;
    this.#directory = directory;
    this.#onError = onError;
  }

  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** What the newest durable snapshot stands for. */
  get newest(): SnapshotPlace | null {
    return this.#newest;
  }

  /** The lowest index that somebody reads a snapshot of: what follows it in the log is still wanted. */
  get oldestRead(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.#readings.keys()].map((name) => snapshotIndex(name)!));
  }

  /**
   * Writes the snapshot of a state, one at a time.
   * @param nextPiece gives the next piece of text, or null after the last
   * @param done called with the snapshot's bytes once it stands durably and older ones are being removed
   */
  write(place: SnapshotPlace, nextPiece: () => string | null, done: (bytes: number) => void): void {
    if (this.#isWriting) throw new Error("a snapshot is being written already");
    this.#isWriting = true;
    const file = this.create(place);
    let next = nextPiece();
    const step = (): void => {
      if (next !== null) {
        file.add(next, step);
        // While that one is being written.
        next = nextPiece();
        return;
      }
      file.finish((bytes) => {
        this.#isWriting = false;
        done(bytes);
      });
    };
    step();
  }

  /** Begins a snapshot whose pieces come from elsewhere. */
  create(place: SnapshotPlace): SnapshotFile {
    const { index } = place;
    const head = snapshotHead(this.#directory, place);
    // Two files of one index may be under way: one's own, and one that a leader sends.
    const temporary = `${snapshotName(index)}.${++this.#files}${temporarySuffix}`;
    return new SnapshotFile(this.#disk, temporary, head, this.#onError, (written, done) => {
      this.#disk.rename(temporary, snapshotName(index), (error) => {
        if (error !== null) return this.#onError(error);
        if (!this.#names.includes(snapshotName(index))) this.#names.push(snapshotName(index));
        if (this.#newest === null || index >= this.#newest.index) this.#newest = place;
        this.#removeOlder();
        done(written);
      });
    });
  }

  /** Opens the newest snapshot to be read while newer ones may come. The caller closes it. */
  open(): StoredReading {
    const place = this.#newest;
    if (place === null) throw new Error("there is no snapshot yet");
    const name = snapshotName(place.index);
    this.#readings.set(name, (this.#readings.get(name) ?? 0) + 1);
    return new StoredReading(this.#disk, name, place, () => {
      const left = this.#readings.get(name)! - 1;
      if (left > 0) this.#readings.set(name, left);
      else this.#readings.delete(name);
      this.#removeOlder();
    });
  }

  /** The lowest index of a snapshot that stays: what follows it in the log leads to the newest state, should the newest snapshot be damaged. */
  get oldestKept(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#names.map((name) => snapshotIndex(name)!));
  }

  #removeOlder(): void {
    const newest = this.#newest?.index ?? 0;
    const [fallback] = this.#names
      .filter((name) => snapshotIndex(name)! < newest)
      .sort()
      .slice(-1);
    const isKept = (name: string): boolean => snapshotIndex(name)! >= newest || name === fallback || this.#readings.has(name);
    for (const name of this.#names.filter((held) => !isKept(held))) {
      this.#disk.remove(name, (failure) => failure !== null && this.#onError(failure));
    }
    this.#names = this.#names.filter(isKept);
  }
}

/** Bytes after which a snapshot is synced: all at once, at its end, they would hold up the log's own syncs. */
const syncedBytes = 4_194_304;

/** A snapshot under construction. One call at a time: the next piece goes in when the one before is written. */
export class SnapshotFile {
  readonly #disk: Disk;
  readonly #name: string;
  readonly #onError: (error: Error) => void;
  readonly #place: (bytes: number, done: (bytes: number) => void) => void;
  #head: string | null;
  #pieces = 0;
  #bytes = 0;
  #syncedBytes = 0;

  constructor(
    disk: Disk,
    name: string,
    head: string,
    onError: (error: Error) => void,
    place: (bytes: number, done: (bytes: number) => void) => void,
  ) {
    this.#disk = disk;
    this.#name = name;
    this.#head = head;
    this.#onError = onError;
    this.#place = place;
  }

  add(piece: string, done: () => void): void {
    this.#pieces++;
    const isSynced = this.#bytes - this.#syncedBytes >= syncedBytes;
    if (isSynced) this.#syncedBytes = this.#bytes;
    this.#append(`P${piece}`, isSynced, done);
  }

  /** Puts the whole file durably into place; `done` gets its bytes. */
  finish(done: (bytes: number) => void): void {
    this.#append(`Z${this.#pieces}`, true, () => this.#place(this.#bytes, done));
  }

  /** It will not be finished. */
  abandon(): void {
    this.#disk.remove(this.#name, () => {}); // Nothing depends on it, and the next start removes what is left.
  }

  #append(payload: string, isSynced: boolean, next: () => void): void {
    let bytes: Uint8Array;
    try {
      const record = encodeRecord(this.#disk, [payload]);
      bytes = this.#head === null ? record : joined(encodeRecord(this.#disk, [this.#head]), record);
    } catch (error) {
      return this.#onError(error as Error);
    }
    this.#head = null;
    this.#bytes += bytes.length;
    this.#disk.append(this.#name, bytes, isSynced, (error) => (error === null ? next() : this.#onError(error)));
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

/** The pieces of a snapshot, read one after the other without holding the loop. */
export interface SnapshotReading {
  readonly place: SnapshotPlace;
  /** Reads bytes of the file as they are, as base64; fewer than `length` only at its end. An error means that the file is damaged or gone. */
  bytes(offset: number, length: number, done: (error: Error | null, base64: string, count: number) => void): void;
  /** Reads the next piece; null after the last. An error means that the file is damaged or gone. */
  next(done: (error: Error | null, piece: string | null) => void): void;
  close(): void;
}

/** A snapshot on disk. */
class StoredReading implements SnapshotReading {
  readonly place: SnapshotPlace;
  readonly #disk: Disk;
  readonly #name: string;
  readonly #release: () => void;
  #offset = 0;
  #isClosed = false;

  constructor(disk: Disk, name: string, place: SnapshotPlace, release: () => void) {
    this.#disk = disk;
    this.#name = name;
    this.place = place;
    this.#release = release;
  }

  bytes(offset: number, length: number, done: (error: Error | null, base64: string, count: number) => void): void {
    this.#disk.readLater(this.#name, offset, length, (error, bytes) => {
      if (!this.#isClosed) done(error, this.#disk.base64(bytes), bytes.length);
    });
  }

  next(done: (error: Error | null, piece: string | null) => void): void {
    this.#disk.readLater(this.#name, this.#offset, headBytes, (failure, head) => {
      if (this.#isClosed) return;
      if (failure !== null || head.length < headBytes) return done(failure ?? new Error(`${this.#name} ends too soon`), null);
      const length = new DataView(head.buffer, head.byteOffset, headBytes).getUint32(4);
      if (length > payloadBytesMax) return done(new Error(`${this.#name} is damaged`), null);
      this.#disk.readLater(this.#name, this.#offset, headBytes + length, (error, bytes) => {
        if (this.#isClosed) return;
        if (error !== null) return done(error, null);
        const read = readRecord(this.#disk, bytes, 0);
        if (read.kind !== "whole") return done(new Error(`${this.#name} is damaged`), null);
        this.#offset += read.next;
        const kind = read.payload[0];
        if (kind === "A") this.next(done);
        else done(null, kind === "P" ? read.payload.slice(1) : null);
      });
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
  }
}

/**
 * Reads a snapshot from disk, at start-up.
 * @param directory whose it has to be; null for a copy that is no directory's
 * @throws Error saying what is wrong where the file is damaged, incomplete, or of another format or directory
 */
export function loadSnapshot(disk: Disk, name: string, directory: string | null, take: (piece: string) => void): SnapshotRecord {
  const size = disk.size(name);
  let head: SnapshotRecord | null = null;
  let pieces = 0;
  let isComplete = false;
  for (let offset = 0; offset < size; ) {
    const length = new DataView(copy(disk.read(name, offset, headBytes)).buffer);
    if (length.byteLength < headBytes) break;
    const record = disk.read(name, offset, headBytes + length.getUint32(4));
    const read = readRecord(disk, record, 0);
    if (read.kind !== "whole") break;
    offset += read.next;
    const [kind, text] = [read.payload[0], read.payload.slice(1)];
    if (kind === "A") head = checkHead(JSON.parse(text) as SnapshotRecord, name, directory);
    else if (kind === "P") {
      pieces++;
      take(text);
    } else isComplete = kind === "Z" && Number(text) === pieces && offset === size;
  }
  if (head === null || !isComplete) throw new Error(`${name} is damaged: the state it holds can't be trusted`);
  return head;
}

function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function checkHead(head: SnapshotRecord, name: string, directory: string | null): SnapshotRecord {
  if (head.format !== recordFormat) throw new Error(`${name} has format ${head.format}; this build reads format ${recordFormat}`);
  if (directory !== null && head.directory !== directory) throw new Error(`${name} belongs to another data directory`);
  return head;
}
