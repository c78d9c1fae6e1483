/**
 * When sessions expire: the coordinator's timers.
 *
 * A timer is restarted by each sign of life that reached the coordinator. Invariants: none fires sooner than its full
 * timeout after the last sign, by a clock that never jumps; a new coordinator, and one that wakes from a pause, starts all
 * timers anew; a session that is being expired can't be touched back to life. Sessions stand in buckets by
 * deadline and are only looked at when their bucket is due, so a touch costs nothing.
 */
interface Timer {
  timeoutMs: number;
  deadline: number;
  bucket: number;
  isExpiring: boolean;
}

const bucketMs = 250;

export class SessionExpiry {
  readonly #timers: Map<string, Timer> = new Map();
  readonly #buckets: Map<number, Set<string>> = new Map();
  #nextBucket: number;

  constructor(now: number) {
    this.#nextBucket = Math.floor(now / bucketMs);
  }

  /** Starts or changes the timer of a session. */
  start(session: string, timeoutMs: number, now: number): void {
    const timer = this.#timers.get(session);
    if (timer === undefined) {
      const fresh = { timeoutMs, deadline: now + timeoutMs, bucket: 0, isExpiring: false };
      this.#timers.set(session, fresh);
      this.#put(session, fresh);
      return;
    }
    timer.timeoutMs = timeoutMs;
    timer.isExpiring = false;
    timer.deadline = now + timeoutMs;
    this.#put(session, timer);
  }

  /** A sign of life. False if it came too late, or the session is unknown. */
  touch(session: string, now: number): boolean {
    const timer = this.#timers.get(session);
    if (timer === undefined || timer.isExpiring) return false;
    timer.deadline = now + timer.timeoutMs;
    return true;
  }

  forget(session: string): void {
    const timer = this.#timers.get(session);
    if (timer === undefined) return;
    this.#buckets.get(timer.bucket)?.delete(session);
    this.#timers.delete(session);
  }

  /** True if the session's time was over, and its end is on the way. */
  isExpiring(session: string): boolean {
    return this.#timers.get(session)?.isExpiring === true;
  }

  /** Forgets every session. */
  clear(): void {
    this.#timers.clear();
    this.#buckets.clear();
  }

  /** Gives every session its full timeout again. */
  restartAll(now: number): void {
    for (const [session, timer] of this.#timers) this.start(session, timer.timeoutMs, now);
  }

  /** The sessions whose time is over: each is given once, and counts as being expired from then on. */
  due(now: number): string[] {
    const expired: string[] = [];
    for (const last = Math.floor(now / bucketMs); this.#nextBucket < last; this.#nextBucket++) {
      const bucket = this.#buckets.get(this.#nextBucket);
      this.#buckets.delete(this.#nextBucket);
      for (const session of bucket ?? []) {
        const timer = this.#timers.get(session)!;
        if (timer.deadline > now) this.#put(session, timer);
        else {
          timer.isExpiring = true;
          expired.push(session);
        }
      }
    }
    return expired;
  }

  #put(session: string, timer: Timer): void {
    this.#buckets.get(timer.bucket)?.delete(session);
    timer.bucket = Math.max(Math.floor(timer.deadline / bucketMs), this.#nextBucket);
    const bucket = this.#buckets.get(timer.bucket);
    if (bucket === undefined) this.#buckets.set(timer.bucket, new Set([session]));
    else bucket.add(session);
  }
}
