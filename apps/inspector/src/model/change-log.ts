/**
 * What happens in the whole tree: one recursive watch at the root, which brings no data and no state; and, for admins, what the member
 * remembers from before this page was opened, and who made each change.
 *
 * Invariants: it keeps the newest changes alone; how many happen in a second is counted whether they are kept or not.
 */
import { type Copse, isCopseError, type ShownChange, type WatchEvent } from "@copse/client";

export interface LoggedChange {
  readonly kind: WatchEvent["event"] | ShownChange["kind"];
  readonly path: string;
  readonly zxid: number;
  /** When it happened, as far as the member says it, else when this page heard of it; in milliseconds since the epoch. */
  readonly at: number;
  /** Who made it, where the member says it. */
  readonly by?: string;
}

/** Changes that are kept. */
const keptMax = 2_000;
/** The member is asked at most so often who made the newest changes, and at least so often while the page is looked at, in milliseconds. */
const askMs = 500;
const idleMs = 2_000;

export class ChangeLog {
  /** The newest last. */
  #kept: LoggedChange[] = [];
  readonly #listeners: Set<(change: LoggedChange) => void> = new Set();
  readonly #toldListeners: Set<() => void> = new Set();
  #total = 0;
  /** Changes of the present second and of the one before. */
  #second = { at: 0, count: 0, before: 0 };

  /** The newest change that the member has told of; null where it tells this user nothing. */
  #toldZxid: number | null = 0;
  #isAsking = false;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(copse: Copse) {
    this.#ask(copse);
    // A watch that the server refuses leaves the log as it is; everything else in the page goes on.
    this.#follow(copse).catch(() => {});
  }

  get kept(): readonly LoggedChange[] {
    return this.#kept;
  }

  /** All that were heard of. */
  get total(): number {
    return this.#total;
  }

  /** Changes a second, over the newest whole second. */
  get rate(): number {
    this.#turn(Math.floor(performance.now() / 1_000));
    return Math.max(this.#second.before, this.#second.count);
  }

  /** Calls `listener` at each change; gives what stops that. */
  listen(listener: (change: LoggedChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #follow(copse: Copse): Promise<void> {
    for await (const { event, path, zxid } of copse.watch("/", { mode: "recursive" })) {
      const change = { kind: event, path, zxid, at: Date.now() };
      this.#turn(Math.floor(performance.now() / 1_000));
      this.#second.count++;
      this.#total++;
      this.#kept.push(change);
      if (this.#kept.length >= 2 * keptMax) this.#kept = this.#kept.slice(-keptMax);
      for (const listener of this.#listeners) listener(change);
      this.#ask(copse);
    }
  }

  /** Has the member tell what it remembers; what it has told stands in the place of what the watch has brought. */
  #ask(copse: Copse): void {
    if (this.#isAsking || this.#toldZxid === null) return;
    this.#isAsking = true;
    const after = this.#toldZxid;
    let hasTold = false;
    const again = (): void => {
      this.#isAsking = false;
      const isBehind = this.#kept.some(({ zxid }) => zxid > (this.#toldZxid ?? Number.POSITIVE_INFINITY));
      if (isBehind && hasTold) return this.#ask(copse);
      // What happened before the watch was set, nothing else tells.
      clearTimeout(this.#idle);
      this.#idle = setTimeout(() => document.visibilityState === "visible" && this.#ask(copse), idleMs);
    };
    const told = (changes: readonly ShownChange[]): void => {
      const [first, last] = [changes[0], changes[changes.length - 1]];
      if (first === undefined || last === undefined) return;
      hasTold = true;
      const newest = last.zxid;
      this.#toldZxid = newest;
      // Of more than it tells at once, what the watch has brought stays.
      const older = this.#kept.filter(({ zxid }) => zxid < first.zxid);
      const newer = this.#kept.filter(({ zxid }) => zxid > newest);
      this.#kept = [...older, ...changes.map(loggedOf), ...newer].slice(-keptMax);
      for (const listener of this.#toldListeners) listener();
    };
    copse
      .recent({ changes: after })
      .then(({ changes = [] }) => told(changes))
      .catch((error: unknown) => {
        // Who is no admin sees what the watch brings; after any other failure it asks again.
        if (isCopseError(error, "NO_AUTH") || isCopseError(error, "CLOSED")) this.#toldZxid = null;
      })
      .finally(() => setTimeout(again, askMs));
  }

  /** Calls `listener` when the member has told who made changes; gives what stops that. */
  listenToTold(listener: () => void): () => void {
    this.#toldListeners.add(listener);
    return () => this.#toldListeners.delete(listener);
  }

  #turn(second: number): void {
    if (second === this.#second.at) return;
    this.#second = { at: second, count: 0, before: second === this.#second.at + 1 ? this.#second.count : 0 };
  }
}

function loggedOf({ kind, path, zxid, time, session, name, identities, op, address }: ShownChange): LoggedChange {
  const shown = identities.map(({ scheme, id }) => (scheme === "super" ? "super" : `${scheme} ${id}`));
  const who = [...(name === undefined ? [] : [name]), ...shown];
  const by = session === null ? "the ensemble" : op === "expire" ? "an expired session" : who.join(", ") || (address ?? session);
  return { kind, path, zxid, at: time, by };
}
