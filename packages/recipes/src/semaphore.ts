/**
 * A fair semaphore: at most so many hold a lease at once.
 *
 * A client that wants a lease first acquires a lock, and waits under it until there is room; its lease is made under the lock's guard.
 * So leases are made one after the other, their number only falls meanwhile, and a release wakes one. Invariants: never more than
 * `permits` leases whose signals are unaborted; tokens strictly increase. All users of a path have to pass the same `permits`.
 *
 * Failure story: a holder that crashes keeps its lease until its session expires; the first in the queue that crashes keeps
 * the others waiting for as long.
 */
import type { Copse } from "@copse/client";
import { lock } from "./lock.ts";
import { type WaitOptions, withinTime } from "./waiting/acquire.ts";
import { whileNone } from "./waiting/joined.ts";
import { exclusive, type Held, ignoreFailure, takePlace } from "./waiting/place.ts";
import { untilSeen } from "./waiting/until-seen.ts";
import { wholeList } from "./waiting/whole-list.ts";

export interface SemaphoreOptions extends WaitOptions {
  /** How many may hold a lease at once: a positive integer. */
  readonly permits: number;
}

const kind = exclusive("lease-");

/**
 * Waits for a lease at `path`.
 * @throws CopseError TIMEOUT, SESSION_EXPIRED; RangeError; the signal's reason
 * @example
 * const lease = await semaphore(copse, "/locks/downloads", { permits: 3 });
 * await lease.close();
 */
export async function semaphore(copse: Copse, path: string, options: SemaphoreOptions): Promise<Held> {
  const { acl, permits } = options;
  if (!Number.isSafeInteger(permits) || permits < 1) throw new RangeError("permits is a positive integer");
  return withinTime(copse, path, options, async (signal) => {
    const turn = await lock(copse, `${path}/queue`, { acl, signal });
    try {
      await whileNone([signal, turn.signal], (ended) => hasRoom(copse, `${path}/leases`, permits, ended));
      const lease = await takePlace(copse, `${path}/leases`, kind, { ...options, signal, guard: turn.guard });
      return lease.hold();
    } finally {
      turn.close().catch(ignoreFailure);
    }
  });
}

/** Resolves once there are fewer leases than permits. */
function hasRoom(copse: Copse, path: string, permits: number, signal: AbortSignal): Promise<true> {
  return untilSeen(copse, [path], signal, async () => {
    if ((await copse.exists(path, { signal })) === null) return true;
    return (await wholeList(copse, path, { signal })).length < permits ? true : null;
  });
}
