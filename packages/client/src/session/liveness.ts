/**
 * When a session was last proved alive, and what a look at the clocks says of it.
 *
 * Two clocks are looked at. The steady one decides: it never jumps, but on many hosts it stands still while the machine sleeps. The wall
 * clock counts sleep, and may be set by anyone: past its deadline a session that is connected is asked, by a ping, and one that is not
 * is given up. Invariant: a proof of life counts from when its request was sent, on each clock; a write's counts on the steady one
 * alone, because its answer may have waited here while the machine slept.
 */
import type { Clock } from "../transport.ts";

/** A moment on both clocks, in milliseconds. */
export interface Moment {
  readonly steady: number;
  readonly wall: number;
}

/** over: the session is lost. silent: the connection does not answer. due: a ping has to go out. */
export type Verdict = "over" | "silent" | "due" | "alive";

export class Liveness {
  readonly #clock: Clock;
  #timeoutMs = 0;
  #deadline: Moment = { steady: 0, wall: 0 };
  /** The ping that is not answered yet. */
  #ping: { readonly id: number; readonly sent: Moment } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get now(): Moment {
    const steady = this.#clock.now();
    return { steady, wall: this.#clock.wallNow?.() ?? steady };
  }

  /** A connect of that moment was answered: the session has so many milliseconds from then on. */
  begin(timeoutMs: number, sent: Moment): void {
    this.#timeoutMs = timeoutMs;
    this.#ping = null;
    this.#deadline = this.#after(sent);
  }

  /** A write that was sent then was answered. */
  proveByWrite(sentAt: number): void {
    const { steady, wall } = this.#deadline;
    this.#deadline = { steady: Math.max(steady, sentAt + this.#lifeMs), wall };
  }

  get isPinging(): boolean {
    return this.#ping !== null;
  }

  /** A ping goes out now. */
  ping(id: number): void {
    this.#ping = { id, sent: this.now };
  }

  /** True where this is the answer to the ping. `isProof`: it is no error. */
  pong(id: number, isProof: boolean): boolean {
    if (this.#ping?.id !== id) return false;
    const { steady, wall } = this.#after(this.#ping.sent);
    if (isProof) this.#deadline = { steady: Math.max(steady, this.#deadline.steady), wall };
    this.#ping = null;
    return true;
  }

  /** The connection is gone, and what was asked on it. */
  disconnect(): void {
    this.#ping = null;
  }

  /** True once the session is lost whatever the connection says. */
  get isOver(): boolean {
    return this.#clock.now() >= this.#deadline.steady;
  }

  /** A ping that is not answered within a sixth of the timeout means a dead connection: another sixth is left to resume on a new one. */
  verdict(isConnected: boolean, hasSession: boolean): Verdict {
    const { steady, wall } = this.now;
    if (hasSession && (steady >= this.#deadline.steady || (!isConnected && wall >= this.#deadline.wall))) return "over";
    if (!isConnected) return "alive";
    if (this.#ping !== null) return steady - this.#ping.sent.steady >= this.#timeoutMs / 6 ? "silent" : "alive";
    const third = this.#timeoutMs / 3;
    return steady >= this.#deadline.steady - third || wall >= this.#deadline.wall - third ? "due" : "alive";
  }

  /** Milliseconds until the next look. */
  untilLook(isConnected: boolean, hasSession: boolean): number {
    const due = this.#ping === null ? this.#deadline.steady - this.#timeoutMs / 3 : this.#ping.sent.steady + this.#timeoutMs / 6;
    const next = !isConnected ? this.#deadline.steady : hasSession ? Math.min(due, this.#deadline.steady) : due;
    return Math.max(1, next - this.#clock.now());
  }

  get #lifeMs(): number {
    return (this.#timeoutMs * 2) / 3;
  }

  #after({ steady, wall }: Moment): Moment {
    return { steady: steady + this.#lifeMs, wall: wall + this.#lifeMs };
  }
}
