/**
 * What is held for as long as a signal has not aborted: a lock, a term, a lease, several locks.
 */
/// <reference lib="esnext.disposable" preserve="true" />

export interface Handle {
  /** Aborts before anyone else can hold it; every look at it looks at the clock. */
  readonly signal: AbortSignal;
  /** True while it is held. */
  readonly isHeld: boolean;
  /** For loops: returns while it is held. @throws the signal's reason once it is not */
  check(): void;
  /** Runs `work` if it is held, and gives its result if it still is then. @throws the signal's reason; what `work` throws */
  run<T>(work: (signal: AbortSignal) => T | Promise<T>): Promise<T>;
  /** Gives it up. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes a handle of what is held. */
export function heldBy<Facts extends { readonly signal: AbortSignal }>(facts: Facts, close: () => Promise<void>): Facts & Handle {
  const { signal } = facts;
  const check = (): void => signal.throwIfAborted();
  return {
    ...facts,
    get isHeld() {
      return !signal.aborted;
    },
    check,
    run: async (work) => {
      check();
      const result = await work(signal);
      check();
      return result;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
