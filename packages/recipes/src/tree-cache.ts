/**
 * A subtree as one immutable value, live.
 *
 * Invariant: what did not change is the same object in the next snapshot, all the way up to the root of what did: a view compares
 * by reference. That holds over a reconnect too, where the server sends the state anew.
 */
import { type Change, type Copse, type LiveZnode, liveStore, type Stat, type Store } from "@copse/client";
import { nameOf, parentOf } from "@copse/client/path";
import { type Draft, enableMapSet, freeze, produce } from "immer";

export interface CachedZnode {
  readonly path: string;
  readonly data: string | null;
  readonly bytes: Uint8Array | null;
  /** Its data may not be read: what was read last stays here. */
  readonly isDenied: boolean;
  readonly stat: Stat;
  /** By name, in no particular order. */
  readonly children: ReadonlyMap<string, CachedZnode>;
}

enableMapSet();

export interface TreeCacheOptions {
  /** With data; true unless said otherwise. */
  readonly data?: boolean;
  /** What is shown of a znode that may no longer be read: what was read last, or nothing. Default "keep". */
  readonly whenDenied?: "keep" | "drop";
}

/**
 * The subtree at `path`; null while there is no such znode. Where that znode itself may not be read, the status is `denied`.
 * @example
 * const cache = treeCache(copse, "/app");
 * cache.subscribe((tree) => console.log(tree?.children.size))();
 */
export function treeCache(
  copse: Copse,
  path: string,
  { data = true, whenDenied = "keep" }: TreeCacheOptions = {},
): Store<CachedZnode | null> {
  const isKept = whenDenied === "keep";
  let known: CachedZnode | null = null;
  return liveStore<CachedZnode | null>(null, (sink) => {
    const show = (next: CachedZnode | null): void => {
      known = next;
      if (next === null) sink.missing();
      else sink.live(next);
    };
    return copse.observe(
      path,
      { scope: "tree", data },
      {
        state: (znodes, _zxid, isHidden) => {
          if (isHidden || znodes.get(path)?.isDenied === true) return sink.denied(path, !isKept);
          show(built(znodes, path, known, isKept));
        },
        changes: (changes) => show(changes.reduce((root, change) => changed(root, change, path), known)),
        failed: (error) => sink.failed(error),
      },
    );
  });
}

/** The tree that a whole state says, parents before their children; what `before` says too is taken from there. */
function built(znodes: ReadonlyMap<string, LiveZnode>, path: string, before: CachedZnode | null, isKept: boolean): CachedZnode | null {
  const top = znodes.get(path);
  if (top === undefined) return null;
  interface Place {
    readonly znode: LiveZnode;
    readonly known: CachedZnode | undefined;
    readonly above: Place | null;
    readonly children: Map<string, CachedZnode>;
  }
  const places = new Map<string, Place>([[path, { znode: top, known: before ?? undefined, above: null, children: new Map() }]]);
  for (const znode of znodes.values()) {
    const above = places.get(parentOf(znode.path));
    if (znode.path === path || above === undefined) continue;
    places.set(znode.path, { znode, known: above.known?.children.get(nameOf(znode.path)), above, children: new Map() });
  }
  // From the last to the first, each is done before the one above it: no depth is too deep.
  let root: CachedZnode | null = null;
  for (const { znode, known, above, children } of [...places.values()].reverse()) {
    const inOrder = new Map([...children].reverse());
    const isSame =
      known !== undefined &&
      isSameZnode(known, znode) &&
      known.children.size === inOrder.size &&
      [...inOrder].every(([name, child]) => known.children.get(name) === child);
    const next = isSame ? known : freeze({ ...cached(znode, isKept ? known : undefined), children: freeze(inOrder) });
    if (above === null) root = next;
    else above.children.set(nameOf(znode.path), next);
  }
  return root;
}

function changed(root: CachedZnode | null, { path: at, kind, znode }: Change, path: string): CachedZnode | null {
  if (at === path) {
    if (kind === "deleted" || znode === null) return null;
    return freeze({ ...cached(znode, root ?? undefined), children: root?.children ?? new Map() }, true);
  }
  if (root === null) return null;
  return produce(root, (draft) => {
    const names = at.slice(path === "/" ? 1 : path.length + 1).split("/");
    const name = names.pop()!;
    let parent: Draft<CachedZnode> | undefined = draft;
    for (const above of names) parent = parent?.children.get(above);
    if (parent === undefined) return;
    const present = parent.children.get(name);
    if (kind === "deleted") parent.children.delete(name);
    else if (znode === null) return;
    else if (present === undefined) parent.children.set(name, { ...cached(znode), children: new Map() });
    else Object.assign(present, cached(znode, present as CachedZnode));
  });
}

/** @param known what was read last, for one that may no longer be read */
function cached(znode: LiveZnode, known?: CachedZnode): Omit<CachedZnode, "children"> {
  const { path, isDenied, stat } = znode;
  const { data, bytes } = isDenied && known !== undefined ? known : znode;
  return { path, data, bytes, isDenied, stat };
}

/** Data is compared too: another cluster may say something else at the same zxid. */
function isSameZnode(one: CachedZnode, other: LiveZnode): boolean {
  const isSame = (name: keyof Stat): boolean => one.stat[name] === other.stat[name];
  const areSameBytes = one.bytes?.length === other.bytes?.length && (one.bytes?.every((byte, at) => byte === other.bytes?.[at]) ?? true);
  return (
    isSame("czxid") &&
    isSame("mzxid") &&
    isSame("pzxid") &&
    isSame("aversion") &&
    isSame("mtime") &&
    one.isDenied === other.isDenied &&
    (other.isDenied || (one.data === other.data && areSameBytes))
  );
}
