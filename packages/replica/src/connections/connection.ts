/**
 * One client's connection: the order of its replies, and what is held for it.
 *
 * Requests become slots in a queue; a slot may have to run once it is at the head, may wait for its outcome, and is answered. Invariants:
 * replies leave in the order of requests (pings apart, which never stand in the queue); a slot runs only when all before
 * it are answered, so a read sees every write sent before it and none sent after it; a congested connection runs and answers nothing.
 */
import { type Body, type Chunk, type CloseCode, chunk, closeCode, type ReplyWriter } from "@copse/protocol";
import type { Caller, Identities, Proof } from "@copse/tree";
import type { Effects } from "../effect.ts";
import { backlogBytesHigh } from "../ports.ts";
import { type Account, type Budgets, congestedBytesMin } from "./budgets.ts";
import type { Allowances, Phase, SessionHeld, Terms } from "./connection-terms.ts";
import type { Holder } from "./holders.ts";
import { ProvedIdentities } from "./proved-identities.ts";
import type { ReceivedFrame } from "./received-frame.ts";
import type { Answer, Run, Slot } from "./slot.ts";
import type { Turn } from "./turn.ts";

/** What a connection needs of its member. */
export interface ConnectionHost {
  readonly effects: Effects;
  readonly budgets: Budgets;
  readonly turn: Turn;
  readonly replies: ReplyWriter;
  /** The connection has more to do, in a later turn. */
  readonly later: (connection: Connection) => void;
  /** Requests that may be unanswered at once. */
  readonly requestsMax: number;
}

export class Connection {
  readonly number: number;
  readonly address: string;
  readonly account: Account;
  #phase: Phase;
  #terms: Terms = { isReadOnly: false, timeoutMs: 30_000, name: "" };
  #session: SessionHeld | null = null;
  readonly identities: ProvedIdentities;
  /** The session's secret: tells a credential that comes again. */
  #secret = "";
  #lastWriteId = 0;
  #allowance: Allowances | null = null;
  /** When it was opened, on the member's clock. */
  readonly openedAt: number;
  /** When the client was last heard, and when it was last asked for a ping, on the member's clock. */
  heardAt: number;
  askedAt = 0;
  /** Watches and subscriptions that this connection holds. */
  watches = 0;
  subscriptions = 0;
  /** Whose budget it is counted in, once it is admitted. */
  holder: Holder | null = null;
  /** Frames that are not handled yet, or not to their end. */
  readonly inbox: ReceivedFrame[] = [];
  /** Requests refused one after the other because it asks too often. */
  throttledInARow = 0;
  /** The requests not yet answered, by their ids: the frame that brought each, or its weight where it brought nothing else. */
  readonly #unanswered: Map<number, ReceivedFrame | number> = new Map();
  readonly #host: ConnectionHost;
  #slots: Slot[] = [];
  #head = 0;
  #receivedBytes = 0;
  #unsentUnits = 0;
  /** Of these, what the gateway said last, which stands on the account. */
  #bookedBytes = 0;
  #isCongested = false;
  #isPumping = false;
  /** Slots in the queue that hold writes back. */
  #holding = 0;
  /** What waited when it was last looked at, and when some of it was last seen to have gone, on the member's clock. */
  #waitedBytes = 0;
  #stalledAt: number;

  constructor(
    number: number,
    from: { readonly address: string; readonly certificate?: Proof | null },
    phase: Phase,
    now: number,
    host: ConnectionHost,
  ) {
    this.number = number;
    this.address = from.address;
    this.account = host.budgets.open(from.address);
    this.#phase = phase;
    this.openedAt = now;
    this.heardAt = now;
    this.#stalledAt = now;
    this.identities = new ProvedIdentities(from);
    this.#host = host;
  }

  /** What waits to be sent, in bytes, where it is text of one byte for each unit. */
  get unsentBytes(): number {
    return this.#unsentUnits;
  }

  /** What was received and is unanswered, in bytes. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** How its wire writes replies. */
  get replies(): ReplyWriter {
    return this.#host.replies;
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** The session and this connection's generation of it; null before connect and on a readOnly connection. */
  get session(): SessionHeld | null {
    return this.#session;
  }

  get isReadOnly(): boolean {
    return this.#terms.isReadOnly;
  }

  /** The timeout agreed at connect, in milliseconds: a third of it bounds every wait. */
  get timeoutMs(): number {
    return this.#terms.timeoutMs;
  }

  /** What the client calls itself, or "". */
  get name(): string {
    return this.#terms.name;
  }

  get caller(): Caller {
    return this.identities.caller;
  }

  /** The session's secret, or "" without a session. */
  get secret(): string {
    return this.#secret;
  }

  /** The highest id among the writes of the session that were proposed. */
  get lastWriteId(): number {
    return this.#lastWriteId;
  }

  /** How often it may ask; null where there is no bound. */
  get allowance(): Allowances | null {
    return this.#allowance;
  }

  /** True once the connect is granted, until the connection is over. */
  get isAdmitted(): boolean {
    const phase = this.#phase;
    return phase.kind === "ready" || phase.kind === "closing" || (phase.kind === "holding" && phase.next === "auth");
  }

  /** What comes from now on waits: for the answer to a connect, or to an auth. */
  hold(next: "connect" | "auth"): void {
    this.#phase = { kind: "holding", next };
  }

  /** What the connect asks for, as far as it is granted. */
  agree(terms: Terms): void {
    this.#terms = terms;
  }

  /** The connect is granted. */
  admit(
    held: Identities,
    allowance: Allowances | null,
    session: (SessionHeld & { readonly secret: string; readonly lastId: number }) | null,
  ): void {
    this.identities.become(held);
    this.#allowance = allowance;
    if (session === null) return;
    this.#session = { id: session.id, generation: session.generation };
    this.#secret = session.secret;
    this.#lastWriteId = session.lastId;
  }

  /** What was held may go on. */
  release(): void {
    this.#phase = { kind: "ready" };
  }

  /** A close was asked for: what comes after it is not looked at. */
  finish(): void {
    this.#phase = { kind: "closing" };
  }

  /** A write of the session is proposed. @returns the id of the write before it */
  propose(id: number): number {
    const before = this.#lastWriteId;
    this.#lastWriteId = Math.max(before, id);
    return before;
  }

  /** True where a request can be answered at once: nothing stands before it, and what is said gets through. */
  get isFree(): boolean {
    return this.#head === this.#slots.length && !this.#isPumping && !this.#isCongested && !this.identities.hasLapsed;
  }

  /** True while a write has to wait for its turn in the queue before it is proposed. */
  get holdsWrites(): boolean {
    return this.#holding > 0;
  }

  /** Takes a frame to its books. */
  receive(frame: ReceivedFrame): void {
    this.inbox.push(frame);
    this.#receivedBytes += frame.bytes;
    this.#host.budgets.receive(this.account, frame.bytes);
  }

  /** Looks ahead before a frame has to wait: false where its writes alone are too many, however the turns fall, and that closes it. */
  hasRoomFor(frame: ReceivedFrame): boolean {
    if (this.#unanswered.size + frame.writesLeft <= this.#host.requestsMax) return true;
    this.close(closeCode.tooMuch, "too many unanswered requests");
    return false;
  }

  /** Counts a frame's messages among the unanswered: all, or up to the one that was given out last. False where that closes it. */
  count(frame: ReceivedFrame, isAll: boolean): boolean {
    for (let message = frame.uncounted(isAll); message !== null; message = frame.uncounted(isAll)) {
      const { id } = message;
      if (this.#unanswered.has(id)) {
        this.close(closeCode.malformed, "the id of an unanswered request");
        return false;
      }
      if (this.#unanswered.size >= this.#host.requestsMax) {
        this.close(closeCode.tooMuch, "too many unanswered requests");
        return false;
      }
      if (frame.isSingle) {
        this.#unanswered.set(id, frame.bytes);
        frame.handOver();
      } else {
        this.#unanswered.set(id, frame);
        frame.count();
      }
    }
    return true;
  }

  /** The frame is handled to its end, or one of its requests answered. */
  settle(frame: ReceivedFrame): void {
    if (frame.settle()) this.#release(frame.bytes);
  }

  #release(bytes: number): void {
    this.#receivedBytes -= bytes;
    this.#host.budgets.receive(this.account, -bytes);
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
  reply(id: number, body: Body): void {
    const brought = this.#unanswered.get(id);
    if (brought !== undefined) {
      this.#unanswered.delete(id);
      if (typeof brought === "number") this.#release(brought);
      else this.settle(brought);
    }
    this.send(chunk(this.#host.replies.reply(id, body)));
  }

  send(message: Chunk): void {
    if (this.isClosed) return;
    this.#unsentUnits += message.text.length;
    if (this.#unsentUnits > congestedBytesMin) this.#lookAtBacklog();
    this.#host.effects.add({ kind: "send", connection: this.number, chunk: message });
  }

  get isClosed(): boolean {
    return this.#phase.kind === "closed";
  }

  /** The connection is over: nothing of it runs or answers any more, and nothing is held for it. */
  end(): void {
    if (this.isClosed) return;
    this.#phase = { kind: "closed" };
    this.#slots = [];
    this.#head = 0;
    this.inbox.length = 0;
    this.#unanswered.clear();
    const { budgets } = this.#host;
    budgets.receive(this.account, -this.#receivedBytes);
    budgets.unsent(this.account, -this.#bookedBytes);
    this.#receivedBytes = 0;
    this.#unsentUnits = 0;
    this.#bookedBytes = 0;
    budgets.close(this.account);
  }

  close(code: CloseCode, reason: string): void {
    if (this.isClosed) return;
    this.end();
    this.#host.effects.add({ kind: "close", connection: this.number, code, reason });
  }

  /** Answers everything that is unanswered with one error, in the order of the requests, and closes. */
  refuseAll(body: Body, code: CloseCode, reason: string): void {
    this.#slots = [];
    this.#head = 0;
    for (const id of [...this.#unanswered.keys()]) this.reply(id, body);
    this.close(code, reason);
  }

  /** What the gateway still has to send for this connection, in bytes. */
  backlog(bytes: number): void {
    if (this.isClosed) return;
    this.#unsentUnits = bytes;
    if (bytes !== this.#bookedBytes) {
      this.#host.budgets.unsent(this.account, bytes - this.#bookedBytes);
      this.#bookedBytes = bytes;
    }
    this.#lookAtBacklog();
    if (!this.#isCongested) this.pump();
  }

  /**
   * Looks at what waits.
   * @param bytes as the gateway says now
   * @returns true if nothing of it has gone for `stallMs`
   */
  isStalled(bytes: number, now: number, stallMs: number): boolean {
    const goesOn = bytes === 0 || bytes < this.#waitedBytes;
    this.#waitedBytes = bytes;
    this.backlog(bytes);
    if (goesOn) this.#stalledAt = now;
    return now - this.#stalledAt >= stallMs;
  }

  /** Most have little waiting, and need no look at what others have. */
  #lookAtBacklog(): void {
    const units = this.#unsentUnits;
    this.#isCongested = units > congestedBytesMin && units > this.#host.budgets.congestedBytes(this.account, backlogBytesHigh);
  }

  /** Runs and answers from the head of the queue as far as it goes, and as long as the turn does. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.isClosed && !this.#isCongested && !this.identities.hasLapsed && this.#head < this.#slots.length) {
      const slot = this.#slots[this.#head]!;
      if (slot.run !== null) {
        if (this.#host.turn.isOver) {
          this.#host.later(this);
          break;
        }
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
