/**
 * Leader election: one iteration for each term won (`election`), and the present leader for everyone else (`observeLeader`).
 *
 * Candidates stand in a queue; the first leads. Leaving the loop's body resigns, and the next turn of the loop campaigns
 * again; leaving the loop withdraws. A candidate whose session ends campaigns again in the next one. Invariants are the
 * lock's: a term's signal aborts before another can lead, and tokens strictly increase. An observer watches only the leader's
 * znode.
 *
 * Failure story: a leader that crashes leads until its session expires; nobody leads meanwhile.
 */
import { type Copse, isCopseError } from "@copse/client";
import { exclusive, firstOf, type Held, ignoreFailure, type PlaceOptions, takePlace, vanished } from "./waiting/place.ts";
import { steadily } from "./waiting/steadily.ts";
import { untilSeen } from "./waiting/until-seen.ts";

export interface Term extends Held {
  /** Ends the term; the next candidate leads. */
  resign(): Promise<void>;
}

/** Who leads, as its znode says. */
export interface Leader {
  readonly path: string;
  /** What the candidate said of itself. */
  readonly data: string | null;
  readonly token: number;
}

const kind = exclusive("candidate-");
const neverAborts: AbortSignal = new AbortController().signal;

/**
 * Campaigns at `path`, again and again, until the loop is left or the signal aborts.
 * @example
 * for await (const term of election(copse, "/election/cron", { data: "host-a" })) {
 *   console.log("leads", term.token);
 *   break; // resigns
 * }
 */
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
      yield Object.assign(held, { resign: held.close });
    } finally {
      await held.close();
    }
  }
}

/**
 * Who leads at `path`, and each change of that; null while nobody does. Ends with the loop, the signal or the client.
 * @example for await (const leader of observeLeader(copse, "/election/cron", { signal })) console.log(leader?.data);
 */
export async function* observeLeader(
  copse: Copse,
  path: string,
  { signal = neverAborts }: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Leader | null, void> {
  try {
    for (;;) {
      let leader = await leaderAt(copse, path, signal);
      if (leader === null) {
        yield null;
        // While nobody leads, each new candidate is looked at.
        leader = await untilSeen(copse, [path], signal, () => leaderAt(copse, path, signal));
      }
      yield leader;
      await vanished(copse, leader.path, signal);
    }
  } catch (error) {
    if (!signal.aborted && !isCopseError(error, "CLOSED")) throw error;
  }
}

async function leaderAt(copse: Copse, path: string, signal: AbortSignal): Promise<Leader | null> {
  for (;;) {
    const first = await firstOf(copse, path, kind, signal);
    if (first === null) return null;
    try {
      const { data, stat } = await steadily(copse, signal, () => copse.get(first, { signal }));
      return { path: first, data, token: stat.czxid };
    } catch (error) {
      // It has gone between the two looks.
      if (!isCopseError(error, "NO_NODE")) throw error;
    }
  }
}
