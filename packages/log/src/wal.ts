/**
 * The write-ahead log: entries and hard states in order, each acknowledged only when it is durable.
 *
 * Group commit: while one write and its sync are under way, all that comes waits together and then becomes one record,
 * one write, one sync. Invariants: callbacks come in the order of `append`; at most one write is in flight; an entry whose
 * index is not above the last one replaces it and all after (recovery reads it so). After a disk error nothing is ever
 * written or acknowledged again: the owner hears of it once and has to end.
 */

import type { Entry, HardState } from "@copse/raft";
import type { Disk } from "./disk.ts";
import { encodeRecord } from "./record.ts";
import { type Addition, encodeGroup, encodeSegmentHead, type Place, segmentName } from "./segment.ts";

export interface WalOptions {
  /** The id of the data directory. */
  readonly directory: string;
  /** A segment that has reached this size gets a successor. */
  readonly segmentBytesMax?: number;
  /** The index after the last entry, or after the snapshot where there is none. */
  readonly nextIndex: number;
  /** Called once, with the first error of the disk. */
  readonly onError: (error: Error) => void;
}

export interface Segment {
  readonly name: string;
  readonly firstIndex: number;
}

const segmentBytesDefault = 67_108_864;
/** UTF-16 units of entries in one group commit: far below what recovery takes for one record. One append is never split. */
const groupUnitsMax = 16_777_216;

interface Append extends Addition {
  readonly done: () => void;
}

export class Wal {
  readonly #disk: Disk;
  readonly #options: WalOptions;
  readonly #segments: Segment[];
  #segmentBytes: number;
  #nextIndex: number;
  #waiting: Append[] = [];
  #isWriting = false;
  #hasFailed = false;
  /** Group commits so far, and what they carried: for metrics. */
  readonly counts: { commits: number; entries: number; bytes: number } = { commits: 0, entries: 0, bytes: 0 };

  /** @param segments as recovery found them, oldest first; `segmentBytes` is the size of the newest */
  constructor(disk: Disk, segments: readonly Segment[], segmentBytes: number, options: WalOptions) {
    this.#disk = disk;
    this.#options = options;
    this.#segments = [...segments];
    this.#segmentBytes = segmentBytes;
    this.#nextIndex = options.nextIndex;
  }

  /**
   * Adds entries and, where it changed, the hard state; `done` is called when both are durable.
   * @param restart a durable snapshot that came from elsewhere: the log begins anew after it
   */
  append(entries: readonly Entry[], hardState: HardState | null, done: () => void, restart: Place | null = null): void {
    this.#waiting.push({ entries, hardState, restart, done });
    if (!this.#isWriting) this.#write();
  }

  /** Removes the segments that hold nothing above `index`. The newest always stays. */
  truncateBefore(index: number): void {
    while (this.#segments.length > 1 && this.#segments[1]!.firstIndex <= index + 1) {
      const { name } = this.#segments.shift()!;
      this.#disk.remove(name, (error) => error !== null && this.#fail(error));
    }
  }

  /** The segments on disk, oldest first. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  #write(): void {
    if (this.#hasFailed) return;
    const group = this.#takeGroup();
    let record: Uint8Array;
    try {
      record = encodeRecord(this.#disk, encodeGroup(group));
    } catch (error) {
      return this.#fail(error as Error);
    }
    this.#isWriting = true;
    const first = this.#advance(group);
    const bytes = this.#needsSegment(first) ? this.#beginSegment(first, record) : record;
    this.#segmentBytes += bytes.length;
    this.counts.commits++;
    this.counts.entries += group.reduce((sum, { entries }) => sum + entries.length, 0);
    this.counts.bytes += bytes.length;
    this.#disk.commit(this.#segments[this.#segments.length - 1]!.name, bytes, (error) => {
      if (error !== null) return this.#fail(error);
      this.#isWriting = false;
      for (const { done } of group) done();
      if (!this.#isWriting && this.#waiting.length > 0) this.#write();
    });
  }

  /** The oldest appends that wait, as many as fit in one record. */
  #takeGroup(): readonly Append[] {
    let units = 0;
    let count = 0;
    for (const { entries } of this.#waiting) {
      units += entries.reduce((sum, { payload }) => sum + payload.length, 0);
      if (count > 0 && units > groupUnitsMax) break;
      count++;
    }
    const group = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return group;
  }

  /** Gives the lowest index that the group touches, and moves on to the index after it. */
  #advance(group: readonly Append[]): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { entries, restart } of group) {
      if (restart !== null) this.#nextIndex = restart.index + 1;
      lowest = Math.min(lowest, entries[0]?.index ?? this.#nextIndex);
      this.#nextIndex = (entries[entries.length - 1]?.index ?? this.#nextIndex - 1) + 1;
    }
    return lowest;
  }

  /** Segments ascend by their first index: where older entries are written anew, the newest segment takes them. */
  #needsSegment(first: number): boolean {
    const newest = this.#segments[this.#segments.length - 1];
    if (newest === undefined) return true;
    return first > newest.firstIndex && this.#segmentBytes >= (this.#options.segmentBytesMax ?? segmentBytesDefault);
  }

  #beginSegment(firstIndex: number, group: Uint8Array): Uint8Array {
    this.#segments.push({ name: segmentName(firstIndex), firstIndex });
    this.#segmentBytes = 0;
    const head = encodeRecord(this.#disk, [encodeSegmentHead(this.#options.directory, firstIndex)]);
    const bytes = new Uint8Array(head.length + group.length);
    bytes.set(head);
    bytes.set(group, head.length);
    return bytes;
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.onError(error);
  }
}
