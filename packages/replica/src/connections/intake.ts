/**
 * What comes on connections: frames are weighed, counted, and their messages handed on one by one.
 *
 * Invariants: the messages of a connection are handled in order; one that has to wait (a connect or an auth is being proved, the turn is
 * over) is on the books of its connection, and nobody else waits for it.
 */
import { closeCode, type Limits, type RawMessage } from "@copse/protocol";
import type { Clock } from "../ports.ts";
import type { Requests } from "../requests/requests.ts";
import type { Admission } from "../sessions/admission.ts";
import type { Budgets } from "./budgets.ts";
import type { Connection } from "./connection.ts";
import { ReceivedFrame } from "./received-frame.ts";
import type { Turn } from "./turn.ts";

export interface IntakeState {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly budgets: Budgets;
  readonly turn: Turn;
  readonly admission: Admission;
  readonly requests: Requests;
  /** Bytes that wait to be sent on a connection, as the gateway says; null where some wait in between. */
  readonly unsent: (connection: number) => number | null;
}

/** Requests that may be refused one after the other because they come too often, before the connection is closed. */
const throttledMax = 1_000;

export class Intake {
  readonly #state: IntakeState;
  /** Connections that have more to do than a turn allowed; the one that has waited longest is first. */
  readonly #waiting: Set<Connection> = new Set();

  constructor(state: IntakeState) {
    this.#state = state;
  }

  /** True while connections have more to do than a turn allowed. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** A connection has more to do, in a later turn. */
  later(connection: Connection): void {
    this.#waiting.add(connection);
  }

  forget(connection: Connection): void {
    this.#waiting.delete(connection);
  }

  /** Goes on with those who have more to do, who has waited longest first, until the turn is over. */
  work(): void {
    for (const connection of [...this.#waiting]) {
      if (this.#state.turn.isOver) return;
      this.#waiting.delete(connection);
      connection.pump();
      this.handle(connection);
    }
  }

  /** A frame has come. */
  take(connection: Connection, text: string): void {
    if (connection.phase.kind === "closed" || connection.phase.kind === "closing") return;
    const { budgets, clock, limits } = this.#state;
    const now = clock.now();
    connection.heardAt = now;
    const bound = budgets.overReceived(connection.account, connection.receivedBytes + text.length);
    if (bound !== null) budgets.refused(bound);
    const frame = new ReceivedFrame(text, bound !== null);
    connection.receive(frame);
    if (connection.receivedBytes > limits.receivedBytes) {
      budgets.refused("receivedBytesPerConnection");
      return connection.close(closeCode.tooMuch, "too many bytes of unanswered requests");
    }
    if (connection.phase.kind === "holding") this.#hold(connection, frame);
    else if (connection.inbox.length === 1) this.handle(connection, now);
  }

  /** What a frame asks for has to wait for a connect or an auth: it is counted now. */
  #hold(connection: Connection, frame: ReceivedFrame): void {
    if (frame.isThrottled) return connection.close(closeCode.tooMuch, "too much is held for others already");
    if (!connection.count(frame, true)) return;
    if (frame.fault !== null) return connection.close(closeCode.malformed, frame.fault);
    frame.park();
  }

  /** Handles what has come on a connection, in order, as long as the turn and its phase allow. */
  handle(connection: Connection, now: number = this.#state.clock.now()): void {
    const { inbox } = connection;
    let lookedAt = now;
    for (let frame = inbox[0]; frame !== undefined; frame = inbox[0]) {
      if (connection.phase.kind === "closed" || connection.phase.kind === "closing") return;
      if (connection.phase.kind === "holding") {
        for (const held of inbox) this.#hold(connection, held);
        return;
      }
      if (frame.hasNext && this.#state.turn.isOverAt(lookedAt)) {
        if (connection.hasRoomFor(frame)) this.#waiting.add(connection);
        return;
      }
      const message = frame.next();
      if (message === null) {
        inbox.shift();
        const { fault } = frame;
        frame.end();
        connection.settle(frame);
        if (fault !== null) return connection.close(closeCode.malformed, fault);
      } else if (connection.count(frame, false)) {
        this.#next(connection, message, frame);
        if (frame.hasNext || inbox.length > 1) lookedAt = this.#state.clock.now();
      }
    }
  }

  #next(connection: Connection, message: RawMessage, frame: ReceivedFrame): void {
    if (connection.phase.kind === "awaiting-connect") {
      if (frame.isThrottled) return connection.close(closeCode.tooMuch, "too much is held for others already");
      if (message.members["op"] === "connect") return this.#state.admission.connect(connection, message);
      return connection.close(closeCode.malformed, "the first message is connect");
    }
    if (frame.isThrottled || this.#asksTooOften(connection, frame)) return this.#throttle(connection, message);
    connection.throttledInARow = 0;
    this.#state.requests.take(connection, message);
  }

  #asksTooOften({ allowance, holder }: Connection, { bytes, isFirst }: ReceivedFrame): boolean {
    if (allowance === null) return false;
    const now = this.#state.clock.now();
    const rate = holder?.overRate(isFirst ? bytes : 0, now) ?? null;
    if (rate !== null) {
      this.#state.budgets.refused(`${rate}PerIdentity`);
      return true;
    }
    if (!allowance.requests.take(1, now)) {
      this.#state.budgets.refused("requestsPerSecond");
      return true;
    }
    if (!isFirst || allowance.bytes.take(bytes, now)) return false;
    this.#state.budgets.refused("bytesPerSecond");
    return true;
  }

  /** Refuses what is known to be new; what may have been done before can't be refused in words that say it was not. */
  #throttle(connection: Connection, message: RawMessage): void {
    const { op } = message.members;
    if (op === "ping") return this.#state.requests.take(connection, message);
    const isNew = message.id > connection.lastWriteId && op !== "close" && op !== "connect";
    if (!isNew || ++connection.throttledInARow > throttledMax) return connection.close(closeCode.tooMuch, "too much, too often");
    this.#state.requests.throttle(connection, message.id);
  }

  /** Closes a connection that reads nothing of what waits for it. */
  lookForStalled(connections: Iterable<Connection>): void {
    const now = this.#state.clock.now();
    for (const connection of connections) {
      if (connection.unsentBytes === 0) continue;
      const bytes = this.#state.unsent(connection.number);
      if (bytes === null || !connection.isStalled(bytes, now, this.#state.budgets.limits.stallMs)) continue;
      this.#state.budgets.refused("stallMs");
      connection.close(closeCode.tooMuch, "too slow: nothing of what waits is taken");
    }
  }
}
