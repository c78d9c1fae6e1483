/**
 * The snapshots on their way between this member and others: as many out as there are laggards, one in.
 *
 * Invariant: consensus hears of the end of every transfer it began, so a follower is never left waiting for one.
 */
import type { SnapshotPlace, SnapshotStore } from "@copse/log";
import type { MemberId, Message } from "@copse/raft";
import type { PeerMessage } from "../ensemble/peer-message.ts";
import type { Clock } from "../ports.ts";
import type { Trace } from "../trace.ts";
import { type Restorer, SnapshotReceiving } from "./snapshot-receiving.ts";
import { SnapshotSending } from "./snapshot-sending.ts";

export interface SnapshotExchangeOptions {
  readonly store: SnapshotStore;
  readonly clock: Clock;
  readonly send: (to: MemberId, message: PeerMessage) => void;
  /** Runs what follows a disk operation, in a turn of the loop. */
  readonly defer: (run: () => void) => void;
  readonly restorer: () => Restorer;
  readonly trace?: Trace | null;
  /** A transfer to a member has ended, one way or the other. */
  readonly onSent: (to: MemberId, isTaken: boolean) => void;
  /** A snapshot from elsewhere stands durably; the message of consensus came with it. */
  readonly onReceived: (place: SnapshotPlace, message: Message, restorer: Restorer) => void;
}

export class SnapshotExchange {
  readonly #options: SnapshotExchangeOptions;
  readonly #sending: Map<MemberId, SnapshotSending> = new Map();
  #receiving: SnapshotReceiving | null = null;

  constructor(options: SnapshotExchangeOptions) {
    this.#options = options;
  }

  /** Sends the newest snapshot; `message` takes it into the receiver's log. */
  send(message: Message): void {
    const { to } = message;
    const { store, clock, defer, send, onSent } = this.#options;
    this.#sending.get(to)?.end(false);
    const reading = store.open();
    const sending = new SnapshotSending({
      reading,
      message: { ...message, snapshot: reading.place },
      clock,
      defer,
      send: (sent) => send(to, sent),
      onEnd: (isTaken) => {
        this.#sending.delete(to);
        this.#options.trace?.tell({ kind: isTaken ? "snapshot-sent" : "snapshot-lost", peer: String(to) });
        onSent(to, isTaken);
      },
    });
    this.#sending.set(to, sending);
  }

  /** @param committed what this member knows to be committed: a snapshot up to there brings nothing */
  receive(from: MemberId, received: PeerMessage, committed: number): void {
    switch (received.kind) {
      case "offer":
        return this.#offered(from, received, committed);
      case "piece":
        return this.#from(from, received.index)?.take(received.number, received.text);
      case "end":
        return this.#ended(from, received);
      case "wanted": {
        const sending = this.#sending.get(from);
        if (sending?.index === received.index) sending.wanted(received.number);
        return;
      }
      case "raft":
      case "status":
        return;
    }
  }

  tick(): void {
    for (const sending of [...this.#sending.values()]) sending.tick();
  }

  /** The link to a member is gone: what was on its way to it is lost. What came from it goes on when it offers again. */
  lost(member: MemberId): void {
    this.#sending.get(member)?.end(false);
  }

  /** This member does not lead any more. */
  stopSending(): void {
    for (const sending of [...this.#sending.values()]) sending.end(false);
  }

  #from(from: MemberId, index: number): SnapshotReceiving | undefined {
    return this.#receiving?.from === from && this.#receiving.place.index === index ? this.#receiving : undefined;
  }

  #offered(from: MemberId, { index, term, configuration }: Extract<PeerMessage, { kind: "offer" }>, committed: number): void {
    const { store, restorer, send, defer } = this.#options;
    if (index <= committed) return send(from, { kind: "wanted", index, number: -1 });
    const present = this.#from(from, index);
    if (present !== undefined && present.place.term === term && !present.isOver) return present.ask();
    if (this.#receiving?.isOver === false) this.#receiving.abandon();
    const ports = { store, restorer: restorer(), send: (message: PeerMessage) => send(from, message), defer };
    this.#receiving = new SnapshotReceiving(from, { index, term, configuration }, ports);
    this.#receiving.ask();
  }

  #ended(from: MemberId, { index, number, message }: Extract<PeerMessage, { kind: "end" }>): void {
    const receiving = this.#from(from, index);
    if (receiving === undefined || message === null) return;
    receiving.end(number, () => {
      this.#receiving = null;
      this.#options.onReceived(receiving.place, message, receiving.restorer);
      this.#options.send(from, { kind: "wanted", index, number: -1 });
    });
  }
}
