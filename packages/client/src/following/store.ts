/**
 * A live value, to be rendered: what a znode holds now, or what a recipe makes of several.
 *
 * Invariants: `get` gives the same frozen snapshot until it changes; `subscribe` calls at once, then on each change; bad
 * data sets `error` and keeps the last good value. It listens to the server only while someone listens to it, or waits
 * for `ready`.
 */
import type { Stat } from "@copse/protocol";
import { CopseError } from "../errors.ts";
import { callListener } from "./listener.ts";
import type { NodeDefinition } from "./node-schema.ts";
import type { LiveZnode, Observer } from "./subscriptions.ts";

/**
 * waiting: nothing has come yet. live: the value is the znode's. missing: there is no such znode. denied: it may not be read; the error is
 * NO_AUTH. failed: nothing more comes; see `error`.
 */
export type StoreStatus = "waiting" | "live" | "missing" | "denied" | "failed";

export interface StoreOptions<T> {
  /** The value until the first has come, and while there is none. */
  readonly initial?: T;
  /** What a store whose znode may no longer be read shows: its last good value, or the initial one. Default "keep". */
  readonly whenDenied?: "keep" | "drop";
}

export interface Store<T> {
  /** The present value; the initial one until the first has come, undefined without one. */
  get: () => T;
  /** Calls `listener` at once and on each change; gives what stops that. */
  subscribe: (listener: (value: T) => void) => () => void;
  readonly status: StoreStatus;
  readonly error: CopseError | null;
  /** The stat of the znode that the value is of, and its version, for compare-and-set; null without one, and for what several znodes make. */
  readonly stat: Stat | null;
  readonly version: number | null;
  /** Resolves once the server has answered for the first time. Rejects where it refuses, or the znode may not be read. */
  ready(): Promise<void>;
}

/** What feeds a store. */
export interface StoreSink<T> {
  /** The value as it is now. The very value that is shown already is told to nobody again. */
  live(value: T, stat?: Stat): void;
  /** There is nothing: the store falls back to its initial value. */
  missing(): void;
  /** What has come makes no sense: the last good value stays. */
  invalid(error: CopseError): void;
  /** It is there, and may not be read: the last good value stays, unless it is to be dropped. */
  denied(path: string, isDropped?: boolean): void;
  /** Nothing more comes. */
  failed(error: CopseError): void;
}

/** @param observe begins to follow the znode and gives what stops it */
export function createStore<T>(
  definition: NodeDefinition<T>,
  { initial, whenDenied }: StoreOptions<T> & { readonly initial: T },
  observe: (observer: Observer) => () => void,
): Store<T> {
  const { path } = definition;
  /** What was parsed last: the same data gives the same value again. */
  let parsed: { readonly data: string | null; readonly value: T } | null = null;
  return liveStore(initial, (sink) => {
    const take = (znode: LiveZnode | null, isHidden = false): void => {
      if (isHidden || znode?.isDenied === true) return sink.denied(path, whenDenied === "drop");
      if (znode === null) return sink.missing();
      try {
        // Bytes are no text: what a definition makes of them is the definition's.
        if (parsed?.data !== znode.data || znode.bytes !== null) parsed = { data: znode.data, value: definition.parse(znode.data) };
        sink.live(parsed.value, znode.stat);
      } catch (error) {
        sink.invalid(error instanceof CopseError ? error : new CopseError("SCHEMA", String(error), { path }));
      }
    };
    return observe({
      state: (znodes, _zxid, isHidden) => take(znodes.get(path) ?? null, isHidden),
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
 * @example
 * const states = liveStore<string>("connecting", ({ live }) => copse.onState((state) => live(state)));
 * states.subscribe((state) => console.log(state))();
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
  /** The status that listeners heard of last. */
  #told: StoreStatus = "waiting";
  #stop: (() => void) | null = null;
  status: StoreStatus = "waiting";
  error: CopseError | null = null;
  stat: Stat | null = null;

  constructor(initial: T, follow: (sink: StoreSink<T>) => () => void) {
    this.#initial = deepFreeze(initial);
    this.#value = this.#initial;
    this.#follow = follow;
  }

  get = (): T => this.#value;

  get version(): number | null {
    return this.stat?.version ?? null;
  }

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
      live: (value, stat) => this.#take("live", deepFreeze(value), null, stat ?? null),
      missing: () => this.#take("missing", this.#initial),
      invalid: (error) => this.#take("live", this.#value, error, this.stat),
      denied: (path, isDropped = false) =>
        this.#take("denied", isDropped ? this.#initial : this.#value, new CopseError("NO_AUTH", "the znode may not be read", { path })),
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

  #take(status: StoreStatus, value: T, error: CopseError | null = null, stat: Stat | null = null): void {
    const isKnown = this.#told === status && this.#value === value && (status === "denied" || (this.error === null && error === null));
    this.status = status;
    this.error = error;
    this.stat = stat;
    this.#value = value;
    this.#told = status;
    if (!isKnown) this.#tell();
    this.#answer(status === "denied" ? error : null);
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
