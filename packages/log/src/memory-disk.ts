/**
 * A disk in memory, with the contract of a real one: appends become durable when they are synced, and `crash` loses the
 * rest. It knows neither time nor the host: the caller says how a callback is deferred.
 */
import type { Disk, Done } from "./disk.ts";

/** What this disk can't do without its host. */
export interface MemoryDiskPorts {
  encode(text: string): Uint8Array;
  decode(bytes: Uint8Array): string;
  /** Calls `run` later, in the order of the calls. */
  defer(run: () => void): void;
}

export class MemoryDisk implements Disk {
  readonly #ports: MemoryDiskPorts;
  readonly #files: Map<string, { bytes: Uint8Array; durable: number }> = new Map();

  constructor(ports: MemoryDiskPorts) {
    this.#ports = ports;
  }

  encode(text: string): Uint8Array {
    return this.#ports.encode(text);
  }

  decode(bytes: Uint8Array): string {
    return this.#ports.decode(bytes);
  }

  crc32(bytes: Uint8Array): number {
    let crc = 0xffffffff;
    for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 0xff]!;
    return (crc ^ 0xffffffff) >>> 0;
  }

  list(): readonly string[] {
    return [...this.#files.keys()].sort();
  }

  size(name: string): number {
    return this.#file(name).bytes.length;
  }

  read(name: string, offset: number, length: number): Uint8Array {
    return this.#file(name).bytes.slice(offset, offset + length);
  }

  truncate(name: string, bytes: number): void {
    this.#files.set(name, { bytes: this.#file(name).bytes.slice(0, bytes), durable: bytes });
  }

  append(name: string, bytes: Uint8Array, isSynced: boolean, done: Done): void {
    const file = this.#files.get(name) ?? { bytes: new Uint8Array(), durable: 0 };
    const length = file.bytes.length + bytes.length;
    const grown = new Uint8Array(length);
    grown.set(file.bytes);
    grown.set(bytes, file.bytes.length);
    file.bytes = grown;
    this.#files.set(name, file);
    this.#ports.defer(() => {
      if (isSynced) file.durable = Math.max(file.durable, length);
      done(null);
    });
  }

  readLater(name: string, offset: number, length: number, done: (error: Error | null, bytes: Uint8Array) => void): void {
    const file = this.#files.get(name);
    this.#ports.defer(() =>
      file === undefined ? done(new Error(`no file ${name}`), new Uint8Array()) : done(null, file.bytes.slice(offset, offset + length)),
    );
  }

  rename(from: string, to: string, done: Done): void {
    this.#files.set(to, this.#file(from));
    this.#files.delete(from);
    this.#ports.defer(() => done(null));
  }

  remove(name: string, done: Done): void {
    this.#files.delete(name);
    this.#ports.defer(() => done(null));
  }

  /** A power cut: all that was not durable is lost. */
  crash(): void {
    for (const [name, { bytes, durable }] of this.#files) {
      if (durable === 0) this.#files.delete(name);
      else this.#files.set(name, { bytes: bytes.slice(0, durable), durable });
    }
  }

  #file(name: string): { bytes: Uint8Array; durable: number } {
    const file = this.#files.get(name);
    if (file === undefined) throw new Error(`no file ${name}`);
    return file;
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
