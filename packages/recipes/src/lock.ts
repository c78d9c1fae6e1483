/**
 * A fair lock.
 *
 * Each waiter stands in a queue of ephemeral sequential znodes and waits for the one before it. Invariants: the `signal` of a
 * holder aborts before the server can grant the lock to the next, clocks ten percent apart included; tokens strictly
 * increase; a `guard` makes the ensemble refuse writes of whoever has lost the lock.
 *
 * Failure story: a holder that crashes keeps the lock until its session expires; one that loses its connection keeps
 * it if it resumes in time, and is told at its own deadline if not.
 */
import { type Copse, CopseError, isCopseError } from "@copse/client";
import { type Held, type Place, type PlaceOptions, takePlace } from "./predecessor.ts";

export type Lock = Held;

export interface LockOptions extends PlaceOptions {
  /** Gives up after so many milliseconds, with TIMEOUT. Default: never. */
  readonly waitMs?: number | undefined;
}

const prefix = "lock-";

/** Waits for the lock at `path`. @throws CopseError TIMEOUT, SESSION_EXPIRED; the signal's reason */
export async function lock(copse: Copse, path: string, options: LockOptions = {}): Promise<Lock> {
  const { waitMs, signal } = options;
  const timeout = waitMs === undefined ? undefined : AbortSignal.timeout(waitMs);
  const either = [signal, timeout].filter((given) => given !== undefined);
  const both = either.length === 0 ? undefined : AbortSignal.any(either);
  let place: Place | null = null;
  try {
    place = await takePlace(copse, path, prefix, { ...options, signal: both });
    await place.reachHead(both);
    return place.hold();
  } catch (error) {
    // Not awaited: without a connection it takes until the session ends, and the caller's time is up.
    place?.leave().catch(ignoreFailure);
    if (timeout?.aborted === true && signal?.aborted !== true && !isCopseError(error)) {
      throw new CopseError("TIMEOUT", `the lock was not free within ${waitMs} ms`, { path });
    }
    throw error;
  }
}

/** Takes the lock if it is free now; null if not. */
export async function tryLock(copse: Copse, path: string, options: PlaceOptions = {}): Promise<Lock | null> {
  const place = await takePlace(copse, path, prefix, options);
  try {
    if ((await place.before(options.signal)).length === 0) return place.hold();
  } catch (error) {
    await place.leave();
    throw error;
  }
  await place.leave();
  return null;
}

/** Runs `work` while holding the lock, and releases it however `work` ends. */
export async function withLock<T>(copse: Copse, path: string, options: LockOptions, work: (lock: Lock) => Promise<T>): Promise<T> {
  const held = await lock(copse, path, options);
  try {
    return await work(held);
  } finally {
    await held.close();
  }
}

/** A place whose deletion can't be delivered goes with its session. */
function ignoreFailure(): void {}
