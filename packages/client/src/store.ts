/**
 * A live value, for whoever renders it: what a znode holds now, or what a recipe makes of several.
 *
 * Invariants: `get` gives the same frozen snapshot until it changes; `subscribe` calls at once, then on each change; bad
 * data sets `error` and keeps the last good value. It listens to the server only while someone listens to it, or waits
 * for `ready`.
 */
import { CopseError } from "./errors.ts";
import { callListener } from "./listener.ts";
import type { NodeDefinition } from "./node-schema.ts";
import type { LiveZnode, Observer } from "./subscriptions.ts";

/** waiting: nothing has come yet. live: the value is the znode's. missing: there is no such znode. failed: see `error`. */
export type StoreStatus = "waiting" | "live" | "missing" | "failed";

export interface Store<T> {
  /** The present value; the initial one until the first has come, undefined without one. */
  get: () => T;
  /** Calls `listener` at once and on each change; gives what stops that. */
  subscribe: (listener: (value: T) => void) => () => void;
  readonly status: StoreStatus;
  readonly error: CopseError | null;
  /** Resolves once the server has answered for the first time. Rejects where it refuses. */
  ready(): Promise<void>;
}

/** What feeds a store. */
export interface StoreSink<T> {
  /** The value as it is now. */
  live(value: T): void;
  /** There is nothing: the store falls back to its initial value. */
  missing(): void;
  /** What has come makes no sense: the last good value stays. */
  invalid(error: CopseError): void;
  /** Nothing more comes. */
  failed(error: CopseError): void;
}

/** @param observe begins to follow the znode and gives what stops it */
export function createStore<T>(definition: NodeDefinition<T>, initial: T, observe: (observer: Observer) => () => void): Store<T> {
  const { path } = definition;
  return liveStore(initial, (sink) => {
    const take = (znode: LiveZnode | null): void => {
      if (znode === null) return sink.missing();
      try {
        sink.live(definition.parse(znode.data));
      } catch (error) {
        sink.invalid(error instanceof CopseError ? error : new CopseError("SCHEMA", String(error), { path }));
      }
    };
    return observe({
      state: (znodes) => take(znodes.get(path) ?? null),
      changes: (changes) => {
        const newest = changes.filter(
          (change) => change.path === path && (change.kind === "created" || change.kind === "changed" || change.kind === "deleted"),
        );
        if (newest.length > 0) take(newest[newest.length - 1]!.znode);
      },
      failed: (error) => sink.failed(error),
    });
  });
}

/**
 * A store over any source: for recipes, and for values of one's own.
 * @param follow begins to feed the store and gives what stops that; called when the first listener comes
 */
export function liveStore<T>(initial: T, follow: (sink: StoreSink<T>) => () => void): Store<T> {
  return new LiveStore(initial, follow);
}

class LiveStore<T> implements Store<T> {
  readonly #initial: T;
  readonly #follow: (sink: StoreSink<T>) => () => void;
  readonly #listeners: Set<(value: T) => void> = new Set();
  readonly #answered: Set<(error: CopseError | null) => void> = new Set();
  #value: T;
  #stop: (() => void) | null = null;
  status: StoreStatus = "waiting";
  error: CopseError | null = null;

  constructor(initial: T, follow: (sink: StoreSink<T>) => () => void) {
    this.#initial = deepFreeze(initial);
    this.#value = this.#initial;
    this.#follow = follow;
  }

  get = (): T => this.#value;

  subscribe = (listener: (value: T) => void): (() => void) => {
    const own = (value: T): void => listener(value);
    this.#listeners.add(own);
    this.#begin();
    listener(this.#value);
    return () => {
      this.#listeners.delete(own);
      this.#rest();
    };
  };

  ready(): Promise<void> {
    if (this.status === "live" || this.status === "missing") return Promise.resolve();
    return new Promise((resolve, reject) => {
      const answered = (error: CopseError | null): void => (error === null ? resolve() : reject(error));
      this.#answered.add(answered);
      this.#begin();
    });
  }

  #begin(): void {
    this.#stop ??= this.#follow({
      live: (value) => this.#take("live", deepFreeze(value)),
      missing: () => this.#take("missing", this.#initial),
      invalid: (error) => this.#take("live", this.#value, error),
      failed: (error) => {
        this.#stop = null;
        this.status = "failed";
        this.error = error;
        this.#tell();
        this.#answer(error);
      },
    });
  }

  #rest(): void {
    if (this.#listeners.size > 0 || this.#answered.size > 0) return;
    this.#stop?.();
    this.#stop = null;
    this.status = this.status === "failed" ? "failed" : "waiting";
  }

  #take(status: StoreStatus, value: T, error: CopseError | null = null): void {
    this.status = status;
    this.error = error;
    this.#value = value;
    this.#tell();
    this.#answer(null);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) callListener(() => listener(this.#value));
  }

  #answer(error: CopseError | null): void {
    const answered = [...this.#answered];
    this.#answered.clear();
    for (const answer of answered) answer(error);
    this.#rest();
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
  return value;
}
