/**
 * Watches that stay: one on the server for each path and mode, however many listen here, and carried over reconnects.
 *
 * Invariant: a listener hears each event that its path and mode match, in zxid order, or `resync` where some were lost. After
 * a reconnect the server tells anew what came after the position, which is the last event that was delivered; what of
 * that very zxid was delivered already is left out. Cut again before all is restored, some may be heard twice.
 */
import type { Reply, WatchEvent } from "@copse/protocol";
import { CopseError, isCopseError } from "../errors.ts";
import { parentOf } from "../path.ts";
import { callListener } from "./listener.ts";

export type WatchMode = "persistent" | "recursive";

export interface WatchListener {
  hear(event: WatchEvent): void;
  /** The server refuses the watch; nothing more comes. */
  failed(error: CopseError): void;
}

type Ask = (message: Record<string, unknown>, onReply: (reply: Reply) => void) => void;

/** Paths in one restoreWatches: well below the server's frame limit. */
const pathsPerRestore = 200;

interface Position {
  readonly zxid: number;
  readonly heard: Map<string, number>;
}

export class Watches {
  readonly #listeners: Record<WatchMode, Map<string, Set<WatchListener>>> = { persistent: new Map(), recursive: new Map() };
  /** The zxid of the newest event, and the events of that zxid. */
  #position: Position = { zxid: 0, heard: new Map() };
  /** While watches are being restored: where from, and how many answers are missing. */
  #restoring: { readonly from: Position; readonly repeated: Map<string, number>; missing: number } | null = null;
  readonly #request: (message: Record<string, unknown>, refused: (error: CopseError) => void) => void;

  /** @param request sends a request, and says where it is refused */
  constructor(request: (message: Record<string, unknown>, refused: (error: CopseError) => void) => void) {
    this.#request = request;
  }

  /** Listens from now on: what is asked of the server later in this turn already sees the watch. Gives what stops it. */
  add(path: string, mode: WatchMode, listener: WatchListener): () => void {
    const byPath = this.#listeners[mode];
    let listeners = byPath.get(path);
    if (listeners === undefined) {
      listeners = new Set();
      byPath.set(path, listeners);
      this.#request({ op: "addWatch", path, mode }, (error) => this.#refused(mode, path, error));
    }
    const present = listeners;
    present.add(listener);
    return () => {
      if (!present.delete(listener) || present.size > 0 || byPath.get(path) !== present) return;
      byPath.delete(path);
      // Refused: there is none any more, and that is what was wanted.
      this.#request({ op: "removeWatch", path, mode }, () => {});
    };
  }

  dispatch(event: WatchEvent): void {
    if (!this.#hear(event)) return;
    this.#tell("persistent", event.path, event);
    if (event.event === "resync") return this.#tell("recursive", event.path, event);
    if (event.event === "childrenChanged" || this.#listeners.recursive.size === 0) return;
    for (let above = event.path; ; above = parentOf(above)) {
      this.#tell("recursive", above, event);
      if (above === "/") return;
    }
  }

  /** Brings the watches back on a new connection. `seenZxid`: all events up to it have been delivered. */
  restore(seenZxid: number, ask: Ask): void {
    const from = this.#restoring?.from ?? this.#position;
    const since = Math.max(seenZxid, from.zxid - 1);
    const restoring = { from, repeated: new Map(since < from.zxid ? from.heard : []), missing: 0 };
    this.#restoring = restoring;
    const answered = (mode: WatchMode, asked: readonly string[], { error }: Reply): void => {
      if (--restoring.missing === 0) this.#restoring = null;
      if (error !== undefined) for (const path of asked) this.#refused(mode, path, new CopseError(error.code, error.message, { path }));
    };
    for (const mode of ["persistent", "recursive"] as const) {
      const paths = [...this.#listeners[mode].keys()];
      for (let at = 0; at < paths.length; at += pathsPerRestore) {
        restoring.missing++;
        const asked = paths.slice(at, at + pathsPerRestore);
        ask({ op: "restoreWatches", since, [mode]: asked }, (reply) => answered(mode, asked, reply));
      }
    }
    if (restoring.missing === 0) this.#restoring = null;
  }

  /** The server is another cluster: no position of the old one means anything. Watches are set anew, and everyone hears of it. */
  begin(zxid: number, ask: Ask): void {
    this.#position = { zxid: 0, heard: new Map() };
    this.#restoring = null;
    for (const mode of ["persistent", "recursive"] as const) {
      for (const path of [...this.#listeners[mode].keys()]) {
        ask({ op: "addWatch", path, mode }, () => this.#tell(mode, path, { event: "resync", path, zxid }));
      }
    }
  }

  /** Notes an event. False if it was delivered before the connection broke. */
  #hear({ event, path, zxid }: WatchEvent): boolean {
    const what = `${event} ${path}`;
    const { from, repeated } = this.#restoring ?? { from: null, repeated: null };
    const times = zxid === from?.zxid ? (repeated?.get(what) ?? 0) : 0;
    if (times > 0) {
      repeated?.set(what, times - 1);
      return false;
    }
    if (zxid > this.#position.zxid) this.#position = { zxid, heard: new Map() };
    if (zxid === this.#position.zxid) this.#position.heard.set(what, (this.#position.heard.get(what) ?? 0) + 1);
    return true;
  }

  /** The session's end refuses nothing: its watches are set again with the next. */
  #refused(mode: WatchMode, path: string, error: CopseError): void {
    const listeners = this.#listeners[mode].get(path);
    if (listeners === undefined || isCopseError(error, "UNAVAILABLE") || isCopseError(error, "CLOSED")) return;
    this.#listeners[mode].delete(path);
    for (const listener of [...listeners]) callListener(() => listener.failed(error));
  }

  #tell(mode: WatchMode, path: string, event: WatchEvent): void {
    for (const listener of [...(this.#listeners[mode].get(path) ?? [])]) callListener(() => listener.hear(event));
  }
}
