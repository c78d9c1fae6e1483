/**
 * A fair lock.
 *
 * Each waiter stands in a queue of ephemeral sequential znodes and waits for the one before it. Invariants: the `signal` of a
 * holder aborts before the server can grant the lock to the next, clocks ten percent apart included; tokens strictly
 * increase; a `guard` makes the ensemble refuse writes of a client that has lost the lock.
 *
 * Failure story: a holder that crashes keeps the lock until its session expires; one that loses its connection keeps
 * it if it resumes in time, and is told at its own deadline if not.
 */
import type { Copse } from "@copse/client";
import { acquire, type WaitOptions } from "./waiting/acquire.ts";
import { exclusive, type Held, ignoreFailure, type PlaceOptions, takePlace } from "./waiting/place.ts";

export type Lock = Held;
export type LockOptions = WaitOptions;

const kind = exclusive("lock-");

/**
 * Waits for the lock at `path`.
 * @throws CopseError TIMEOUT, SESSION_EXPIRED; the signal's reason
 * @example
 * await using held = await lock(copse, "/locks/billing", { waitMs: 30_000 });
 * await copse.set("/app/title", "Mine", { guard: held.guard });
 */
export function lock(copse: Copse, path: string, options: LockOptions = {}): Promise<Lock> {
  return acquire(copse, path, kind, options);
}

/**
 * Takes the lock if it is free now; null if not.
 * @example
 * const held = await tryLock(copse, "/locks/nightly");
 * await held?.close();
 */
export async function tryLock(copse: Copse, path: string, options: PlaceOptions = {}): Promise<Lock | null> {
  const place = await takePlace(copse, path, kind, options);
  try {
    if ((await place.before(options.signal)).length === 0) return place.hold();
  } catch (error) {
    // Not awaited: without a connection it takes until the session ends.
    place.leave().catch(ignoreFailure);
    throw error;
  }
  await place.leave();
  return null;
}

/**
 * Runs `work` while holding the lock, and releases it however `work` ends.
 * @example
 * await withLock(copse, "/locks/billing", { waitMs: 30_000 }, async ({ token, guard }) => {
 *   await copse.set("/app/title", `Written under ${token}`, { guard });
 * });
 */
export async function withLock<T>(copse: Copse, path: string, options: LockOptions, work: (lock: Lock) => Promise<T>): Promise<T> {
  const held = await lock(copse, path, options);
  try {
    return await work(held);
  } finally {
    await held.close();
  }
}
