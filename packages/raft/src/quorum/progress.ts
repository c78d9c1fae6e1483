/**
 * What a leader knows of one follower's log, and how it may send to it.
 *
 * States: probe (one append at a time, until it is known where the logs agree), replicate (a window of appends, optimistic),
 * snapshot (nothing but a snapshot helps). Invariant: match < next; all up to `match` is known to be there, and what is
 * sent next begins at `next`.
 */
import type { Inflights } from "./inflights.ts";

export type ProgressState = "probe" | "replicate" | "snapshot";

export class Progress {
  state: ProgressState = "probe";
  match: number;
  next: number;
  pendingSnapshot = 0;
  /** Heard of since the last check of the quorum. */
  isActive: boolean;
  isLearner: boolean;
  isFlowPaused = false;
  /** The highest commit index that was sent. */
  sentCommit = 0;
  inflights: Inflights;

  constructor(born: { match: number; next: number; isLearner: boolean; isActive: boolean; inflights: Inflights }) {
    this.match = born.match;
    this.next = born.next;
    this.isLearner = born.isLearner;
    this.isActive = born.isActive;
    this.inflights = born.inflights;
  }

  copy(): Progress {
    const copy = new Progress(this);
    return Object.assign(copy, {
      state: this.state,
      pendingSnapshot: this.pendingSnapshot,
      isFlowPaused: this.isFlowPaused,
      sentCommit: this.sentCommit,
    });
  }

  get isPaused(): boolean {
    return this.state === "snapshot" || this.isFlowPaused;
  }

  becomeProbe(): void {
    // After a snapshot that was sent, its index is where the logs agree if it arrived.
    const next = this.state === "snapshot" ? Math.max(this.match + 1, this.pendingSnapshot + 1) : this.match + 1;
    this.#enter("probe");
    this.next = next;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** An append with so many entries was sent. */
  sent(entries: number, bytes: number): void {
    if (this.state === "replicate") {
      if (entries > 0) {
        this.next += entries;
        this.inflights.add(this.next - 1, bytes);
      }
      this.isFlowPaused = this.inflights.isFull;
    } else if (entries > 0) this.isFlowPaused = true;
  }

  /** True if sending `index` may move the follower's commit index further than what it was sent already. */
  canBumpCommit(index: number): boolean {
    return index > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** The follower has everything up to `index`. False if that was known. */
  update(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.isFlowPaused = false;
    return true;
  }

  /** The follower refused the append after `rejected`, and its log may agree at `hint`. False if that is old news. */
  decrease(rejected: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.sentCommit = Math.min(this.sentCommit, this.next - 1);
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.isFlowPaused = false;
    return true;
  }

  #enter(state: ProgressState): void {
    this.isFlowPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }
}
