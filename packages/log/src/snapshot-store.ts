/**
 * Snapshots: whole states as files, written a piece at a time and renamed into place when complete and durable.
 *
 * A snapshot `NNNN.snap` holds the state behind entry NNNN. Its first record is a head, its last an end that counts the
 * pieces; a file without its end is not a snapshot. Invariants: only one is written at a time; each piece is asked for when
 * the one before is written, so the loop is never held for longer than one piece takes; older snapshots go when a newer
 * one stands.
 */
import type { Disk } from "./disk.ts";
import { encodeRecord, headBytes, readRecord, recordFormat } from "./record.ts";

export interface SnapshotHead {
  readonly format: number;
  readonly directory: string;
  readonly index: number;
  readonly term: number;
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
  #isWriting = false;

  /** @param names the snapshots on disk; `onError` hears of a disk error once, and the owner has to end */
  constructor(disk: Disk, names: readonly string[], directory: string, onError: (error: Error) => void) {
    this.#disk = disk;
    this.#names = [...names];
    this.#directory = directory;
    this.#onError = onError;
  }

  get isWriting(): boolean {
    return this.#isWriting;
  }

  /**
   * Writes the snapshot of the state behind entry `index`.
   * @param nextPiece gives the next piece of text, or null behind the last
   * @param done called with the snapshot's bytes once it stands durably and older ones are being removed
   */
  write(index: number, term: number, nextPiece: () => string | null, done: (bytes: number) => void): void {
    if (this.#isWriting) throw new Error("a snapshot is being written already");
    this.#isWriting = true;
    const name = snapshotName(index);
    const temporary = name + temporarySuffix;
    const head: SnapshotHead = { format: recordFormat, directory: this.#directory, index, term };
    let pieces = 0;
    let written = 0;
    const append = (payload: string, isSynced: boolean, next: () => void): void => {
      let bytes: Uint8Array;
      try {
        bytes = encodeRecord(this.#disk, payload);
      } catch (error) {
        return this.#onError(error as Error);
      }
      written += bytes.length;
      this.#disk.append(temporary, bytes, isSynced, (error) => (error === null ? next() : this.#onError(error)));
    };
    const step = (): void => {
      const piece = nextPiece();
      if (piece !== null) {
        pieces++;
        append(`P${piece}`, false, step);
      } else append(`Z${pieces}`, true, finish);
    };
    const finish = (): void => {
      this.#disk.rename(temporary, name, (error) => {
        if (error !== null) return this.#onError(error);
        this.#isWriting = false;
        for (const older of this.#names) this.#disk.remove(older, (failure) => failure !== null && this.#onError(failure));
        this.#names = [name];
        done(written);
      });
    };
    append(`A${JSON.stringify(head)}`, false, step);
  }
}

/**
 * Reads a snapshot from disk, at start-up.
 * @throws Error saying what is wrong where the file is damaged, incomplete, or of another format or directory
 */
export function loadSnapshot(disk: Disk, name: string, directory: string, take: (piece: string) => void): SnapshotHead {
  const size = disk.size(name);
  let head: SnapshotHead | null = null;
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
    if (kind === "A") head = checkHead(JSON.parse(text) as SnapshotHead, name, directory);
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

function checkHead(head: SnapshotHead, name: string, directory: string): SnapshotHead {
  if (head.format !== recordFormat) throw new Error(`${name} has format ${head.format}; this build reads format ${recordFormat}`);
  if (head.directory !== directory) throw new Error(`${name} belongs to another data directory`);
  return head;
}
