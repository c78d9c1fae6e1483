/**
 * A double barrier: so many begin together, and all leave together.
 *
 * `ROUND`, a znode, counts: its version is even while participants gather and odd while they are inside. Whoever completes the number
 * opens the round, the last to leave closes it; both are compared and set, so each happens once. Participants are
 * ephemerals, made in one txn with a check of the round, so nobody slips into a round that has begun. Invariants: nobody is inside
 * before `count` have come; nobody has left before all have left or vanished.
 *
 * Failure story: who crashes while gathering is not counted any more; who crashes inside counts as having left, once its session
 * expires. Waiting for the beginning takes one event for all; waiting for the end, one znode of another participant.
 */
import { type Copse, isCopseError } from "@copse/client";
import { type WaitOptions, withinTime } from "./acquire.ts";
import { either, ignoreFailure, vanished } from "./predecessor.ts";
import { untilSeen } from "./until-seen.ts";

export interface DoubleBarrierOptions extends Pick<WaitOptions, "signal" | "waitMs"> {
  /** How many begin together: a positive integer, the same for all. */
  readonly count: number;
}

export interface Inside {
  /** The same for all who are inside together; grows from round to round. */
  readonly round: number;
  /** Aborts if this participant's session is lost: the others count it as having left. */
  readonly signal: AbortSignal;
  /** Resolves once all have left. */
  leave(options?: Pick<WaitOptions, "signal" | "waitMs">): Promise<void>;
  /** Leaves without waiting for the others. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Waits until `count` have come. @throws CopseError TIMEOUT, SESSION_EXPIRED; RangeError; the signal's reason */
export async function doubleBarrier(copse: Copse, path: string, options: DoubleBarrierOptions): Promise<Inside> {
  const { count } = options;
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError("count is a positive integer");
  const round = new Round(copse, path);
  return withinTime(copse, path, options, async (signal) => {
    for (;;) {
      await round.prepare();
      const gathering = await round.gathering(signal);
      const own = await round.enter(gathering);
      if (own === null) continue; // The round has begun without this one.
      const session = copse.sessionSignal;
      try {
        const ended = either(signal, session);
        if ((await round.participants(ended)).length >= count) await round.advance(gathering);
        await round.passed(gathering, ended);
      } catch (error) {
        copse.delete(own).catch(ignoreFailure);
        throw error;
      }
      return inside(copse, round, own, gathering + 1, session);
    }
  });
}

function inside(copse: Copse, round: Round, own: string, version: number, session: AbortSignal): Inside {
  const close = async (): Promise<void> => {
    if (session.aborted) return; // The znode has gone with its session.
    await copse.delete(own).catch(unless("NO_NODE"));
    if ((await round.participants(undefined)).length === 0) await round.advance(version);
  };
  return {
    round: version,
    signal: session,
    leave: (options = {}) =>
      withinTime(copse, own, options, async (signal) => {
        const ended = either(signal, session);
        let hasLeft = false;
        for (;;) {
          const left = await round.participants(ended);
          const lowest = left[0];
          // The one that came first leaves last, and closes the round; all others wait for it alone.
          if (lowest === undefined || (left.length === 1 && lowest === own)) {
            if (!hasLeft) await copse.delete(own).catch(unless("NO_NODE"));
            return round.advance(version);
          }
          if (lowest === own) await vanished(copse, left[left.length - 1]!, ended);
          else {
            if (!hasLeft) await copse.delete(own).catch(unless("NO_NODE"));
            hasLeft = true;
            await vanished(copse, lowest, ended);
            if (await round.isPast(version, ended)) return;
          }
        }
      }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

class Round {
  readonly #copse: Copse;
  readonly #round: string;
  readonly #inside: string;

  constructor(copse: Copse, path: string) {
    this.#copse = copse;
    this.#round = `${path}/round`;
    this.#inside = `${path}/participants`;
  }

  async prepare(): Promise<void> {
    await this.#copse.create(this.#round, null, { parents: true }).catch(unless("NODE_EXISTS"));
    await this.#copse.create(this.#inside, null, { parents: true }).catch(unless("NODE_EXISTS"));
  }

  /** The version of a round that gathers: waits for one that runs to end, and ends one that everybody has left. */
  async gathering(signal: AbortSignal | undefined): Promise<number> {
    for (;;) {
      const { version } = (await this.#copse.get(this.#round, { signal })).stat;
      if (version % 2 === 0) return version;
      if ((await this.participants(signal)).length === 0) await this.advance(version);
      else await this.passed(version, signal);
    }
  }

  /** The path of a new participant, or null where the round has moved on. */
  async enter(version: number): Promise<string | null> {
    const ops = [
      { op: "check", path: this.#round, version },
      { op: "create", path: `${this.#inside}/participant-`, ephemeral: true, sequential: true },
    ] as const;
    try {
      return (await this.#copse.multi(ops))[1].path;
    } catch (error) {
      if (isCopseError(error, "BAD_VERSION")) return null;
      throw error;
    }
  }

  /** Paths of those who are here, in the order in which they came. */
  async participants(signal: AbortSignal | undefined): Promise<readonly string[]> {
    const { children } = await this.#copse.children(this.#inside, { signal });
    return children.map((name) => `${this.#inside}/${name}`);
  }

  /** Opens or closes the round, unless somebody has done so. */
  async advance(version: number): Promise<void> {
    await this.#copse.set(this.#round, null, { version }).catch(unless("BAD_VERSION"));
  }

  async isPast(version: number, signal: AbortSignal | undefined): Promise<boolean> {
    return (await this.#copse.get(this.#round, { signal })).stat.version > version;
  }

  /** Resolves once the round has moved on from `version`. */
  passed(version: number, signal: AbortSignal | undefined): Promise<true> {
    return untilSeen(this.#copse, [this.#round], signal, async () => ((await this.isPast(version, signal)) ? true : null));
  }
}

function unless(code: "NODE_EXISTS" | "NO_NODE" | "BAD_VERSION"): (error: unknown) => void {
  return (error) => {
    if (!isCopseError(error, code)) throw error;
  };
}
