/**
 * Waiting in a queue until one's place may be held, for as long as the caller has time.
 */
import { type Copse, CopseError, isCopseError } from "@copse/client";
import { type Held, ignoreFailure, type Place, type PlaceKind, type PlaceOptions, takePlace } from "./predecessor.ts";

export interface WaitOptions extends PlaceOptions {
  /** Gives up after so many milliseconds, with TIMEOUT. Default: never. */
  readonly waitMs?: number | undefined;
}

/**
 * Takes a place in the queue at `path`, waits until nobody stands in its way, and holds it.
 * @throws CopseError TIMEOUT, SESSION_EXPIRED; the signal's reason
 */
export function acquire(copse: Copse, path: string, kind: PlaceKind, options: WaitOptions): Promise<Held> {
  return withinTime(path, options, async (signal) => {
    let place: Place | null = null;
    try {
      place = await takePlace(copse, path, kind, { ...options, signal });
      await place.reachHead(signal);
      return place.hold();
    } catch (error) {
      // Not awaited: without a connection it takes until the session ends, and the caller's time is up.
      place?.leave().catch(ignoreFailure);
      throw error;
    }
  });
}

/** Gives `work` a signal that aborts with the caller's own, and when the wait is over: that is TIMEOUT. */
export async function withinTime<T>(
  path: string,
  { waitMs, signal }: Pick<WaitOptions, "waitMs" | "signal">,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const timeout = waitMs === undefined ? undefined : AbortSignal.timeout(waitMs);
  const either = [signal, timeout].filter((given) => given !== undefined);
  try {
    return await work(either.length === 0 ? undefined : AbortSignal.any(either));
  } catch (error) {
    if (timeout?.aborted === true && signal?.aborted !== true && !isCopseError(error)) {
      throw new CopseError("TIMEOUT", `${path} was not free within ${waitMs} ms`, { path });
    }
    throw error;
  }
}
