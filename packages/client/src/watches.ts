/**
 * Watches that stay: one on the server for each path and mode, however many listen here, and carried over reconnects.
 *
 * Invariant: a listener hears each event that its path and mode match, in zxid order, or `resync` where some were lost.
 */
import type { WatchEvent } from "@copse/protocol";

export type WatchMode = "persistent" | "recursive";
type Listener = (event: WatchEvent) => void;

/** Paths in one restoreWatches: well below the server's frame limit. */
const pathsPerRestore = 200;

export class Watches {
  readonly #listeners: Record<WatchMode, Map<string, Set<Listener>>> = { persistent: new Map(), recursive: new Map() };
  readonly #request: (message: Record<string, unknown>) => void;

  /** @param request sends a request whose reply nobody waits for */
  constructor(request: (message: Record<string, unknown>) => void) {
    this.#request = request;
  }

  /** Listens from now on: what is asked of the server later in this turn already sees the watch. Gives what stops it. */
  add(path: string, mode: WatchMode, listener: Listener): () => void {
    const byPath = this.#listeners[mode];
    let listeners = byPath.get(path);
    if (listeners === undefined) {
      listeners = new Set();
      byPath.set(path, listeners);
      this.#request({ op: "addWatch", path, mode });
    }
    const present = listeners;
    present.add(listener);
    return () => {
      if (!present.delete(listener) || present.size > 0) return;
      byPath.delete(path);
      this.#request({ op: "removeWatch", path, mode });
    };
  }

  dispatch(event: WatchEvent): void {
    this.#tell("persistent", event.path, event);
    if (event.event === "resync") return this.#tell("recursive", event.path, event);
    if (event.event === "childrenChanged" || this.#listeners.recursive.size === 0) return;
    for (let above = event.path; ; above = above.slice(0, above.lastIndexOf("/")) || "/") {
      this.#tell("recursive", above, event);
      if (above === "/") return;
    }
  }

  /** Brings the watches back on a new connection. */
  restore(since: number, ask: (message: Record<string, unknown>, onReply: () => void) => void): void {
    for (const mode of ["persistent", "recursive"] as const) {
      const paths = [...this.#listeners[mode].keys()];
      for (let at = 0; at < paths.length; at += pathsPerRestore) {
        ask({ op: "restoreWatches", since, [mode]: paths.slice(at, at + pathsPerRestore) }, () => {});
      }
    }
  }

  #tell(mode: WatchMode, path: string, event: WatchEvent): void {
    for (const listener of [...(this.#listeners[mode].get(path) ?? [])]) listener(event);
  }
}
