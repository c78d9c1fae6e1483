/**
 * Events that watchers were not told of, as they may not see the znode: their watches stay, and fire when permission returns.
 *
 * Invariant: an entry stands for watches that are set; what it asks when permission returns is what `restoreWatches` would ask, with the
 * zxid before the first event as `since`.
 */
import type { WatchEventKind, WatchKind } from "@copse/protocol";
import type { Znode } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";

export interface Withheld {
  readonly kinds: Set<WatchKind>;
  /** The zxid before the first event that was withheld. */
  readonly since: number;
  /** There was no znode then: the watch waits for one to be created. */
  readonly wasMissing: boolean;
}

export class WithheldEvents {
  readonly #byConnection: Map<Connection, Map<string, Withheld>> = new Map();

  get isEmpty(): boolean {
    return this.#byConnection.size === 0;
  }

  get connections(): Iterable<Connection> {
    return this.#byConnection.keys();
  }

  /** Watches of these kinds on the path were not told. */
  add(connection: Connection, path: string, kinds: Iterable<WatchKind>, event: WatchEventKind | "resync", zxid: number): void {
    let paths = this.#byConnection.get(connection);
    if (paths === undefined) {
      paths = new Map();
      this.#byConnection.set(connection, paths);
    }
    const known = paths.get(path);
    if (known === undefined) paths.set(path, { kinds: new Set(kinds), since: zxid - 1, wasMissing: event === "created" });
    else for (const kind of kinds) known.kinds.add(kind);
  }

  get(connection: Connection, path: string): Withheld | undefined {
    return this.#byConnection.get(connection)?.get(path);
  }

  /** The paths of a connection's watches that were not told. */
  pathsOf(connection: Connection): readonly string[] {
    return [...(this.#byConnection.get(connection)?.keys() ?? [])];
  }

  /** The watches are told, or gone. */
  remove(connection: Connection, path: string, kinds: Iterable<WatchKind>): void {
    const paths = this.#byConnection.get(connection);
    const entry = paths?.get(path);
    if (paths === undefined || entry === undefined) return;
    for (const kind of kinds) entry.kinds.delete(kind);
    if (entry.kinds.size === 0) paths.delete(path);
    if (paths.size === 0) this.#byConnection.delete(connection);
  }
}

/** What a watch is told now that permission has returned, with the zxid of that; null where nothing has happened. */
export function eventSince(
  kind: WatchKind,
  { since, wasMissing }: Withheld,
  znode: Znode | undefined,
  newest: number,
): { readonly event: WatchEventKind | "resync"; readonly zxid: number } | null {
  if (kind === "persistent" || kind === "recursive") return { event: "resync", zxid: newest };
  if (kind === "child") {
    if (znode === undefined) return { event: "deleted", zxid: newest };
    return znode.pzxid > since ? { event: "childrenChanged", zxid: znode.pzxid } : null;
  }
  if (wasMissing) return znode === undefined ? null : { event: "created", zxid: znode.czxid };
  if (znode === undefined) return { event: "deleted", zxid: newest };
  return znode.mzxid > since ? { event: "changed", zxid: znode.mzxid } : null;
}
