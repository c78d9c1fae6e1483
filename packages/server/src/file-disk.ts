/**
 * The Disk port over a real directory.
 *
 * Invariants: appends to one file are issued one after the other by their owner; a file's first synced append also makes
 * its name durable. Errors are handed on as they are: what to do about them is not decided here. Behind `close` nothing
 * begins and nobody is called back; what was under way ends before it resolves, so that the directory may go to another owner.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Disk, Done } from "@copse/log";

export class FileDisk implements Disk {
  readonly #directory: string;
  readonly #open: Map<string, { readonly fd: number; isNameDurable: boolean }> = new Map();
  #underWay = 0;
  #closed: (() => void) | null = null;

  constructor(directory: string) {
    this.#directory = directory;
  }

  encode(text: string): Uint8Array {
    return Buffer.from(text, "utf8");
  }

  decode(bytes: Uint8Array): string {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  }

  crc32(bytes: Uint8Array): number {
    return crc32(bytes);
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
    const fd = fs.openSync(this.#path(name), "r");
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
    const fd = fs.openSync(this.#path(name), "r+");
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
    let file = this.#open.get(name);
    if (file === undefined) {
      try {
        file = { fd: fs.openSync(this.#path(name), "a"), isNameDurable: false };
      } catch (error) {
        queueMicrotask(() => done(error as Error));
        return;
      }
      this.#open.set(name, file);
    }
    const opened = file;
    const synced: fs.NoParamCallback = (error) => {
      if (error !== null || opened.isNameDurable) return done(error);
      opened.isNameDurable = true;
      this.#syncDirectory(done);
    };
    writeAll(opened.fd, bytes, (error) => {
      if (error !== null || !isSynced) done(error);
      else fs.fdatasync(opened.fd, synced);
    });
  }

  readLater(name: string, offset: number, length: number, onDone: (error: Error | null, bytes: Uint8Array) => void): void {
    const done = this.#begin(onDone);
    if (done === null) return;
    const nothing = Buffer.alloc(0);
    fs.open(this.#path(name), "r", (failure, fd) => {
      if (failure !== null) return done(failure, nothing);
      const bytes = Buffer.allocUnsafe(length);
      const fill = (filled: number): void => {
        fs.read(fd, bytes, filled, length - filled, offset + filled, (error, count) => {
          if (error === null && count > 0 && filled + count < length) return fill(filled + count);
          fs.close(fd, () => done(error, bytes.subarray(0, filled + Math.max(0, count))));
        });
      };
      fill(0);
    });
  }

  rename(from: string, to: string, onDone: Done): void {
    const done = this.#begin(onDone);
    if (done === null) return;
    this.#close(from);
    fs.rename(this.#path(from), this.#path(to), (error) => (error === null ? this.#syncDirectory(done) : done(error)));
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

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #close(name: string): void {
    const file = this.#open.get(name);
    if (file === undefined) return;
    this.#open.delete(name);
    fs.closeSync(file.fd);
  }

  #syncDirectory(done: Done): void {
    syncDirectory(this.#directory, done);
  }
}

/** Makes the names in a directory durable. */
export function syncDirectory(directory: string, done: Done): void {
  fs.open(directory, "r", (failure, fd) => {
    if (failure !== null) return done(failure);
    fs.fsync(fd, (error) => fs.close(fd, () => done(error)));
  });
}

function writeAll(fd: number, bytes: Uint8Array, done: Done): void {
  fs.write(fd, bytes, 0, bytes.length, null, (error, written) => {
    if (error !== null) done(error);
    else if (written < bytes.length) writeAll(fd, bytes.subarray(written), done);
    else done(null);
  });
}
