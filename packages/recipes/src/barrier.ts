/**
 * A barrier: while it is up, callers of `passed` wait; when it is lowered, all continue.
 *
 * The barrier is a znode. Invariant: a caller of `passed` goes on only when the barrier was down at some moment after the call. So a barrier that was raised before the call, anywhere, is
 * seen. It outlives the session that
 * raised it, unless it was raised as an ephemeral: then it falls with its session.
 */
import { type Copse, isCopseError } from "@copse/client";
import { type WaitOptions, withinTime } from "./waiting/acquire.ts";
import type { OwnedOptions } from "./waiting/owned.ts";
import { vanished } from "./waiting/place.ts";
import { steadily } from "./waiting/steadily.ts";

export interface Barrier {
  /** Puts it up; false if it was up already. */
  raise(options?: { readonly ephemeral?: boolean }): Promise<boolean>;
  /** Takes it down, and lets everybody go on; false if it was down already. */
  lower(): Promise<boolean>;
  /** Resolves once it is down. @throws CopseError TIMEOUT; the signal's reason */
  passed(options?: Pick<WaitOptions, "signal" | "waitMs">): Promise<void>;
}

/**
 * A barrier at `path`, which holds callers of `passed` back while it is raised.
 * @example
 * const closed = barrier(copse, "/barriers/migration");
 * await closed.raise();
 * await closed.lower();
 * await closed.passed();
 */
export function barrier(copse: Copse, path: string, { acl }: OwnedOptions = {}): Barrier {
  return {
    raise: ({ ephemeral = false } = {}) => unless("NODE_EXISTS", copse.create(path, null, { ephemeral, acl, parents: true })),
    lower: () => unless("NO_NODE", copse.delete(path)),
    passed: (options = {}) =>
      withinTime(copse, path, options, async (signal) => {
        // A member that is a moment behind would not know of one that was raised just now.
        await steadily(copse, signal, () => copse.sync({ signal }));
        await vanished(copse, path, signal ?? neverAborts);
      }),
  };
}

const neverAborts: AbortSignal = new AbortController().signal;

/** False where it failed with that code. */
async function unless(code: "NODE_EXISTS" | "NO_NODE", work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isCopseError(error, code)) return false;
    throw error;
  }
}
