/**
 * Order by one member's own log: an entry is committed once it is durable.
 *
 * It writes what raft with a single voter would write (one term, a vote for itself), so that a hub with data can grow
 * into an ensemble. Invariant: entries are delivered in index order, only after the sync that made them durable.
 */
import type { HardState, LogEntry, Wal } from "@copse/log";
import type { Order, OrderEvent, OrderedEntry } from "./order.ts";
import type { Clock } from "./ports.ts";

export interface SingleOrderOptions {
  readonly wal: Wal;
  readonly clock: Clock;
  readonly member: string;
  /** The index of the last entry that the log holds, and the hard state beside it. */
  readonly lastIndex: number;
  readonly hardState: HardState;
  /** Takes what comes back, from outside of any call into this object but `start`. */
  readonly deliver: (event: OrderEvent) => void;
}

export class SingleOrder implements Order {
  readonly #options: SingleOrderOptions;
  readonly #term: number;
  #lastIndex: number;
  #isVoteKept: boolean;

  constructor(options: SingleOrderOptions) {
    this.#options = options;
    this.#lastIndex = options.lastIndex;
    this.#term = Math.max(1, options.hardState.term);
    this.#isVoteKept = options.hardState.term > 0;
  }

  /** Announces this member as the coordinator: there is no other. */
  start(): void {
    this.#options.deliver({ kind: "coordinator", isHere: true, term: this.#term });
  }

  propose(payload: string): void {
    const { wal, clock, member, deliver } = this.#options;
    const time = clock.wall();
    const entry: LogEntry = { index: ++this.#lastIndex, term: this.#term, payload: `${time} ${payload}` };
    const vote = this.#isVoteKept ? null : { term: this.#term, vote: member, commit: 0 };
    this.#isVoteKept = true;
    wal.append([entry], vote, () => deliver({ kind: "entries", entries: [{ index: entry.index, term: entry.term, time, payload }] }));
  }

  /** Whatever was acknowledged here has been applied here, and is ahead in the queue. */
  barrier(ticket: number): void {
    this.#options.deliver({ kind: "confirmed", ticket });
  }

  trim(index: number): void {
    this.#options.wal.truncateBefore(index);
  }
}

/** An entry of the log as the order gives it: the stamp stands before the payload. */
export function orderedEntry(entry: LogEntry): OrderedEntry {
  const space = entry.payload.indexOf(" ");
  return { index: entry.index, term: entry.term, time: Number(entry.payload.slice(0, space)), payload: entry.payload.slice(space + 1) };
}
