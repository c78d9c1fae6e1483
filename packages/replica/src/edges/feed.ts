/**
 * What one edge is sent: a snapshot where it lacks more than the newest entries, then each entry.
 *
 * Invariants: entries are sent in order, from where the edge has said it stands; about `windowUnits` of them wait to be acknowledged at most;
 * what brings no acknowledgement within `repeatMs` is sent again. So a slow edge makes its feeder hold one window
 * at most, and an edge that lacks more than the newest entries gets a snapshot.
 */
import type { SnapshotReading } from "@copse/log";
import type { PeerMessage } from "../ensemble/peer-message.ts";
import type { Clock } from "../ports.ts";
import { SnapshotSending } from "../snapshots/snapshot-sending.ts";
import type { RecentEntries } from "./recent-entries.ts";

/** UTF-16 units of entries on their way to one edge, and in one message. */
const windowUnits = 8_388_608;
const messageUnits = 262_144;
const repeatMs = 500;

type FeedMessage = Extract<PeerMessage, { kind: "feed" }>;
export type FeedDetail = Pick<FeedMessage, "members" | "relayed">;
export type FeedHead = Omit<FeedMessage, "kind" | "entries" | keyof FeedDetail>;

export interface FeedOptions {
  readonly entries: RecentEntries;
  readonly clock: Clock;
  readonly send: (message: PeerMessage) => void;
  /** What goes with entries, and what is said now and then. */
  readonly told: () => FeedHead;
  readonly detail: () => FeedDetail;
  readonly open: () => SnapshotReading;
  /** Runs what follows a read, in a turn of the loop. */
  readonly defer: (run: () => void) => void;
}

export class Feed {
  readonly #options: FeedOptions;
  /** Where the edge stands, as it has said; null before it did. */
  #match: number | null = null;
  /** It was sent everything up to there. */
  #sent = 0;
  /** The ends of the messages that it has not acknowledged, with their weights. */
  #inFlight: { readonly index: number; readonly units: number }[] = [];
  #units = 0;
  /** When it said last that it had come further, or was sent something while nothing was on its way. */
  #progressAt = 0;
  #sending: SnapshotSending | null = null;
  /** Of its state, as it has said. */
  zxid = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  followed(index: number, zxid: number): void {
    this.zxid = zxid;
    if (this.#match === null) this.#sent = index;
    else if (index <= this.#match) return;
    this.#match = index;
    this.#sent = Math.max(this.#sent, index);
    this.#progressAt = this.#options.clock.now();
    while (this.#inFlight.length > 0 && this.#inFlight[0]!.index <= index) this.#units -= this.#inFlight.shift()!.units;
  }

  /** The edge asks for pieces of a snapshot. */
  wanted(index: number, number: number): void {
    if (this.#sending?.index === index) this.#sending.wanted(number);
  }

  /** Says how far there is to go, so that it is noticed if what came last was lost. */
  tick(): void {
    const { clock, send, told, detail } = this.#options;
    this.#sending?.tick();
    if (this.#inFlight.length > 0 && clock.now() - this.#progressAt >= repeatMs) {
      this.#inFlight = [];
      this.#units = 0;
      this.#sent = this.#match!;
    }
    send({ kind: "feed", entries: [], ...told(), ...detail() });
  }

  /** Sends what the window has room for. */
  flush(): void {
    const { entries, clock, send, told } = this.#options;
    if (this.#match === null || this.#sending !== null) return;
    const head = told();
    while (this.#sent < head.newest && this.#units < windowUnits) {
      if (!entries.follows(this.#sent)) return this.#sendSnapshot();
      const next = entries.after(this.#sent, messageUnits);
      const units = next.reduce((sum, { payload }) => sum + payload.length, 0);
      if (this.#inFlight.length === 0) this.#progressAt = clock.now();
      this.#sent = next[next.length - 1]!.index;
      this.#inFlight.push({ index: this.#sent, units });
      this.#units += units;
      send({ kind: "feed", entries: next, ...head, members: null, relayed: null });
    }
  }

  end(): void {
    this.#sending?.end(false);
  }

  #sendSnapshot(): void {
    const { open, clock, defer, send } = this.#options;
    this.#inFlight = [];
    this.#units = 0;
    const reading = open();
    this.#sending = new SnapshotSending({
      reading,
      message: null,
      clock,
      defer,
      send,
      onEnd: (isTaken) => {
        this.#sending = null;
        if (!isTaken) return;
        this.#match = Math.max(this.#match!, reading.place.index);
        this.#sent = this.#match;
      },
    });
  }
}
