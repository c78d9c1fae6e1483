/**
 * What leaves for clients: gathered turn by turn, sent in slices, so that ten thousand who are told at once hold up nobody else.
 *
 * Invariants: what waits for one connection leaves together, in order; the connection that has waited longest is next; a close leaves behind
 * all that was to be sent before it.
 */
import type { Chunk } from "@copse/protocol";
import type { Effect } from "../effect.ts";
import type { Gateway } from "../ports.ts";

/** Connections that are sent to in one turn: a system call each, ten milliseconds together. */
export const deliveriesMaxDefault = 1_024;
/** UTF-16 units that are sent in one turn, but for the last delivery. */
const unitsMax = 4_194_304;

export class Deliveries {
  readonly #gateway: Gateway;
  readonly #deliveriesMax: number;
  /** Hears how much of what was sent on a connection still waits, in bytes. */
  readonly #onSent: (connection: number, backlog: number) => void;
  readonly #waiting: Map<number, Chunk[]> = new Map();

  constructor(gateway: Gateway, deliveriesMax: number, onSent: (connection: number, backlog: number) => void) {
    this.#gateway = gateway;
    this.#deliveriesMax = deliveriesMax;
    this.#onSent = onSent;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Bytes that wait on a connection, as the gateway says; null where some wait here. */
  unsent(connection: number): number | null {
    return this.#waiting.has(connection) ? null : this.#gateway.unsent(connection);
  }

  /** Takes what a turn wants done. Closes are done at once, and what stands before them with them. */
  take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "send") this.#add(effect.connection, effect.chunk);
      else if (effect.kind === "authenticate") {
        this.#gateway.authenticate(effect.connection, effect.ticket, effect.credentials, effect.proved);
      } else {
        this.#deliver(effect.connection);
        this.#gateway.close(effect.connection, effect.code, effect.reason);
      }
    }
  }

  /** Sends one slice. */
  send(): void {
    let deliveries = 0;
    let units = 0;
    for (const [connection] of this.#waiting) {
      if (deliveries >= this.#deliveriesMax || units >= unitsMax) return;
      units += this.#deliver(connection);
      deliveries++;
    }
  }

  #add(connection: number, chunk: Chunk): void {
    const chunks = this.#waiting.get(connection);
    if (chunks === undefined) this.#waiting.set(connection, [chunk]);
    else chunks.push(chunk);
  }

  /** Sends all that waits for a connection; gives its size in UTF-16 units. */
  #deliver(connection: number): number {
    const chunks = this.#waiting.get(connection);
    if (chunks === undefined) return 0;
    this.#waiting.delete(connection);
    this.#onSent(connection, this.#gateway.deliver(connection, chunks));
    let units = 0;
    for (const { text } of chunks) units += text.length;
    return units;
  }
}
