/**
 * Leader election: one iteration for each term won.
 *
 * Candidates stand in a queue; the first leads. Leaving the loop's body resigns, and the next turn of the loop campaigns
 * again; leaving the loop withdraws. A candidate whose session ends campaigns again in the next one. Invariants are the
 * lock's: a term's signal aborts before another can lead, and tokens strictly increase.
 */
import { type Copse, isCopseError } from "@copse/client";
import { exclusive, type Held, ignoreFailure, type PlaceOptions, takePlace } from "./predecessor.ts";

export interface Term extends Held {
  /** Ends the term; the next candidate leads. */
  resign(): Promise<void>;
}

const kind = exclusive("candidate-");

/** Campaigns at `path`, again and again, until the loop is left or the signal aborts. */
export async function* election(copse: Copse, path: string, options: PlaceOptions = {}): AsyncGenerator<Term, void> {
  const { signal } = options;
  const isWithdrawn = (): boolean => signal?.aborted === true;
  while (!isWithdrawn() && copse.state !== "closed") {
    let held: Held;
    try {
      const place = await takePlace(copse, path, kind, options);
      try {
        await place.reachHead(signal);
      } catch (error) {
        place.leave().catch(ignoreFailure);
        throw error;
      }
      held = place.hold();
    } catch (error) {
      if (isWithdrawn() || isCopseError(error, "CLOSED")) return;
      if (!isCopseError(error, "SESSION_EXPIRED") && !isCopseError(error, "UNAVAILABLE")) throw error;
      await copse.connected(signal).catch(ignoreFailure);
      continue;
    }
    try {
      yield { ...held, resign: held.close };
    } finally {
      await held.close();
    }
  }
}
