/**
 * The log as consensus sees it: entries after the last snapshot, how far they are handed out to be stored, committed, applied.
 *
 * Invariants: applied ≤ applying ≤ committed ≤ last index; what is committed is never cut; an entry that replaces another
 * is handed out again. All entries since the snapshot are in memory.
 */
import { type Entry, limitSize, type SnapshotHead, sizeOfAll } from "./entry.ts";

export class RaftLog {
  /** Index and term of the entry before the first: what the log was compacted to. */
  #base: { index: number; term: number };
  #entries: Entry[] = [];
  /** The highest index that is durable, or was handed out to become so. */
  #handedOut: number;
  /** A snapshot that came from a leader and is not durable yet. */
  #snapshot: SnapshotHead | null = null;
  #isSnapshotHandedOut = false;
  committed: number;
  applying: number;
  applied: number;
  /** Bytes of entries that are being applied, and at most may be. */
  #applyingBytes = 0;
  readonly #applyingBytesMax: number;
  #isApplyingPaused = false;

  /** @param entries those after the base, all durable */
  constructor(base: { readonly index: number; readonly term: number }, entries: readonly Entry[], applyingBytesMax: number) {
    this.#base = { index: base.index, term: base.term };
    this.#entries = [...entries];
    this.#handedOut = this.lastIndex;
    this.committed = base.index;
    this.applying = base.index;
    this.applied = base.index;
    this.#applyingBytesMax = applyingBytesMax;
  }

  get firstIndex(): number {
    return this.#base.index + 1;
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries[this.#entries.length - 1]?.term ?? this.#base.term;
  }

  /** The term of an entry, or null where it is compacted away or not there yet. */
  term(index: number): number | null {
    if (index === this.#base.index) return this.#base.term;
    if (index < this.#base.index || index > this.lastIndex) return null;
    return this.#entries[index - this.firstIndex]!.term;
  }

  matches(term: number, index: number): boolean {
    return this.term(index) === term;
  }

  /** Entries from `from`, to before `to`. */
  slice(from: number, to: number = this.lastIndex + 1, bytesMax: number = Number.POSITIVE_INFINITY): readonly Entry[] {
    return limitSize(this.#entries.slice(from - this.firstIndex, to - this.firstIndex), bytesMax);
  }

  /** Adds entries, cutting what conflicts with them. Gives the last index. */
  append(entries: readonly Entry[]): number {
    const first = entries[0];
    if (first === undefined) return this.lastIndex;
    if (first.index <= this.committed) throw new Error(`entry ${first.index} would replace what is committed up to ${this.committed}`);
    this.#entries.length = first.index - this.firstIndex;
    for (const entry of entries) this.#entries.push(entry);
    this.#handedOut = Math.min(this.#handedOut, first.index - 1);
    return this.lastIndex;
  }

  /**
   * Takes what a leader sent after the entry (`term`, `index`).
   * @returns the last index of what was sent, or null where the logs do not agree at that entry
   */
  maybeAppend(term: number, index: number, entries: readonly Entry[], commit: number): number | null {
    if (!this.matches(term, index)) return null;
    const conflict = entries.findIndex((entry) => !this.matches(entry.term, entry.index));
    if (conflict >= 0) this.append(entries.slice(conflict));
    const last = index + entries.length;
    this.commitTo(Math.min(commit, last));
    return last;
  }

  /** The highest entry up to `index` whose term is not above `term`: where two logs may agree. */
  findConflict(index: number, term: number): { readonly index: number; readonly term: number } {
    for (let at = index; at > 0; at--) {
      const own = this.term(at);
      if (own === null) return { index: at, term: 0 };
      if (own <= term) return { index: at, term: own };
    }
    return { index: 0, term: 0 };
  }

  isUpToDate(term: number, index: number): boolean {
    return term > this.lastTerm || (term === this.lastTerm && index >= this.lastIndex);
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    if (index > this.lastIndex) throw new Error(`commit ${index} is beyond the log's ${this.lastIndex}: was the log lost?`);
    this.committed = index;
  }

  /** Replaces the log by a snapshot that a leader sent. */
  restore(snapshot: SnapshotHead): void {
    this.#base = { index: snapshot.index, term: snapshot.term };
    this.#entries = [];
    this.#snapshot = snapshot;
    this.#isSnapshotHandedOut = false;
    this.#handedOut = snapshot.index;
    this.committed = snapshot.index;
  }

  /** Forgets entries up to `index`, which stand in a snapshot. */
  compact(index: number): void {
    if (index <= this.#base.index) return;
    const term = this.term(index);
    if (term === null || index > this.applied) throw new Error(`can't compact to ${index}: applied is ${this.applied}`);
    this.#entries = this.#entries.slice(index - this.#base.index);
    this.#base = { index, term };
  }

  /** True while a snapshot stands before everything else. */
  get hasSnapshot(): boolean {
    return this.#snapshot !== null;
  }

  /** The snapshot that has to become durable, once. */
  get snapshotToStore(): SnapshotHead | null {
    return this.#isSnapshotHandedOut ? null : this.#snapshot;
  }

  /** The entries that have to become durable and were not handed out yet. */
  get entriesToStore(): readonly Entry[] {
    return this.slice(this.#handedOut + 1);
  }

  /** The committed entries to apply next. */
  get entriesToApply(): readonly Entry[] {
    if (this.#isApplyingPaused || this.hasSnapshot || this.applying >= this.committed) return [];
    return this.slice(this.applying + 1, this.committed + 1, this.#applyingBytesMax - this.#applyingBytes);
  }

  /** What was given out of the three getters above is under way. */
  acceptStore(): void {
    this.#handedOut = this.lastIndex;
    if (this.#snapshot !== null) this.#isSnapshotHandedOut = true;
  }

  acceptApply(entries: readonly Entry[]): void {
    const last = entries[entries.length - 1];
    if (last === undefined) return;
    this.applying = last.index;
    this.#applyingBytes += sizeOfAll(entries);
    this.#isApplyingPaused = this.#applyingBytes >= this.#applyingBytesMax || last.index < this.committed;
  }

  storedSnapshot(index: number): void {
    if (this.#snapshot?.index !== index) return;
    this.#snapshot = null;
    this.appliedTo(index, 0);
  }

  appliedTo(index: number, bytes: number): void {
    if (index > this.committed) throw new Error(`applied ${index} is beyond what is committed, ${this.committed}`);
    this.applied = Math.max(this.applied, index);
    this.applying = Math.max(this.applying, this.applied);
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes);
    this.#isApplyingPaused = this.#applyingBytes >= this.#applyingBytesMax;
  }
}
