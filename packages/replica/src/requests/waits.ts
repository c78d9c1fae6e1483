/**
 * Requests that wait: for a zxid to be applied here, or for a barrier to be confirmed.
 *
 * Invariants: no wait outlives its deadline; one barrier serves all who asked in a turn of the loop.
 */
import type { Order } from "../order/order.ts";

interface Wait {
  readonly isOver: (zxid: number) => boolean;
  readonly deadline: number;
  readonly go: () => void;
  readonly giveUp: () => void;
}

/** A barrier that was asked for at one moment. */
export interface ReadBarrier {
  isConfirmed: boolean;
  /** Sessions that the coordinator counts before it confirms. */
  readonly touched: Set<string>;
}

export class Waits {
  readonly #order: Order;
  readonly #waits: Set<Wait> = new Set();
  readonly #barriers: Map<number, ReadBarrier> = new Map();
  #gathering: ReadBarrier | null = null;
  #ticket = 0;

  constructor(order: Order) {
    this.#order = order;
  }

  /** The barrier of this turn. */
  barrier(): ReadBarrier {
    this.#gathering ??= { isConfirmed: false, touched: new Set() };
    return this.#gathering;
  }

  /** Asks for the turn's barrier, if anyone wants it. */
  flush(): void {
    if (this.#gathering === null) return;
    const { touched } = this.#gathering;
    this.#barriers.set(++this.#ticket, this.#gathering);
    this.#gathering = null;
    this.#order.barrier(this.#ticket, [...touched]);
  }

  /** Calls `go` once `isOver`, or `giveUp` after the deadline (on the member's clock). */
  until(isOver: (zxid: number) => boolean, zxid: number, deadline: number, go: () => void, giveUp: () => void): void {
    if (isOver(zxid)) go();
    else this.#waits.add({ isOver, deadline, go, giveUp });
  }

  confirmed(ticket: number, zxid: number): void {
    const barrier = this.#barriers.get(ticket);
    if (barrier === undefined) return;
    this.#barriers.delete(ticket);
    barrier.isConfirmed = true;
    this.look(zxid);
  }

  /** Lets go whoever waits no longer. */
  look(zxid: number): void {
    for (const wait of this.#waits) {
      if (!wait.isOver(zxid)) continue;
      this.#waits.delete(wait);
      wait.go();
    }
  }

  tick(now: number): void {
    for (const wait of this.#waits) {
      if (now < wait.deadline) continue;
      this.#waits.delete(wait);
      wait.giveUp();
    }
  }
}
