/**
 * Start-up: what the files say, or why they can't be believed.
 *
 * Rules. Zeros to the end of a segment are room for the next record, and nothing else. Bytes after the last whole record of the newest segment are a torn tail: they were never acknowledged, and are
 * cut. A bad record anywhere else, or with whole ones after it, is corruption: refused, because what was
 * acknowledged may be in it. Where the newest snapshot is damaged, the one before it and the log since then hold the same state, or the
 * directory is refused. Entries must follow each other and the snapshot without a gap. An entry at or below an
 * index seen before replaces it and all after. Entries that do not lead on from the snapshot's own place (one that came
 * from elsewhere, when the process ended before the log had begun anew) are dropped: they were never committed.
 */
import type { Configuration, Entry, HardState } from "@copse/raft";
import type { Disk } from "./disk.ts";
import { findRecord, readRecord } from "./record.ts";
import { decodeGroup, decodeSegmentHead, type Place, segmentIndex } from "./segment.ts";
import { isTemporary, loadSnapshot, type SnapshotRecord, snapshotIndex } from "./snapshot-store.ts";
import type { Segment } from "./wal.ts";

export interface Recovered {
  /** Place and configuration of the state that the snapshot held; index 0, term 0 and null without one. */
  readonly snapshot: Place & { readonly configuration: Configuration | null };
  readonly snapshotNames: readonly string[];
  /** Snapshots that could not be believed, and were not needed. */
  readonly damaged: readonly string[];
  /** The entries after the snapshot. */
  readonly entries: readonly Entry[];
  readonly hardState: HardState;
  readonly segments: readonly Segment[];
  /** Bytes of the newest segment. */
  readonly segmentBytes: number;
  /** Bytes of a torn tail that were cut. */
  readonly tornBytes: number;
}

/** The data directory can't be served from. The message says which file, and what to do. */
export class CorruptLogError extends Error {
  override readonly name: string = "CorruptLogError";
}

/**
 * Reads the directory and cuts a torn tail.
 * @param takePiece gets the pieces of the newest snapshot, before the call returns
 * @param again what was taken counts for nothing: the pieces of an older snapshot follow. Without it a damaged snapshot is refused
 * @throws CorruptLogError
 */
export function recover(disk: Disk, directory: string, takePiece: (piece: string) => void, again?: () => void): Recovered {
  const names = disk.list();
  for (const name of names) if (isTemporary(name)) disk.remove(name, ignoreLeftover);
  const snapshotNames = names.filter((name) => snapshotIndex(name) !== null);
  const segments = names.flatMap((name) => {
    const firstIndex = segmentIndex(name);
    return firstIndex === null ? [] : [{ name, firstIndex }];
  });
  const damaged: string[] = [];
  let head: SnapshotRecord | null = null;
  for (const name of [...snapshotNames].reverse()) {
    try {
      head = loadSnapshot(disk, name, directory, takePiece);
      break;
    } catch (error) {
      const isLast = damaged.length === snapshotNames.length - 1;
      if (again === undefined || isLast) throw corrupt(damaged[0] ?? name, error instanceof Error ? error.message : String(error));
      damaged.push(name);
      again();
    }
  }
  const snapshot = head === null ? noSnapshot : { index: head.index, term: head.term, configuration: head.configuration ?? null };
  const oldest = segments[0];
  if (oldest !== undefined && oldest.firstIndex > snapshot.index + 1) {
    throw corrupt(
      oldest.name,
      `the log begins at entry ${oldest.firstIndex}, and no snapshot holds the ${oldest.firstIndex - 1} before it`,
    );
  }
  const reading = new SegmentReading(disk, directory, snapshot);
  for (const [at, segment] of segments.entries()) {
    const isNewest = at === segments.length - 1;
    orCorrupt(segment.name, () => reading.take(segment, isNewest));
  }
  // The damaged snapshot stood for what was acknowledged up to its index.
  const [lost] = damaged;
  if (lost !== undefined && snapshot.index + reading.entries.length < snapshotIndex(lost)!) {
    throw corrupt(lost, "it is damaged, and the log does not lead from the snapshot before it to where it was");
  }
  for (const name of damaged) disk.remove(name, ignoreLeftover);
  const whole = reading.isNewestEmpty ? segments.slice(0, -1) : segments;
  const last = whole[whole.length - 1];
  return {
    snapshot,
    snapshotNames: snapshotNames.filter((name) => !damaged.includes(name)),
    damaged,
    entries: reading.entries,
    hardState: atLeastTerm(reading.hardState, snapshot.term),
    segments: whole,
    segmentBytes: last === undefined ? 0 : disk.size(last.name),
    tornBytes: reading.tornBytes,
  };
}

const noSnapshot: Recovered["snapshot"] = { index: 0, term: 0, configuration: null };
export const noHardState: HardState = { term: 0, vote: 0, commit: 0 };

/** A snapshot of a newer term tells that term, though the process ended before it was written down. */
function atLeastTerm(state: HardState, term: number): HardState {
  return state.term >= term ? state : { ...state, term, vote: 0 };
}

/** A temporary file that stays is removed at the next start: nothing depends on it. */
function ignoreLeftover(): void {}

function corrupt(name: string, what: string): CorruptLogError {
  return new CorruptLogError(`${name}: ${what}. Restore the data directory from a copy, or, in an ensemble, remove it and join again.`);
}

function orCorrupt<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CorruptLogError) throw error;
    throw corrupt(name, error instanceof Error ? error.message : String(error));
  }
}

class SegmentReading {
  readonly entries: Entry[] = [];
  hardState: HardState = noHardState;
  tornBytes = 0;
  /** The newest segment held nothing whole, and is gone. */
  isNewestEmpty = false;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #snapshot: Place;
  /** False where the log holds another entry at the snapshot's place than the one it stands for. */
  #isConnected = true;

  constructor(disk: Disk, directory: string, snapshot: Place) {
    this.#disk = disk;
    this.#directory = directory;
    this.#snapshot = snapshot;
  }

  take(segment: Segment, isNewest: boolean): void {
    const bytes = this.#disk.read(segment.name, 0, this.#disk.size(segment.name));
    let offset = 0;
    for (;;) {
      const read = readRecord(this.#disk, bytes, offset);
      if (read.kind === "whole") {
        if (offset === 0) this.#takeHead(segment, read.payload);
        else this.#takeGroup(read.payload);
        offset = read.next;
        continue;
      }
      if (read.kind === "bad") this.#cut(segment, bytes, offset, isNewest);
      else if (offset === 0) this.#cut(segment, bytes, 0, isNewest);
      return;
    }
  }

  #takeHead(segment: Segment, payload: string): void {
    const head = decodeSegmentHead(payload);
    if (head.directory !== this.#directory) throw new Error("it belongs to another data directory");
    if (head.firstIndex !== segment.firstIndex) throw new Error("its file name and its header disagree");
  }

  #takeGroup(payload: string): void {
    decodeGroup(payload, {
      entry: (entry) => this.#takeEntry(entry),
      hardState: (state) => {
        this.hardState = state;
      },
      restart: ({ index }) => {
        if (index > this.#snapshot.index) throw new Error(`the log restarts after entry ${index}, but its snapshot is missing`);
        this.#isConnected = true;
        this.entries.length = 0;
      },
    });
  }

  #takeEntry(entry: Entry): void {
    const { index, term } = this.#snapshot;
    if (entry.index <= index) {
      this.entries.length = 0;
      this.#isConnected = entry.index < index || entry.term === term;
      return;
    }
    if (!this.#isConnected) return;
    const expected = (this.entries[this.entries.length - 1]?.index ?? index) + 1;
    if (entry.index > expected) throw new Error(`found entry ${entry.index}, expected ${expected}`);
    if (entry.index < expected) this.entries.length = entry.index - index - 1;
    this.entries.push(entry);
  }

  #cut(segment: Segment, bytes: Uint8Array, offset: number, isNewest: boolean): void {
    const end = endOfContent(bytes);
    // Room that was never used.
    if (!isNewest && offset > 0 && end <= offset) return;
    if (!isNewest) throw new Error(`a record at byte ${offset} is damaged, and newer segments follow`);
    const whole = findRecord(this.#disk, bytes, offset + 1);
    if (whole >= 0) throw new Error(`a record at byte ${offset} is damaged, and a whole one follows at byte ${whole}`);
    this.tornBytes = Math.max(0, end - offset);
    if (offset > 0) this.#disk.truncate(segment.name, offset);
    else {
      this.isNewestEmpty = true;
      this.#disk.truncate(segment.name, 0);
      this.#disk.remove(segment.name, ignoreLeftover);
    }
  }
}

/** The offset after the last byte that is not zero. */
function endOfContent(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
