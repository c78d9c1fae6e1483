/**
 * A double barrier: so many begin together, and all leave together.
 *
 * `ROUND`, a znode, counts: its version is even while participants gather and odd while they are inside. The participant that completes the number
 * opens the round, the last to leave closes it; both are compared and set, so each happens once. Participants are
 * ephemerals, made in one txn with a check of the round, so nobody slips into a round that has begun; those who come at the very
 * same moment may be more than `count`. Invariants: nobody is inside before `count` have come; nobody has left before all have left or vanished.
 *
 * Failure story: who crashes while gathering is not counted any more; who crashes inside counts as having left, once its session
 * expires. Waiting for the beginning takes one event for all (who came while a round runs looks again as its participants leave); waiting for the end, one znode of another participant.
 */
/// <reference lib="esnext.disposable" preserve="true" />

import { type Copse, type Guard, isCopseError } from "@copse/client";
import { type WaitOptions, withinTime } from "./waiting/acquire.ts";
import { whileNone } from "./waiting/joined.ts";
import { createOwned, type OwnedOptions } from "./waiting/owned.ts";
import { ignoreFailure, removeOwn, vanished } from "./waiting/place.ts";
import { steadily } from "./waiting/steadily.ts";
import { untilSeen } from "./waiting/until-seen.ts";

export interface DoubleBarrierOptions extends Pick<WaitOptions, "acl" | "signal" | "waitMs"> {
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

/**
 * Waits until `count` have come.
 * @throws CopseError TIMEOUT, SESSION_EXPIRED; RangeError; the signal's reason
 * @example
 * const [one, two] = await Promise.all([
 *   doubleBarrier(copse, "/barriers/job", { count: 2 }),
 *   doubleBarrier(other, "/barriers/job", { count: 2 }),
 * ]);
 * await Promise.all([one.leave(), two.leave()]);
 */
export async function doubleBarrier(copse: Copse, path: string, options: DoubleBarrierOptions): Promise<Inside> {
  const { count } = options;
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError("count is a positive integer");
  const round = new Round(copse, path, options.acl);
  return withinTime(copse, path, options, async (signal) => {
    for (;;) {
      await round.prepare(signal);
      const gathering = await round.gathering(signal);
      const own = await round.enter(gathering, signal);
      if (own === null) continue; // The round has begun without this one.
      const session = copse.sessionSignal;
      try {
        await whileNone([signal, session], async (ended) => {
          if ((await round.look(ended)).participants.length >= count) await round.advance(gathering);
          await round.passed(gathering, ended);
        });
      } catch (error) {
        removeOwn(copse, own, session).catch(ignoreFailure);
        throw error;
      }
      return inside(copse, round, own, gathering + 1, session);
    }
  });
}

function inside(copse: Copse, round: Round, own: Guard, version: number, session: AbortSignal): Inside {
  const close = async (): Promise<void> => {
    await removeOwn(copse, own, session);
    if (session.aborted) return;
    const { participants, version: now } = await round.look(undefined);
    if (participants.length === 0 && now === version) await round.advance(version);
  };
  return {
    round: version,
    signal: session,
    leave: (options = {}) =>
      withinTime(copse, own.path, options, (signal) =>
        whileNone([signal, session], async (ended) => {
          for (;;) {
            const { participants, version: now } = await round.look(ended);
            // The round and who is in it are read as of one moment: those of the next round are never waited for.
            if (now > version) return;
            const [lowest] = participants;
            // The one that came first leaves last, and closes the round; all others wait for it alone.
            if (lowest === undefined || (participants.length === 1 && lowest === own.path)) {
              await removeOwn(copse, own, session);
              return round.advance(version);
            }
            if (lowest === own.path) await vanished(copse, participants[participants.length - 1]!, ended);
            else {
              if (participants.includes(own.path)) await removeOwn(copse, own, session);
              await vanished(copse, lowest, ended);
            }
          }
        }),
      ),
    close,
    [Symbol.asyncDispose]: close,
  };
}

class Round {
  readonly #copse: Copse;
  readonly #round: string;
  readonly #inside: string;
  readonly #acl: OwnedOptions["acl"];

  constructor(copse: Copse, path: string, acl: OwnedOptions["acl"]) {
    this.#copse = copse;
    this.#acl = acl;
    this.#round = `${path}/round`;
    this.#inside = `${path}/participants`;
  }

  async prepare(signal: AbortSignal | undefined): Promise<void> {
    const acl = this.#acl;
    await createOwned(this.#copse, this.#round, null, { acl, signal }).catch(unless("NODE_EXISTS"));
    await createOwned(this.#copse, this.#inside, null, { acl, signal }).catch(unless("NODE_EXISTS"));
  }

  /** The version of a round that gathers: waits for one that runs to end, and ends one that all have left. */
  gathering(signal: AbortSignal | undefined): Promise<number> {
    return untilSeen(this.#copse, [this.#round, this.#inside], signal, async () => {
      const { version, participants } = await this.look(signal);
      if (version % 2 === 0) return version;
      if (participants.length === 0) await this.advance(version);
      return null;
    });
  }

  /** A new participant, or null where the round has moved on. One that comes into being although it was given up is deleted. */
  async enter(version: number, signal: AbortSignal | undefined): Promise<Guard | null> {
    const ops = [
      { op: "check", path: this.#round, version },
      {
        op: "create",
        path: `${this.#inside}/participant-`,
        ephemeral: true,
        sequential: true,
        ...(this.#acl === undefined ? {} : { acl: this.#acl }),
      },
    ] as const;
    const session = this.#copse.sessionSignal;
    const entering = this.#copse.multi(ops).then(([, { path, stat }]) => ({ path, czxid: stat.czxid }));
    try {
      return await whileNone([signal], (given) => Promise.race([entering, aborted(given)]));
    } catch (error) {
      if (isCopseError(error, "BAD_VERSION")) return null;
      entering.then((own) => removeOwn(this.#copse, own, session)).catch(ignoreFailure);
      throw error;
    }
  }

  /** The round's version, and the paths of those who are here, in the order in which they came: as of one moment. */
  async look(signal: AbortSignal | undefined): Promise<{ readonly version: number; readonly participants: readonly string[] }> {
    const ops = [
      { op: "get", path: this.#round },
      { op: "children", path: this.#inside },
    ] as const;
    const [round, here] = await steadily(this.#copse, signal, () => this.#copse.read(ops, { signal }));
    if (isCopseError(round)) throw round;
    if (isCopseError(here)) throw here;
    return { version: round.stat.version, participants: here.children.map((name) => `${this.#inside}/${name}`) };
  }

  /** Opens or closes the round, unless another has done so. */
  async advance(version: number): Promise<void> {
    await this.#copse.set(this.#round, null, { version }).catch(unless("BAD_VERSION"));
  }

  /** Resolves once the round has moved on from `version`. */
  passed(version: number, signal: AbortSignal | undefined): Promise<true> {
    return untilSeen(this.#copse, [this.#round], signal, async () => {
      const { stat } = await this.#copse.get(this.#round, { signal });
      return stat.version > version ? true : null;
    });
  }
}

/** Rejects once the signal aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}

function unless(code: "NODE_EXISTS" | "BAD_VERSION"): (error: unknown) => void {
  return (error) => {
    if (!isCopseError(error, code)) throw error;
  };
}
