/**
 * A live value: what a znode holds now, for whoever renders it.
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

/** @param observe begins to follow the znode and gives what stops it */
export function createStore<T>(definition: NodeDefinition<T>, initial: T, observe: (observer: Observer) => () => void): Store<T> {
  return new NodeStore(definition, initial, observe);
}

class NodeStore<T> implements Store<T> {
  readonly #definition: NodeDefinition<T>;
  readonly #initial: T;
  readonly #observe: (observer: Observer) => () => void;
  readonly #listeners: Set<(value: T) => void> = new Set();
  readonly #answered: Set<(error: CopseError | null) => void> = new Set();
  #value: T;
  #stop: (() => void) | null = null;
  status: StoreStatus = "waiting";
  error: CopseError | null = null;

  constructor(definition: NodeDefinition<T>, initial: T, observe: (observer: Observer) => () => void) {
    this.#definition = definition;
    this.#initial = deepFreeze(initial);
    this.#value = this.#initial;
    this.#observe = observe;
  }

  get = (): T => this.#value;

  subscribe = (listener: (value: T) => void): (() => void) => {
    const own = (value: T): void => listener(value);
    this.#listeners.add(own);
    this.#follow();
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
      this.#follow();
    });
  }

  #follow(): void {
    if (this.#stop !== null) return;
    const { path } = this.#definition;
    this.#stop = this.#observe({
      state: (znodes) => this.#take(znodes.get(path) ?? null),
      changes: (changes) => {
        const newest = changes.filter(
          (change) => change.path === path && (change.kind === "created" || change.kind === "changed" || change.kind === "deleted"),
        );
        if (newest.length > 0) this.#take(newest[newest.length - 1]!.znode);
      },
      failed: (error) => this.#fail(error),
    });
  }

  #rest(): void {
    if (this.#listeners.size > 0 || this.#answered.size > 0) return;
    this.#stop?.();
    this.#stop = null;
    this.status = this.status === "failed" ? "failed" : "waiting";
  }

  #take(znode: LiveZnode | null): void {
    this.error = null;
    if (znode === null) {
      this.status = "missing";
      this.#show(this.#initial);
    } else {
      try {
        this.status = "live";
        this.#show(deepFreeze(this.#definition.parse(znode.data)));
      } catch (error) {
        this.error = error instanceof CopseError ? error : new CopseError("SCHEMA", String(error), { path: znode.path });
        this.#tell();
      }
    }
    this.#answer(null);
  }

  #fail(error: CopseError): void {
    this.#stop = null;
    this.status = "failed";
    this.error = error;
    this.#tell();
    this.#answer(error);
  }

  #show(value: T): void {
    this.#value = value;
    this.#tell();
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
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
  return value;
}
