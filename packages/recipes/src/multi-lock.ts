/**
 * Several locks at once, or none.
 *
 * The paths are locked one after the other in code-unit order, the same for all clients, so two that want overlapping sets never wait for
 * each other in a circle. Invariants: the `signal` aborts as soon as any of the locks is lost; a write under `guard` holds only while
 * all are held; each path's own token strictly increases, and so does `token` among those who lock the same set.
 *
 * Failures: those of the lock, for each. A client that waits for one of them holds those before it.
 */
import type { Copse, Guard } from "@copse/client";
import { lock } from "./lock.ts";
import { type WaitOptions, withinTime } from "./waiting/acquire.ts";
import { type Handle, heldBy } from "./waiting/handle.ts";
import { joined, whileNone } from "./waiting/joined.ts";
import { type Held, ignoreFailure } from "./waiting/place.ts";

export interface MultiLock extends Handle {
  /** In the order in which they were locked. */
  readonly paths: readonly string[];
  /** The newest of the locks' tokens. */
  readonly token: number;
  /** Makes a write hold only while all are held. */
  readonly guard: readonly Guard[];
  /** The fencing token for what this path protects. @throws RangeError for a path that was not locked */
  tokenOf(path: string): number;
}

/** As many guards as one write takes. */
const pathsMax = 16;

/**
 * Waits for all the locks.
 * @throws CopseError TIMEOUT, SESSION_EXPIRED; RangeError; the signal's reason
 * @example
 * const held = await multiLock(copse, ["/locks/a", "/locks/b"]);
 * console.log(held.tokenOf("/locks/a"));
 * await held.close();
 */
export function multiLock(copse: Copse, paths: readonly string[], options: WaitOptions = {}): Promise<MultiLock> {
  const sorted = [...new Set(paths)].sort();
  if (sorted.length === 0 || sorted.length > pathsMax) throw new RangeError(`a multi-lock takes 1 to ${pathsMax} paths`);
  return withinTime(copse, sorted.join(", "), options, async (signal) => {
    const held: Held[] = [];
    const close = async (): Promise<void> => {
      await Promise.all(held.map((one) => one.close()));
    };
    try {
      for (const path of sorted) {
        const { acl, data, policy } = options;
        const ends = [signal, ...held.map((one) => one.signal)];
        held.push(await whileNone(ends, (ended) => lock(copse, path, { acl, data, policy, signal: ended })));
      }
    } catch (error) {
      // Not awaited: without a connection it takes until the session ends, and the caller's time is up.
      close().catch(ignoreFailure);
      throw error;
    }
    const tokens = new Map(sorted.map((path, at) => [path, held[at]!.token]));
    const facts = {
      paths: sorted,
      token: Math.max(...tokens.values()),
      signal: joined(...held.map((one) => one.signal)).signal,
      guard: held.map((one) => one.guard),
      tokenOf: (path: string): number => {
        const token = tokens.get(path);
        if (token === undefined) throw new RangeError(`${path} is not one of the locks`);
        return token;
      },
    };
    return heldBy(facts, close);
  });
}
