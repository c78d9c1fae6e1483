/**
 * Reads that have to see everything: batched, asked of the leader, asked again if the answer seems lost.
 *
 * Invariants: one question is under way at a time, and what comes meanwhile waits for the next; a ticket is confirmed by an
 * answer that was asked for after it came, once this member has been given all entries up to the answer's index. The
 * sessions that were touched travel with the question, so the member that answers has counted them before.
 */
import type { Clock } from "../ports.ts";

export interface Question {
  /** Tells it from every other question in the ensemble. */
  readonly context: string;
  readonly touched: readonly string[];
}

interface Asked extends Question {
  readonly tickets: readonly Ticket[];
  readonly at: number;
}

interface Ticket {
  readonly number: number;
  readonly touched: readonly string[];
}

export class Barriers {
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  #waiting: Ticket[] = [];
  #asked: Asked | null = null;
  #answered: { readonly index: number; readonly tickets: readonly Ticket[] }[] = [];
  #count = 0;

  /**
   * @param prefix of contexts: differs from every other member's, and from this member's before it started again
   * @param patienceMs how long an answer may take before the question is asked again
   */
  constructor(prefix: string, clock: Clock, patienceMs: number) {
    this.#prefix = prefix;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  add(number: number, touched: readonly string[]): void {
    this.#waiting.push({ number, touched });
  }

  /** The question to ask now, or null. It counts as asked. */
  next(): Question | null {
    if (this.#asked !== null || this.#waiting.length === 0) return null;
    const tickets = this.#waiting;
    this.#waiting = [];
    const touched = [...new Set(tickets.flatMap((ticket) => ticket.touched))];
    this.#asked = { context: `${this.#prefix}.${++this.#count}`, touched, tickets, at: this.#clock.now() };
    return this.#asked;
  }

  /** The sessions that travel with a question, if it is the one under way. */
  touchedBy(context: string): readonly string[] {
    return this.#asked?.context === context ? this.#asked.touched : [];
  }

  answered(context: string, index: number): void {
    if (this.#asked?.context !== context) return;
    this.#answered.push({ index, tickets: this.#asked.tickets });
    this.#asked = null;
  }

  /** The tickets that are confirmed once entries up to `given` have been given out. */
  confirmed(given: number): number[] {
    const over = this.#answered.filter(({ index }) => index <= given);
    if (over.length > 0) this.#answered = this.#answered.filter(({ index }) => index > given);
    return over.flatMap(({ tickets }) => tickets.map(({ number }) => number));
  }

  /** What is under way is to be asked again: somebody else leads, or nobody takes it. */
  again(): void {
    if (this.#asked === null) return;
    this.#waiting = [...this.#asked.tickets, ...this.#waiting];
    this.#asked = null;
  }

  tick(): void {
    if (this.#asked !== null && this.#clock.now() - this.#asked.at >= this.#patienceMs) this.again();
  }
}
