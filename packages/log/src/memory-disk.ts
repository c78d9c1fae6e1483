/**
 * A disk in memory, with the contract of a real one: appends become durable when they are synced, and `crash` loses the
 * rest. It knows neither time nor the host: the caller says how a callback is deferred.
 */
import type { Disk, Done } from "./disk.ts";

/** What this disk can't do without its host. */
export interface MemoryDiskPorts {
  encode(text: string): Uint8Array;
  decode(bytes: Uint8Array): string;
  base64(bytes: Uint8Array): string;
  /** Calls `run` later, in the order of the calls. */
  defer(run: () => void): void;
}

interface File {
  readonly bytes: Uint8Array;
  /** How many bytes survive a power cut. */
  durable: number;
  /** Zeros that are read after the bytes. */
  readonly room: number;
}

/** Zeros after what was committed: a few, so that tests meet them everywhere. */
const roomBytes = 24;

export class MemoryDisk implements Disk {
  readonly #ports: MemoryDiskPorts;
  readonly #files: Map<string, File> = new Map();

  constructor(ports: MemoryDiskPorts) {
    this.#ports = ports;
  }

  encode(texts: readonly string[], headBytes = 0): Uint8Array {
    const body = this.#ports.encode(texts.join(""));
    const bytes = new Uint8Array(headBytes + body.length);
    bytes.set(body, headBytes);
    return bytes;
  }

  decode(bytes: Uint8Array): string {
    return this.#ports.decode(bytes);
  }

  base64(bytes: Uint8Array): string {
    return this.#ports.base64(bytes);
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
    const { bytes, room } = this.#file(name);
    return bytes.length + room;
  }

  read(name: string, offset: number, length: number): Uint8Array {
    const { bytes, room } = this.#file(name);
    const whole = new Uint8Array(bytes.length + room);
    whole.set(bytes);
    return whole.slice(offset, offset + length);
  }

  truncate(name: string, bytes: number): void {
    this.#files.set(name, { bytes: this.read(name, 0, bytes), durable: bytes, room: 0 });
  }

  append(name: string, bytes: Uint8Array, isSynced: boolean, done: Done): void {
    this.#grow(name, bytes, isSynced, 0, done);
  }

  commit(name: string, bytes: Uint8Array, done: Done): void {
    this.#grow(name, bytes, true, roomBytes, done);
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
    for (const [name, { bytes, durable, room }] of this.#files) {
      if (durable === 0) this.#files.delete(name);
      else this.#files.set(name, { bytes: bytes.slice(0, durable), durable, room });
    }
  }

  #grow(name: string, bytes: Uint8Array, isSynced: boolean, room: number, done: Done): void {
    const before = this.#files.get(name) ?? { bytes: new Uint8Array(), durable: 0, room: 0 };
    const length = before.bytes.length + bytes.length;
    const grown = new Uint8Array(length);
    grown.set(before.bytes);
    grown.set(bytes, before.bytes.length);
    this.#files.set(name, { bytes: grown, durable: before.durable, room });
    this.#ports.defer(() => {
      const file = this.#files.get(name);
      if (isSynced && file !== undefined) file.durable = Math.max(file.durable, Math.min(length, file.bytes.length));
      done(null);
    });
  }

  #file(name: string): File {
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
