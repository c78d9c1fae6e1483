/**
 * A disk that keeps what it promised and nothing more: what was not synced when the power goes is torn or gone.
 *
 * The bytes are real, so a torn write is a torn record. Faults: slowness, a stall, an error at a sync, unsynced bytes of
 * which any part survives, unsynced renames undone.
 */

import { crc32 } from "node:zlib";
import type { Disk, Done } from "@copse/log";
import type { World } from "./world.ts";

/** Of a record of the log. */
const headBytes = 12;

interface File {
  bytes: Buffer;
  /** How many bytes survive a power cut. */
  durable: number;
  /** Zeros that are read after the bytes. */
  room: number;
}

/** Zeros after what was committed: a few, so that every seed meets them. */
const roomBytes = 24;

export interface DiskFaults {
  /** Milliseconds of a write and its sync, at most. */
  readonly latencyMsMax: number;
  /** Chance that an operation stalls for a second. */
  readonly stalls: number;
  /** Chance that an operation fails. */
  readonly errors: number;
}

export class FaultDisk implements Disk {
  readonly #world: World;
  #files: Map<string, File> = new Map();
  /** Renames that a power cut undoes. */
  #renames: { from: string; to: string; replaced: File | undefined }[] = [];
  /** Operations that were under way at the last power cut never call back. */
  #power = 0;
  /** When the last operation ends: they run one after the other. */
  #busyUntil = 0;
  faults: DiskFaults;

  constructor(world: World, faults: DiskFaults) {
    this.#world = world;
    this.faults = faults;
  }

  encode(texts: readonly string[], headBytes = 0): Uint8Array {
    return Buffer.concat([Buffer.alloc(headBytes), ...texts.map((text) => Buffer.from(text, "utf8"))]);
  }

  decode(bytes: Uint8Array): string {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  }

  crc32(bytes: Uint8Array): number {
    return crc32(bytes);
  }

  base64(bytes: Uint8Array): string {
    return Buffer.from(bytes).toString("base64");
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
    return Buffer.concat([bytes, Buffer.alloc(room)]).subarray(offset, offset + length);
  }

  truncate(name: string, bytes: number): void {
    this.#files.set(name, { bytes: this.#file(name).bytes.subarray(0, bytes), durable: bytes, room: 0 });
  }

  append(name: string, bytes: Uint8Array, isSynced: boolean, done: Done): void {
    this.#grow(name, bytes, isSynced, 0, done);
  }

  commit(name: string, bytes: Uint8Array, done: Done): void {
    this.#grow(name, bytes, true, roomBytes, done);
  }

  readLater(name: string, offset: number, length: number, done: (error: Error | null, bytes: Uint8Array) => void): void {
    const file = this.#files.get(name);
    this.#perform((error) => {
      const nothing = Buffer.alloc(0);
      if (error !== null || file === undefined) done(error ?? new Error(`no file ${name}`), nothing);
      else done(null, file.bytes.subarray(offset, offset + length));
    });
  }

  rename(from: string, to: string, done: Done): void {
    const rename = { from, to, replaced: this.#files.get(to) };
    this.#files.set(to, this.#file(from));
    this.#files.delete(from);
    this.#renames.push(rename);
    this.#perform((error) => {
      if (error === null) this.#renames = this.#renames.filter((other) => other !== rename);
      done(error);
    });
  }

  remove(name: string, done: Done): void {
    this.#files.delete(name);
    this.#perform(done);
  }

  /** Somebody takes the disk away and puts an empty one there. */
  wipe(): void {
    this.#files.clear();
    this.#renames = [];
  }

  /** The power goes: of what was not synced, any part may survive. */
  crash(): void {
    const { random } = this.#world;
    this.#power++;
    this.#busyUntil = this.#world.now;
    for (const { from, to, replaced } of this.#renames.splice(0).reverse()) {
      if (random.chance(0.5)) continue;
      const file = this.#files.get(to);
      this.#files.delete(to);
      if (file !== undefined) this.#files.set(from, file);
      if (replaced !== undefined) this.#files.set(to, replaced);
    }
    for (const [name, file] of this.#files) {
      const unsynced = file.bytes.length - file.durable;
      const kept = file.durable + (random.chance(0.5) ? random.below(unsynced + 1) : 0);
      if (kept === 0) this.#files.delete(name);
      else this.#files.set(name, { bytes: Buffer.from(file.bytes.subarray(0, kept)), durable: kept, room: file.room });
    }
  }

  /**
   * Flips a bit of what is durable, in the log alone, and never in its last whole record, which a torn one may follow: damage
   * there looks like a torn write, and no log can tell the two apart. False where there is nothing to flip.
   */
  rot(): boolean {
    const { random } = this.#world;
    const names = [...this.#files.keys()].filter((name) => name.endsWith(".wal")).sort();
    const name = names.length === 0 ? "" : random.pick(names);
    const { bytes, durable } = this.#files.get(name) ?? { bytes: Buffer.alloc(0), durable: 0 };
    const after = (at: number): number => at + headBytes + bytes.readUInt32BE(at + 4);
    let last = 0;
    for (let next = 0; next + headBytes <= durable && after(next) <= durable; next = after(next)) last = next;
    const end = name === names[names.length - 1] ? last : durable;
    if (end < headBytes) return false;
    const at = random.below(end);
    bytes[at] = bytes[at]! ^ (1 << random.below(8));
    return true;
  }

  /** A copy of what a power cut would leave at worst: for looking at. */
  durableCopy(): FaultDisk {
    const copy = new FaultDisk(this.#world, { latencyMsMax: 0, stalls: 0, errors: 0 });
    for (const [name, { bytes, durable, room }] of this.#files) {
      if (durable > 0 && !name.endsWith(".tmp")) copy.#files.set(name, { bytes: Buffer.from(bytes.subarray(0, durable)), durable, room });
    }
    return copy;
  }

  #grow(name: string, bytes: Uint8Array, isSynced: boolean, room: number, done: Done): void {
    const file = this.#files.get(name) ?? { bytes: Buffer.alloc(0), durable: 0, room };
    file.bytes = Buffer.concat([file.bytes, bytes]);
    this.#files.set(name, file);
    const length = file.bytes.length;
    this.#perform((error) => {
      if (error === null && isSynced) file.durable = Math.max(file.durable, length);
      done(error);
    });
  }

  #perform(end: Done): void {
    const { random } = this.#world;
    const { latencyMsMax, stalls, errors } = this.faults;
    const power = this.#power;
    const takes = random.chance(stalls) ? 1_000 : random.next() * latencyMsMax;
    this.#busyUntil = Math.max(this.#busyUntil, this.#world.now) + takes;
    const error = random.chance(errors) ? new Error("EIO: simulated") : null;
    this.#world.after(this.#busyUntil - this.#world.now, () => power === this.#power && end(error));
  }

  #file(name: string): File {
    const file = this.#files.get(name);
    if (file === undefined) throw new Error(`no file ${name}`);
    return file;
  }
}
