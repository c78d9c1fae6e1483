/**
 * A signal that aborts with the first of several, and lets go of them then. A look at it looks at them first.
 *
 * Made by hand, because a session's signal lives for days and `AbortSignal.any` leaves something on it for each signal that was ever made of
 * it, in some Nodes for good. Invariant: no listener stays on a source once the joined signal has aborted or was stopped.
 */
import { lookingSignal } from "@copse/client";

export interface Joined {
  readonly signal: AbortSignal;
  /** It is not needed any more: the sources are let go. */
  stop(): void;
}

export function joined(...given: readonly (AbortSignal | undefined)[]): Joined {
  const sources = given.filter((source) => source !== undefined);
  const controller = new AbortController();
  const stop = (): void => {
    for (const [at, source] of sources.entries()) source.removeEventListener("abort", listeners[at]!);
  };
  const listeners = sources.map((source) => (): void => {
    stop();
    controller.abort(source.reason);
  });
  for (const [at, source] of sources.entries()) {
    if (controller.signal.aborted) break;
    if (source.aborted) listeners[at]!();
    else source.addEventListener("abort", listeners[at]!, { once: true });
  }
  // A look at a source tells its listeners where it aborts by that.
  return { signal: lookingSignal(controller, () => void sources.some((source) => source.aborted)), stop };
}

/** Runs `work` with a signal that aborts with the first of these, and lets go of them after it. */
export async function whileNone<T>(sources: readonly (AbortSignal | undefined)[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { signal, stop } = joined(...sources);
  try {
    return await work(signal);
  } finally {
    stop();
  }
}
