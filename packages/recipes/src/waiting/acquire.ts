/**
 * Waiting in a queue until one's place may be held, for as long as the caller has time.
 */
import { type Copse, CopseError } from "@copse/client";
import { whileNone } from "./joined.ts";
import { type Held, ignoreFailure, type Place, type PlaceKind, type PlaceOptions, takePlace } from "./place.ts";

export interface WaitOptions extends PlaceOptions {
  /** Gives up after so many milliseconds, with TIMEOUT. Default: never. */
  readonly waitMs?: number | undefined;
}

/**
 * Takes a place in the queue at `path`, waits until nobody stands in its way, and holds it.
 * @throws CopseError TIMEOUT, SESSION_EXPIRED; the signal's reason
 */
export async function acquire(copse: Copse, path: string, kind: PlaceKind, options: WaitOptions): Promise<Held> {
  return (await acquirePlace(copse, path, kind, options)).hold();
}

/** As `acquire`, and gives the place at the head itself. */
export function acquirePlace(copse: Copse, path: string, kind: PlaceKind, options: WaitOptions): Promise<Place> {
  return withinTime(copse, path, options, async (signal) => {
    let place: Place | null = null;
    try {
      place = await takePlace(copse, path, kind, { ...options, signal });
      await place.reachHead(signal);
      return place;
    } catch (error) {
      // Not awaited: without a connection it takes until the session ends, and the caller's time is up.
      place?.leave().catch(ignoreFailure);
      throw error;
    }
  });
}

/** Gives `work` a signal that aborts with the caller's own, and when the wait is over: that is TIMEOUT. */
export async function withinTime<T>(
  copse: Copse,
  path: string,
  { waitMs, signal }: Pick<WaitOptions, "waitMs" | "signal">,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (waitMs === undefined) return work(signal);
  const timeout = new AbortController();
  const late = new CopseError("TIMEOUT", `${path} was not free within ${waitMs} ms`, { path });
  const cancel = copse.clock.after(waitMs, () => timeout.abort(late));
  try {
    return await whileNone([signal, timeout.signal], work);
  } finally {
    cancel();
  }
}
