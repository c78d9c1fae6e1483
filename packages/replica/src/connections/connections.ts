/** The connections that are open, by the numbers that their gateway gave them. */
import { closeCode, connectWaitMs } from "@copse/protocol";
import type { Input } from "../input.ts";
import type { Clock } from "../ports.ts";
import { Connection, type ConnectionHost } from "./connection.ts";

export class Connections implements Iterable<Connection> {
  readonly #open: Map<number, Connection> = new Map();
  readonly #host: ConnectionHost;
  readonly #clock: Clock;
  readonly #unsent: (connection: number) => number | null;

  /** @param unsent what the gateway has still to send on one, in bytes; null where it does not say */
  constructor(host: ConnectionHost, clock: Clock, unsent: (connection: number) => number | null) {
    this.#host = host;
    this.#clock = clock;
    this.#unsent = unsent;
  }

  get size(): number {
    return this.#open.size;
  }

  get(number: number): Connection | undefined {
    return this.#open.get(number);
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#open.values();
  }

  opened(input: Extract<Input, { kind: "opened" }>): void {
    const now = this.#clock.now();
    const phase = { kind: "awaiting-connect", deadline: now + connectWaitMs } as const;
    this.#open.set(input.connection, new Connection(input.connection, input, phase, now, this.#host));
  }

  /** It is over: nothing of it is kept here. Gives it, where it was open. */
  closed(number: number): Connection | undefined {
    const connection = this.#open.get(number);
    connection?.end();
    this.#open.delete(number);
    return connection;
  }

  /** What the gateway has still to send on a connection, in bytes. */
  backlog(number: number, bytes: number): void {
    this.#open.get(number)?.backlog(bytes);
  }

  drained(number: number): void {
    const connection = this.#open.get(number);
    connection?.backlog(this.#unsent(number) ?? connection.unsentBytes);
  }

  /** Closes so many, because this member stops; says how many are left. */
  dismiss(most: number): number {
    const open = [...this.#open.values()].filter(({ isClosed }) => !isClosed);
    for (const connection of open.slice(0, most)) connection.close(closeCode.stopping, "the server is stopping");
    return Math.max(0, open.length - most);
  }
}
