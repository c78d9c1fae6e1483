/**
 * An ephemeral that is there for as long as its client is: each new session makes it again.
 *
 * Invariants: what stands at the path is this session's, with the newest data; one that belongs to another session
 * is waited for, never taken over. If it is deleted, it is made again. Once it is closed, none of it remains.
 *
 * Failure story: after a crash it goes with its session; after a lost session it is missing from its expiry until the new session has
 * made it again.
 */
/// <reference lib="esnext.disposable" preserve="true" />

import { type Copse, CopseError, type Data, type Guard, isCopseError } from "@copse/client";
import { whileNone } from "./waiting/joined.ts";
import { createOwned, type OwnedOptions } from "./waiting/owned.ts";
import { ignoreFailure, removeOwn, vanished } from "./waiting/place.ts";
import { pause } from "./waiting/steadily.ts";

export interface PersistentEphemeral {
  readonly path: string;
  /** The czxid of the znode as it stands; 0 while it is missing. It grows with each time it is made. */
  readonly token: number;
  /** Makes a write hold only while the znode that stands now does. */
  readonly guard: Guard;
  /** Aborts once the handle was closed: closed, or refused by the server. */
  readonly signal: AbortSignal;
  /** Changes its data, now and for later sessions. Resolves once that is written, or at once while it is missing. */
  set(data: Data): Promise<void>;
  /** Deletes it, and keeps it no more. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface KeepOptions extends OwnedOptions {
  /** Gives up the first time; once it is there, `close` ends it. */
  readonly signal?: AbortSignal | undefined;
}

/** What the next session, or the next try, may mend. */
const passing = ["SESSION_EXPIRED", "UNAVAILABLE", "GUARD_FAILED", "NO_NODE", "THROTTLED", "OVERLOADED"] as const;
/** Before the next try, in milliseconds. */
const retryMs = 100;

/**
 * Makes the znode, with missing ancestors, and keeps it. Resolves once it is there.
 * @throws CopseError NO_AUTH and whatever else the server refuses for good; the signal's reason
 * @example
 * const self = await persistentEphemeral(copse, "/hosts/10.0.0.7", "up");
 * await self.set("busy");
 * await self.close();
 */
export async function persistentEphemeral(
  copse: Copse,
  path: string,
  data: Data = null,
  { signal, acl }: KeepOptions = {},
): Promise<PersistentEphemeral> {
  signal?.throwIfAborted();
  const keeper = new Keeper(copse, path, data, acl);
  const giveUp = (): void => keeper.end(signal?.reason);
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    await keeper.first;
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
  return keeper;
}

class Keeper implements PersistentEphemeral {
  readonly path: string;
  /** Settles when it is there for the first time, or never will be. */
  readonly first: Promise<void>;
  readonly #copse: Copse;
  readonly #ended: AbortController = new AbortController();
  readonly #kept: Promise<void>;
  readonly #acl: OwnedOptions["acl"];
  #isFirst: (error?: unknown) => void = () => {};
  #data: Data;
  #czxid = 0;

  constructor(copse: Copse, path: string, data: Data, acl: OwnedOptions["acl"]) {
    this.path = path;
    this.#acl = acl;
    this.#copse = copse;
    this.#data = data;
    this.first = new Promise((resolve, reject) => {
      this.#isFirst = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.#kept = this.#keep();
  }

  get token(): number {
    return this.#czxid;
  }

  get guard(): Guard {
    return { path: this.path, czxid: this.#czxid };
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  async set(data: Data): Promise<void> {
    const before = this.#data;
    this.#data = data;
    if (this.#czxid === 0) return;
    try {
      await this.#copse.set(this.path, data, { guard: this.guard });
    } catch (error) {
      if (isPassing(error)) return;
      // What is refused now would be refused to the next session too.
      if (this.#data === data) this.#data = before;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.end(new CopseError("CLOSED", "the handle was closed", { path: this.path }));
    await this.#kept;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  end(reason: unknown): void {
    this.#ended.abort(reason);
    this.#isFirst(reason);
  }

  async #keep(): Promise<void> {
    const { signal } = this.#ended;
    let session = this.#copse.sessionSignal;
    while (!signal.aborted) {
      try {
        await this.#copse.connected(signal);
        session = this.#copse.sessionSignal;
        if (await this.#make(session)) {
          this.#isFirst();
          await whileNone([session, signal], (ended) => vanished(this.#copse, this.path, ended));
        }
      } catch (error) {
        if (!signal.aborted && !isPassing(error)) this.end(error);
        if (!signal.aborted) await pause(this.#copse, retryMs);
      }
      if (signal.aborted) await this.#remove(session);
      this.#czxid = 0;
    }
  }

  /** Makes it in this session. False if another session's had to be waited for. */
  async #make(session: AbortSignal): Promise<boolean> {
    const { path } = this;
    const written = this.#data;
    try {
      this.#czxid = (await createOwned(this.#copse, path, written, { ephemeral: true, acl: this.#acl })).stat.czxid;
    } catch (error) {
      if (!isCopseError(error, "NODE_EXISTS")) throw error;
      await whileNone([session, this.#ended.signal], (ended) => vanished(this.#copse, path, ended));
      return false;
    }
    if (this.#data !== written) await this.#copse.set(path, this.#data, { guard: this.guard });
    return true;
  }

  async #remove(session: AbortSignal): Promise<void> {
    if (this.#czxid === 0) return;
    // Where this can't be delivered, the znode goes with its session.
    await removeOwn(this.#copse, this.guard, session).catch(ignoreFailure);
  }
}

function isPassing(error: unknown): boolean {
  return passing.some((code) => isCopseError(error, code));
}
