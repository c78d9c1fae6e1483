/**
 * A place in a queue of ephemeral sequential znodes, and waiting for the one before it to vanish.
 *
 * Invariants: a place watches its predecessor alone, so a release wakes exactly one; a predecessor that dies while it
 * still waits itself is skipped, because the queue is looked at again; a place that is given up is deleted, and one
 * whose deletion can't be delivered dies with its session.
 */

import { type Copse, CopseError, compareSequences, type Guard, isCopseError, type QueueKind, type Stat } from "@copse/client";
import { type Handle, heldBy } from "./handle.ts";
import { joined, whileNone } from "./joined.ts";
import { createOwned, type OwnedOptions } from "./owned.ts";
import { pause, steadily } from "./steadily.ts";
import { wholeList } from "./whole-list.ts";

/** What a deletion says of a znode that is gone already. */
const gone = ["NO_NODE", "GUARD_FAILED", "SESSION_EXPIRED", "CLOSED"] as const;
/** Milliseconds before a deletion is tried again. */
const removeRetryMs = 100;

/** How soon a holder learns that it may have lost its place: at its own deadline, or as soon as the connection is lost. */
export type LossPolicy = "session" | "connection";

export interface PlaceOptions extends OwnedOptions {
  /** Data of the znode, for whoever looks at the queue. */
  readonly data?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly policy?: LossPolicy | undefined;
}

/** What a place is called, and which of those before it stand in its way. */
export interface PlaceKind {
  /** Ends in no digit: what follows is the number. */
  readonly prefix: `${QueueKind}-`;
  /** Judges a znode's name. */
  readonly waitsFor: (name: string) => boolean;
}

/** Each place waits for all before it. */
export function exclusive(prefix: PlaceKind["prefix"]): PlaceKind {
  return { prefix, waitsFor: (name) => name.startsWith(prefix) };
}

/** A place at the head: what a lock and a term have in common. */
export interface Held extends Handle {
  /** The znode that stands for this place. */
  readonly path: string;
  /** Grows with each holder: hand it to whatever the place protects, and let it refuse smaller ones. */
  readonly token: number;
  /** Makes a write hold only while the place is held. */
  readonly guard: Guard;
}

/**
 * Takes a place at the end of the queue at `path`.
 * @throws the signal's reason; the place that may come into being all the same is given up as soon as it is known
 */
export async function takePlace(
  copse: Copse,
  path: string,
  kind: PlaceKind,
  options: PlaceOptions & { readonly guard?: Guard },
): Promise<Place> {
  const { data = null, signal, policy, guard, acl } = options;
  signal?.throwIfAborted();
  const created = createOwned(copse, `${path}/${kind.prefix}`, data, { ephemeral: true, sequential: true, guard, acl });
  const taking = created.then(
    ({ path: own, stat }) => new Place(copse, path, kind, { path: own, czxid: stat.czxid, data, acl }, policy ?? "session"),
  );
  if (signal === undefined) return taking;
  let stopListening = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    stopListening = () => signal.removeEventListener("abort", abort);
  });
  try {
    return await Promise.race([taking, aborted]);
  } catch (error) {
    // Refused, or given up meanwhile: a place that was granted after all must not stand in anybody's way.
    taking.then((place) => place.leave()).catch(() => {});
    throw error;
  } finally {
    stopListening();
  }
}

/** The znode of a place that was taken. */
interface Taken extends OwnedOptions {
  readonly path: string;
  readonly czxid: number;
  readonly data: string | null;
}

export class Place {
  readonly path: string;
  /** The czxid of the znode that took the place in the queue. */
  readonly token: number;
  readonly #copse: Copse;
  readonly #queue: string;
  readonly #kind: PlaceKind;
  readonly #policy: LossPolicy;
  readonly #session: AbortSignal;
  readonly #lost: AbortSignal;
  readonly #closed: AbortController = new AbortController();
  /** Of the znode that stands for the place now. */
  readonly #czxid: number;
  readonly #data: string | null;
  readonly #acl: OwnedOptions["acl"];

  /** @param turnedFrom the place that this one goes on for, with its token and its session */
  constructor(copse: Copse, queue: string, kind: PlaceKind, { path, czxid, data, acl }: Taken, policy: LossPolicy, turnedFrom?: Place) {
    this.#copse = copse;
    this.#queue = queue;
    this.#kind = kind;
    this.#policy = policy;
    this.#czxid = czxid;
    this.#data = data;
    this.#acl = acl;
    this.path = path;
    this.token = turnedFrom?.token ?? czxid;
    this.#session = turnedFrom === undefined ? copse.sessionSignal : turnedFrom.#session;
    this.#lost = joined(this.#session, this.#closed.signal, policy === "connection" ? copse.connectionSignal : undefined).signal;
  }

  get guard(): Guard {
    return { path: this.path, czxid: this.#czxid };
  }

  /** The places before this one that stand in its way, the nearest last. @throws CopseError SESSION_EXPIRED if this place is gone */
  async before(signal: AbortSignal | undefined): Promise<readonly string[]> {
    const children = await steadily(this.#copse, signal, () => wholeList(this.#copse, this.#queue, { signal }));
    const own = this.path.slice(this.#queue.length + 1);
    if (!children.includes(own)) throw new CopseError("SESSION_EXPIRED", "the place in the queue is gone", { path: this.path });
    const isBefore = (name: string): boolean => this.#kind.waitsFor(name) && compareSequences(name, own) < 0;
    return children.filter(isBefore).sort(compareSequences);
  }

  /** Resolves once nobody stands in this place's way. @throws the signal's reason, CopseError SESSION_EXPIRED */
  reachHead(signal: AbortSignal | undefined): Promise<void> {
    return whileNone([signal, this.#lost], async (ended) => {
      for (;;) {
        ended.throwIfAborted();
        const before = await this.before(ended);
        const nearest = before[before.length - 1];
        if (nearest === undefined) return;
        await vanished(this.#copse, `${this.#queue}/${nearest}`, ended);
      }
    });
  }

  /** The handle of a place that has reached the head. */
  hold(): Held {
    void this.#watchOwn();
    return heldBy({ path: this.path, token: this.token, guard: this.guard, signal: this.#lost }, () => this.leave());
  }

  /** Deletes the place. It resolves also where the session ends, and the place with it. */
  async leave(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new CopseError("CLOSED", "the place was given up", { path: this.path }));
    await removeOwn(this.#copse, this.guard, this.#session);
  }

  /**
   * Becomes a place of another kind at the same turn of the queue, in one txn: nobody comes between. Its own signal aborts
   * first, because others may hold the other kind before the answer is here.
   * @throws CopseError GUARD_FAILED, SESSION_EXPIRED where this place is lost; it is given up then
   */
  async turnInto(kind: PlaceKind): Promise<Place> {
    this.#lost.throwIfAborted();
    const sequence = this.path.slice(this.#queue.length + 1 + this.#kind.prefix.length);
    const path = `${this.#queue}/${kind.prefix}${sequence}`;
    // Deleting first: a quota that is used up has room for the one again.
    const ops = [
      { op: "delete", path: this.path },
      { op: "create", path, data: this.#data, ephemeral: true, ...(this.#acl === undefined ? {} : { acl: this.#acl }) },
    ] as const;
    this.#closed.abort(new CopseError("CLOSED", "the place was exchanged for another", { path: this.path }));
    try {
      const [, created] = await this.#copse.multi(ops, { guard: this.guard });
      return new Place(
        this.#copse,
        this.#queue,
        kind,
        { path, czxid: created.stat.czxid, data: this.#data, acl: this.#acl },
        this.#policy,
        this,
      );
    } catch (error) {
      // Where it was not done after all, the znode must not stand in anybody's way.
      removeOwn(this.#copse, this.guard, this.#session).catch(ignoreFailure);
      throw error;
    }
  }

  /** Someone else, an operator perhaps, may delete the znode: that ends the place too. */
  async #watchOwn(): Promise<void> {
    try {
      await vanished(this.#copse, this.path, this.#lost);
      this.#closed.abort(new CopseError("SESSION_EXPIRED", "the place was deleted", { path: this.path }));
    } catch {
      // The place was lost or given up otherwise, and its signal has said so.
    }
  }
}

/** Resolves once there is no znode at `path`. @throws the signal's reason; CopseError CLOSED */
export async function vanished(copse: Copse, path: string, signal: AbortSignal): Promise<void> {
  const events = copse.watch(path, { signal });
  const look = (): Promise<Stat | null> => steadily(copse, signal, () => copse.exists(path, { signal }));
  try {
    const stat = await look();
    if (stat === null) return;
    for await (const { event, zxid } of events) {
      // What is told again after a reconnect may be about one that stood here before.
      if (event === "deleted" && zxid > stat.czxid) return;
      if (event === "resync" && (await look())?.czxid !== stat.czxid) return;
    }
  } finally {
    await events.return?.();
  }
  // The stream has ended, and nobody has seen the znode go.
  signal.throwIfAborted();
  throw new CopseError("CLOSED", "the client is closed", { path });
}

/** The path of the place at the head of the queue at `path`, or null where the queue is empty. */
export async function firstOf(copse: Copse, path: string, kind: PlaceKind, signal: AbortSignal): Promise<string | null> {
  try {
    const children = await steadily(copse, signal, () => wholeList(copse, path, { signal }));
    const [first] = children.filter(kind.waitsFor).sort(compareSequences);
    return first === undefined ? null : `${path}/${first}`;
  } catch (error) {
    if (isCopseError(error, "NO_NODE")) return null;
    throw error;
  }
}

/**
 * Deletes the znode that a guard names. Resolves once it is gone, which it is with its session too; tries again where the client or the
 * server has too much to do.
 */
export async function removeOwn(copse: Copse, guard: Guard, session: AbortSignal): Promise<void> {
  while (!session.aborted) {
    try {
      await copse.delete(guard.path, { guard });
      return;
    } catch (error) {
      if (gone.some((code) => isCopseError(error, code))) return;
      if (!isCopseError(error) || !error.retryable) throw error;
      await pause(copse, removeRetryMs);
    }
  }
}

/** A place whose deletion can't be delivered goes with its session. */
export function ignoreFailure(): void {}
