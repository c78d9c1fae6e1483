/**
 * A snapshot on its way to this member: written to its own disk, where it has one, and read into a state of its own as the pieces come.
 *
 * Invariants: pieces are taken in order, each once; nothing of the present state changes before the whole file is kept;
 * a piece that can't be read ends the transfer, not the member.
 */
import type { SnapshotFile, SnapshotPlace } from "@copse/log";
import type { PeerMessage } from "../ensemble/peer-message.ts";

/** Builds a state beside the present one. */
export interface Restorer {
  /** @throws Error where the piece is not one that this build can read */
  take(piece: string): void;
  /** Puts the state in place of the present one. @throws Error where it is incomplete */
  install(): void;
}

/** Pieces that may wait while one is being written. */
const heldPiecesMax = 64;

/** What keeps the pieces that come. */
export interface SnapshotKeeper {
  create(place: SnapshotPlace): Pick<SnapshotFile, "add" | "finish" | "abandon">;
}

export class SnapshotReceiving<From = number> {
  readonly from: From;
  readonly place: SnapshotPlace;
  readonly restorer: Restorer;
  readonly #file: ReturnType<SnapshotKeeper["create"]>;
  readonly #send: (message: PeerMessage) => void;
  readonly #defer: (run: () => void) => void;
  readonly #held: Map<number, string> = new Map();
  #next = 0;
  #isWriting = false;
  #isOver = false;

  constructor(
    from: From,
    place: SnapshotPlace,
    ports: {
      readonly store: SnapshotKeeper;
      readonly restorer: Restorer;
      readonly send: (message: PeerMessage) => void;
      readonly defer: (run: () => void) => void;
    },
  ) {
    this.from = from;
    this.place = place;
    this.restorer = ports.restorer;
    this.#file = ports.store.create(place);
    this.#send = ports.send;
    this.#defer = ports.defer;
  }

  /** Tells the sender where it stands. */
  ask(): void {
    this.#send({ kind: "wanted", index: this.place.index, number: this.#next });
  }

  /** True once no other piece is of use: it is whole, or was given up. */
  get isOver(): boolean {
    return this.#isOver;
  }

  take(number: number, text: string): void {
    if (this.#isOver || number < this.#next || number > this.#next + heldPiecesMax) return;
    this.#held.set(number, text);
    this.#write();
  }

  /** So many pieces were all: `done` is called once the file stands. */
  end(total: number, done: () => void): void {
    if (this.#isOver || this.#isWriting || total !== this.#next) return;
    this.#isOver = true;
    this.#file.finish(() => this.#defer(done));
  }

  abandon(): void {
    this.#isOver = true;
    this.#file.abandon();
  }

  #write(): void {
    const text = this.#held.get(this.#next);
    if (this.#isWriting || text === undefined) return;
    this.#held.delete(this.#next);
    try {
      this.restorer.take(text);
    } catch {
      // The sender gives up when nothing more is asked for, and consensus begins another transfer.
      return this.abandon();
    }
    this.#isWriting = true;
    this.#file.add(text, () =>
      this.#defer(() => {
        this.#isWriting = false;
        if (this.#isOver) return;
        this.#next++;
        this.ask();
        this.#write();
      }),
    );
  }
}
