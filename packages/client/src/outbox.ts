/**
 * Requests without an answer: what makes writes exactly-once over reconnects.
 *
 * Invariants: ids grow over the life of a session; after a resume every unanswered request is sent again, in order, a
 * write under the id it had; a call that was given up (aborted, timed out) stays here if it is a write, because later
 * writes name it as their predecessor.
 */
import type { Reply } from "@copse/protocol";
import { CopseError } from "./errors.ts";

export interface Pending {
  readonly id: number;
  readonly isWrite: boolean;
  readonly message: Record<string, unknown>;
  /** On this client's clock; undefined until it was sent. */
  sentAt: number | undefined;
  readonly settle: (reply: Reply | CopseError) => void;
}

/** Requests that may wait for an answer at once; more are refused with OVERLOADED. */
const pendingMax = 100_000;
/** Unanswered requests on the wire: below the server's limit, so that it never closes for it. */
const inFlightMax = 900;

export class Outbox {
  /** By id, in the order of ids. */
  readonly #pending: Map<number, Pending> = new Map();
  /** Ids that wait for room on the wire. */
  #unsent: number[] = [];
  #inFlight = 0;
  #lastId = 0;
  #ack = 0;

  get isEmpty(): boolean {
    return this.#pending.size === 0;
  }

  /** Adds a request; give it a next id. It is sent by `flush`. */
  add(message: Record<string, unknown>, isWrite: boolean, settle: Pending["settle"]): Pending {
    if (this.#pending.size >= pendingMax) throw new CopseError("OVERLOADED", `${pendingMax} requests wait for an answer`);
    const pending: Pending = { id: ++this.#lastId, isWrite, message, sentAt: undefined, settle };
    this.#pending.set(pending.id, pending);
    this.#unsent.push(pending.id);
    return pending;
  }

  /** An id for a request that is not kept: connect, ping. */
  nextId(): number {
    return ++this.#lastId;
  }

  /** The messages to send now, encoded. */
  flush(now: number): string[] {
    const texts: string[] = [];
    let at = 0;
    for (; at < this.#unsent.length && this.#inFlight < inFlightMax; at++) {
      const pending = this.#pending.get(this.#unsent[at]!);
      if (pending === undefined) continue;
      this.#inFlight++;
      pending.sentAt = now;
      const ack = pending.isWrite && this.#ack > 0 ? { ack: this.#ack } : {};
      texts.push(JSON.stringify({ id: pending.id, ...pending.message, ...ack }));
    }
    if (at > 0) this.#unsent = this.#unsent.slice(at);
    return texts;
  }

  /** The request of this id, if it still waits. */
  find(id: number): Pending | undefined {
    return this.#pending.get(id);
  }

  /** Takes the request that a reply belongs to. */
  take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    this.#inFlight--;
    if (pending.isWrite) this.#ack = id;
    return pending;
  }

  /** The connection is lost: everything unanswered is to be sent again. */
  rewind(): void {
    this.#inFlight = 0;
    this.#unsent = [...this.#pending.keys()];
  }

  /** New ids go above the session's highest write. */
  raise(lastId: number): void {
    this.#lastId = Math.max(this.#lastId, lastId);
  }

  /** The session is gone: its writes can't be sent again. Reads stay, for the next session. */
  dropWrites(): Pending[] {
    const writes = [...this.#pending.values()].filter(({ isWrite }) => isWrite);
    for (const { id } of writes) this.#pending.delete(id);
    this.#ack = 0;
    this.rewind();
    return writes;
  }

  /** The client is closed: takes everything. */
  dropAll(): Pending[] {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    this.rewind();
    return all;
  }
}
