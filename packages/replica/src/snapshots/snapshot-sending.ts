/**
 * A snapshot on its way to a member that is too far behind: read from disk a piece at a time, a few pieces ahead.
 *
 * Invariants: at most `windowPieces` are unacknowledged; the receiver says which piece it wants next, so a transfer goes on
 * where it stopped; it ends, one way or the other, and its owner hears of that once.
 */
import type { SnapshotReading } from "@copse/log";
import type { Message } from "@copse/raft";
import type { PeerMessage } from "../ensemble/peer-message.ts";
import type { Clock } from "../ports.ts";

const windowPieces = 8;
/** Silence after which the offer is repeated, and after which it is given up, in milliseconds. */
const repeatMs = 1_000;
const silenceMsMax = 10_000;

export interface SnapshotSendingOptions {
  readonly reading: SnapshotReading;
  /** The message of consensus that takes the snapshot into the receiver's log; null for one without a log. */
  readonly message: Message | null;
  readonly clock: Clock;
  readonly send: (message: PeerMessage) => void;
  /** Runs what follows a read of the disk, in a turn of the loop. */
  readonly defer: (run: () => void) => void;
  readonly onEnd: (isTaken: boolean) => void;
}

export class SnapshotSending {
  readonly #options: SnapshotSendingOptions;
  /** Pieces read and not acknowledged, by number. */
  readonly #pieces: Map<number, string> = new Map();
  #read = 0;
  #wanted = 0;
  #isReading = false;
  /** How many pieces there are, once the last is read. */
  #total: number | null = null;
  #heardAt: number;
  #saidAt: number;
  #isOver = false;

  constructor(options: SnapshotSendingOptions) {
    this.#options = options;
    this.#heardAt = options.clock.now();
    this.#saidAt = this.#heardAt;
    this.#offer();
  }

  /** Index of the snapshot. */
  get index(): number {
    return this.#options.reading.place.index;
  }

  /** The receiver wants this piece next. */
  wanted(number: number): void {
    if (this.#isOver) return;
    if (number === -1) return this.end(true);
    // A reading only goes forward. Where the receiver has lost what it had, silence ends the transfer and another begins.
    if (number < this.#wanted) return;
    this.#heardAt = this.#options.clock.now();
    for (let done = this.#wanted; done < number; done++) this.#pieces.delete(done);
    this.#wanted = number;
    this.#sendEnd();
    this.#fill();
  }

  /** Repeats itself to a silent receiver, and gives up one that stays silent. */
  tick(): void {
    const now = this.#options.clock.now();
    if (now - this.#heardAt >= silenceMsMax) return this.end(false);
    if (now - Math.max(this.#heardAt, this.#saidAt) < repeatMs) return;
    this.#saidAt = now;
    this.#offer();
    for (const [number, text] of this.#pieces) this.#options.send({ kind: "piece", index: this.index, number, text });
    this.#sendEnd();
  }

  end(isTaken: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.reading.close();
    this.#options.onEnd(isTaken);
  }

  #offer(): void {
    const { index, term, configuration } = this.#options.reading.place;
    this.#options.send({ kind: "offer", index, term, configuration });
  }

  #sendEnd(): void {
    const { message, send } = this.#options;
    if (this.#total !== null && this.#wanted >= this.#total) send({ kind: "end", index: this.index, number: this.#total, message });
  }

  #fill(): void {
    if (this.#isReading || this.#isOver || this.#total !== null || this.#read - this.#wanted >= windowPieces) return;
    this.#isReading = true;
    const { reading, defer, send } = this.#options;
    reading.next((error, piece) =>
      defer(() => {
        this.#isReading = false;
        if (this.#isOver) return;
        if (error !== null) return this.end(false);
        if (piece === null) {
          this.#total = this.#read;
          return this.#sendEnd();
        }
        const number = this.#read++;
        if (number >= this.#wanted) {
          this.#pieces.set(number, piece);
          send({ kind: "piece", index: this.index, number, text: piece });
        }
        this.#fill();
      }),
    );
  }
}
