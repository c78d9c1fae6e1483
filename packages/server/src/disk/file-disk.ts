/**
 * The Disk port over a real directory.
 *
 * A commit is one write on a descriptor opened with O_DSYNC: one trip through the thread pool, and no write that a missing sync
 * could leave. Where it is small and would make the file longer it brings zeros along, because a write inside a
 * file is durable without the file system's journal, in two thirds of the time.
 *
 * Invariants: what grows one file is issued one after the other by its owner; a file's first synced append also makes
 * its name durable. Errors are handed on as they are: what to do about them is not decided here. After `close` nothing
 * begins and nobody is called back; what was under way ends before it resolves, so that the directory may go to another owner.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Disk, Done } from "@copse/log";
import { textOf } from "../clients/text-of.ts";
import { SpareFiles } from "./spare-files.ts";

interface OpenFile {
  readonly fd: number;
  isNameDurable: boolean;
  /** Bytes that were added, and bytes that the file has: the zeros between are room for commits. */
  length: number;
  allocated: number;
}

/** Commits up to this size bring room along: larger ones are bound by the disk, not by the journal. */
const smallBytesMax = 8_192;
/** Bytes of the longest character: with so many left over, what was written was not cut off. */
const longestBytes = 4;
const room: Uint8Array = new Uint8Array(65_536);
const committing: number = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_DSYNC;

export class FileDisk implements Disk {
  readonly #directory: string;
  readonly #spare: SpareFiles;
  readonly #open: Map<string, OpenFile> = new Map();
  #underWay = 0;
  #closed: (() => void) | null = null;

  constructor(directory: string) {
    this.#directory = directory;
    this.#spare = new SpareFiles(directory);
  }

  /** Most is ASCII: it is written where so much has room, and only what turns out to need more is measured first. */
  encode(texts: readonly string[], headBytes = 0): Uint8Array {
    const units = texts.reduce((sum, { length }) => sum + length, headBytes);
    const bytes = Buffer.allocUnsafeSlow(units + longestBytes);
    let at = headBytes;
    for (const text of texts) {
      const written = bytes.write(text, at, "utf8");
      at += written;
      if (written !== text.length) return encodeMeasured(texts, headBytes);
    }
    return bytes.subarray(0, at);
  }

  decode(bytes: Uint8Array): string {
    return textOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  crc32(bytes: Uint8Array): number {
    return crc32(bytes);
  }

  base64(bytes: Uint8Array): string {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  }

  list(): readonly string[] {
    return fs
      .readdirSync(this.#directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .sort();
  }

  size(name: string): number {
    return fs.statSync(this.#path(name)).size;
  }

  read(name: string, offset: number, length: number): Uint8Array {
    const fd = this.#spare.open(this.#path(name), "r");
    try {
      const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, fs.fstatSync(fd).size - offset)));
      let filled = 0;
      while (filled < bytes.length) {
        const count = fs.readSync(fd, bytes, filled, bytes.length - filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    } finally {
      fs.closeSync(fd);
    }
  }

  truncate(name: string, bytes: number): void {
    const fd = this.#spare.open(this.#path(name), "r+");
    try {
      fs.ftruncateSync(fd, bytes);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  append(name: string, bytes: Uint8Array, isSynced: boolean, onDone: Done): void {
    const done = this.#begin(onDone);
    if (done === null) return;
    const file = this.#opened(name, "a", done);
    if (file === null) return;
    writeAll(file.fd, bytes, null, (error) => {
      if (error !== null || !isSynced) done(error);
      else fs.fdatasync(file.fd, (failure) => this.#synced(file, failure, done));
    });
  }

  commit(name: string, bytes: Uint8Array, onDone: Done): void {
    const done = this.#begin(onDone);
    if (done === null) return;
    const file = this.#opened(name, committing, done);
    if (file === null) return;
    const at = file.length;
    file.length += bytes.length;
    const isGrowing = file.length > file.allocated;
    const padded = isGrowing && bytes.length <= smallBytesMax ? Buffer.concat([bytes, room]) : bytes;
    file.allocated = Math.max(file.allocated, at + padded.length);
    writeAll(file.fd, padded, at, (error) => this.#synced(file, error, done));
  }

  readLater(name: string, offset: number, length: number, onDone: (error: Error | null, bytes: Uint8Array) => void): void {
    const done = this.#begin(onDone);
    if (done === null) return;
    const nothing = Buffer.alloc(0);
    let fd: number;
    try {
      fd = this.#spare.open(this.#path(name), "r");
    } catch (error) {
      return queueMicrotask(() => done(error as Error, nothing));
    }
    const bytes = Buffer.allocUnsafe(length);
    const fill = (filled: number): void => {
      fs.read(fd, bytes, filled, length - filled, offset + filled, (error, count) => {
        if (error === null && count > 0 && filled + count < length) return fill(filled + count);
        fs.close(fd, () => done(error, bytes.subarray(0, filled + Math.max(0, count))));
      });
    };
    fill(0);
  }

  rename(from: string, to: string, onDone: Done): void {
    const done = this.#begin(onDone);
    if (done === null) return;
    this.#close(from);
    fs.rename(this.#path(from), this.#path(to), (error) =>
      error === null ? syncDirectory(this.#directory, this.#spare, done) : done(error),
    );
  }

  remove(name: string, onDone: Done): void {
    const done = this.#begin(onDone);
    if (done === null) return;
    this.#close(name);
    fs.unlink(this.#path(name), (error) => done(error !== null && error.code === "ENOENT" ? null : error));
  }

  /** Closes every file, at the end, as soon as nothing is under way. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      if (this.#underWay === 0) resolve();
    });
    for (const name of [...this.#open.keys()]) this.#close(name);
    this.#spare.close();
  }

  /** What an operation is to call at its end, or null where none may begin any more. */
  #begin<Results extends unknown[]>(onDone: (...results: Results) => void): ((...results: Results) => void) | null {
    if (this.#closed !== null) return null;
    this.#underWay++;
    return (...results) => {
      this.#underWay--;
      if (this.#closed === null) return onDone(...results);
      if (this.#underWay === 0) this.#closed();
    };
  }

  /** The file, open, or null where it can't be: then `done` hears why. */
  #opened(name: string, flags: string | number, done: Done): OpenFile | null {
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    try {
      const fd = this.#spare.open(this.#path(name), flags, 0o600);
      const { size } = fs.fstatSync(fd);
      const file = { fd, isNameDurable: false, length: size, allocated: size };
      this.#open.set(name, file);
      return file;
    } catch (error) {
      queueMicrotask(() => done(error as Error));
      return null;
    }
  }

  /** The bytes are durable; the first time, so has to be the name. */
  #synced(file: OpenFile, error: Error | null, done: Done): void {
    if (error !== null || file.isNameDurable) return done(error);
    file.isNameDurable = true;
    syncDirectory(this.#directory, this.#spare, done);
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #close(name: string): void {
    const file = this.#open.get(name);
    if (file === undefined) return;
    this.#open.delete(name);
    fs.closeSync(file.fd);
  }
}

/** As `encode`, for texts that are not ASCII. */
function encodeMeasured(texts: readonly string[], headBytes: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(texts.reduce((sum, text) => sum + Buffer.byteLength(text), headBytes));
  let at = headBytes;
  for (const text of texts) at += bytes.write(text, at, "utf8");
  return bytes;
}

/** Makes the names in a directory durable. */
function syncDirectory(directory: string, spare: SpareFiles, done: Done): void {
  let fd: number;
  try {
    fd = spare.open(directory, "r");
  } catch (error) {
    return queueMicrotask(() => done(error as Error));
  }
  fs.fsync(fd, (error) => fs.close(fd, () => done(error)));
}

/** `at` is an offset, or null for the end of a file opened to append. */
function writeAll(fd: number, bytes: Uint8Array, at: number | null, done: Done): void {
  fs.write(fd, bytes, 0, bytes.length, at, (error, written) => {
    if (error !== null) done(error);
    else if (written < bytes.length) writeAll(fd, bytes.subarray(written), at === null ? null : at + written, done);
    else done(null);
  });
}
