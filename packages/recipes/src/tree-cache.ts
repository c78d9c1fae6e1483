/**
 * A subtree as one immutable value, live.
 *
 * Invariant: what did not change is the same object in the next snapshot, all the way up to the root of what did: a view compares
 * by reference. That holds over a reconnect too, where the server sends the state anew.
 */
import { type Change, type Copse, type LiveZnode, liveStore, type Stat, type Store } from "@copse/client";
import { type Draft, enableMapSet, freeze, produce } from "immer";
import { nameOf } from "./live-children.ts";

export interface CachedZnode {
  readonly path: string;
  readonly data: string | null;
  readonly bytes: Uint8Array | null;
  readonly stat: Stat;
  /** By name, in no particular order. */
  readonly children: ReadonlyMap<string, CachedZnode>;
}

enableMapSet();

/** The subtree at `path`; null while there is no such znode. */
export function treeCache(copse: Copse, path: string, { data = true }: { readonly data?: boolean } = {}): Store<CachedZnode | null> {
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
        state: (znodes) => show(built(znodes, path, known)),
        changes: (changes) => show(changes.reduce((root, change) => changed(root, change, path), known)),
        failed: (error) => sink.failed(error),
      },
    );
  });
}

/** The tree that a whole state says; what `before` says too is taken from there. */
function built(znodes: ReadonlyMap<string, LiveZnode>, path: string, before: CachedZnode | null): CachedZnode | null {
  const childrenOf = new Map<string, LiveZnode[]>();
  for (const znode of znodes.values()) {
    if (znode.path === path) continue;
    const parent = znode.path.slice(0, znode.path.lastIndexOf("/")) || "/";
    const siblings = childrenOf.get(parent);
    if (siblings === undefined) childrenOf.set(parent, [znode]);
    else siblings.push(znode);
  }
  const build = (znode: LiveZnode, known: CachedZnode | undefined): CachedZnode => {
    const children = new Map<string, CachedZnode>();
    for (const child of childrenOf.get(znode.path) ?? []) {
      const name = nameOf(child.path);
      children.set(name, build(child, known?.children.get(name)));
    }
    const isSame =
      known !== undefined &&
      isSameZnode(known, znode) &&
      known.children.size === children.size &&
      [...children].every(([name, child]) => known.children.get(name) === child);
    return isSame ? known : { ...cached(znode), children };
  };
  const root = znodes.get(path);
  return root === undefined ? null : freeze(build(root, before ?? undefined), true);
}

function changed(root: CachedZnode | null, { path: at, kind, znode }: Change, path: string): CachedZnode | null {
  if (at === path) {
    if (kind === "deleted" || znode === null) return null;
    return freeze({ ...cached(znode), children: root?.children ?? new Map() }, true);
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
    else Object.assign(present, cached(znode));
  });
}

function cached({ path, data, bytes, stat }: LiveZnode): Omit<CachedZnode, "children"> {
  return { path, data, bytes, stat };
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
    one.data === other.data &&
    areSameBytes
  );
}
