/**
 * One client's connection: the order of its replies.
 *
 * Requests become slots in a queue; a slot may have to run once it is at the head, may wait for its outcome, and is answered. Invariants:
 * replies leave in the order of requests (pings apart, which never stand in the queue); a slot runs only when all before
 * it are answered, so a read sees every write sent before it and none sent behind it; a congested connection runs and answers nothing.
 */
import { type Chunk, type CloseCode, chunk, encodeReply, type Identity, type RawMessage } from "@copse/protocol";
import type { Caller } from "@copse/tree";
import type { Effects } from "./effect.ts";
import { backlogBytesHigh } from "./ports.ts";

export interface Answer {
  /** The reply without its id (protocol/reply). */
  readonly body: string;
  /** Close the connection behind the reply. */
  readonly close?: { readonly code: CloseCode; readonly reason: string };
  /** What has to follow the reply before anything else does. */
  readonly after?: () => void;
}

export interface Slot {
  readonly id: number;
  /** A write sent behind it may not be proposed before it is answered: it would be seen by a read that was sent first. */
  readonly holdsWrites: boolean;
  /**
   * What is to run at the head of the queue; null once it runs, or where the outcome comes by itself. Two members and no union of states:
   * a thousand slots may wait for a sync, each one object less.
   */
  run: Run | null;
  /** Null until the outcome is there. Invariant: what has an answer runs no more. */
  answer: Answer | null;
}

/** Gives the answer to a slot, or null where that comes later. */
export type Run = (slot: Slot) => Answer | null;

export type Phase =
  | { readonly kind: "awaiting-connect"; readonly deadline: number }
  /** Requests are held until the connect, or an auth, is through. */
  | { readonly kind: "holding"; readonly held: RawMessage[]; readonly next: "connect" | "auth" }
  | { readonly kind: "ready" }
  /** A close was asked for: what comes behind it is not looked at. */
  | { readonly kind: "closing" }
  | { readonly kind: "closed" };

export class Connection {
  readonly number: number;
  readonly address: string;
  phase: Phase;
  /** The session and this connection's generation of it; null before connect and on a readOnly connection. */
  session: { readonly id: string; readonly generation: number } | null = null;
  isReadOnly = false;
  /** The timeout agreed at connect, in milliseconds: a third of it bounds every wait. */
  timeoutMs = 30_000;
  caller: Caller;
  /** The highest id among the writes of the session that were proposed. */
  lastWriteId = 0;
  /** When it was opened, on the member's clock. */
  readonly openedAt: number;
  /** When the client was last heard, and when it was last asked for a ping, on the member's clock. */
  heardAt: number;
  askedAt = 0;
  /** Watches and subscriptions that this connection holds. */
  watches = 0;
  /** Ids of the requests not yet answered. */
  readonly unanswered: Set<number> = new Set();
  readonly #effects: Effects;
  #slots: Slot[] = [];
  #head = 0;
  #unsentUnits = 0;
  #isCongested = false;
  #isPumping = false;
  /** Slots in the queue that hold writes back. */
  #holding = 0;

  constructor(number: number, address: string, phase: Phase, now: number, effects: Effects) {
    this.number = number;
    this.address = address;
    this.phase = phase;
    this.openedAt = now;
    this.heardAt = now;
    this.caller = { identities: [], address };
    this.#effects = effects;
  }

  /** What waits to be sent, in bytes, where it is text of one byte for each unit. */
  get unsentBytes(): number {
    return this.#unsentUnits;
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  identify(identities: readonly Identity[]): void {
    this.caller = { identities, address: this.address };
  }

  /** True where a request can be answered at once: nothing stands before it, and what is said gets through. */
  get isFree(): boolean {
    return this.#head === this.#slots.length && !this.#isPumping && !this.#isCongested;
  }

  /** True while a write has to wait for its turn in the queue before it is proposed. */
  get holdsWrites(): boolean {
    return this.#holding > 0;
  }

  /** Puts a request in the queue. It runs at once where nothing is before it. */
  enqueue(id: number, run: Run | null = null, holdsWrites = false): Slot {
    const slot: Slot = { id, holdsWrites, run, answer: null };
    this.#slots.push(slot);
    if (holdsWrites) this.#holding++;
    if (run !== null) this.pump();
    return slot;
  }

  /** Answers a slot, and sends what that lets go. */
  answer(slot: Slot, answer: Answer): void {
    slot.run = null;
    slot.answer = answer;
    this.pump();
  }

  /** Sends a reply that does not wait for those before it. */
  reply(id: number, body: string): void {
    this.unanswered.delete(id);
    this.send(chunk(encodeReply(id, body)));
  }

  send(message: Chunk): void {
    if (this.isClosed) return;
    this.#unsentUnits += message.text.length;
    if (this.#unsentUnits > backlogBytesHigh) this.#isCongested = true;
    this.#effects.add({ kind: "send", connection: this.number, chunk: message });
  }

  get isClosed(): boolean {
    return this.phase.kind === "closed";
  }

  /** The connection is over: nothing of it runs or answers any more. */
  end(): void {
    this.phase = { kind: "closed" };
    this.#slots = [];
    this.#head = 0;
  }

  close(code: CloseCode, reason: string): void {
    if (this.isClosed) return;
    this.end();
    this.#effects.add({ kind: "close", connection: this.number, code, reason });
  }

  /** Answers everything that is unanswered with one error, in the order of the requests, and closes. */
  refuseAll(body: string, code: CloseCode, reason: string): void {
    this.#slots = [];
    this.#head = 0;
    for (const id of [...this.unanswered]) this.reply(id, body);
    this.close(code, reason);
  }

  /** What the gateway still has to send for this connection, in bytes. */
  backlog(bytes: number): void {
    this.#unsentUnits = bytes;
    this.#isCongested = bytes > backlogBytesHigh;
    if (!this.#isCongested) this.pump();
  }

  /** Runs and answers from the head of the queue as far as it goes. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.isClosed && !this.#isCongested && this.#head < this.#slots.length) {
      const slot = this.#slots[this.#head]!;
      if (slot.run !== null) {
        const { run } = slot;
        slot.run = null;
        const answer = run(slot);
        if (answer !== null) slot.answer = answer;
      }
      if (slot.answer === null) break;
      const { body, close, after } = slot.answer;
      this.#head++;
      if (slot.holdsWrites) this.#holding--;
      this.reply(slot.id, body);
      after?.();
      if (close !== undefined) this.close(close.code, close.reason);
    }
    if (this.#head > 64 && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
    this.#isPumping = false;
  }
}
