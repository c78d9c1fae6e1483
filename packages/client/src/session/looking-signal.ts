/**
 * A signal that tells the truth at every look.
 *
 * A timer that was to abort it may be late: the process was stopped, or busy for seconds. So `aborted`, `reason` and `throwIfAborted` look
 * at the clock first. What a host reads by itself (fetch, `AbortSignal.any`, listeners) learns it at the next look or timer.
 */
const { prototype } = AbortSignal;

/**
 * The signal of a controller, which looks before it answers.
 * @param look aborts the controller where that is due; what it gives is not looked at
 * @example
 * const lease = new AbortController();
 * const until = copse.clock.now() + 60_000;
 * const held = lookingSignal(lease, () => copse.clock.now() >= until && lease.abort(new Error("the minute is over")));
 */
export function lookingSignal({ signal }: AbortController, look: () => unknown): AbortSignal {
  const truth = (name: "aborted" | "reason"): PropertyDescriptor => ({
    get: () => {
      look();
      return Reflect.get(prototype, name, signal);
    },
  });
  return Object.defineProperties(signal, {
    aborted: truth("aborted"),
    reason: truth("reason"),
    throwIfAborted: {
      value: () => {
        look();
        prototype.throwIfAborted.call(signal);
      },
    },
  });
}

/** A signal that is renewed once it has aborted: of each session, of each connection. */
export class Lifetime {
  readonly #look: () => void;
  #controller: AbortController = new AbortController();
  #signal: AbortSignal;

  constructor(look: () => void) {
    this.#look = look;
    this.#signal = lookingSignal(this.#controller, look);
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  end(reason: unknown): void {
    this.#controller.abort(reason);
  }

  renew(): void {
    if (!this.#signal.aborted) return;
    this.#controller = new AbortController();
    this.#signal = lookingSignal(this.#controller, this.#look);
  }
}
