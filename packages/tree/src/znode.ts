/**
 * A znode and its stat.
 *
 * A tree may hold a million of them, most without children and made without a second thought about how: what the others need stands
 * apart, in `parentState` and `kind`, and costs the many a word each. Only tree.ts changes a znode that is in the tree.
 */
import type { Stat, Value } from "@copse/protocol";
import { joinPath } from "@copse/protocol";
import type { Acl } from "./access/acl.ts";
import { SortedList } from "./collections/sorted-list.ts";
import type { Creator } from "./creators.ts";

/** How a znode ends, other than by a delete. */
export interface Kind {
  /** The session that owns an ephemeral, or null. */
  readonly owner: string | null;
  /** Milliseconds, or 0 for a znode without one. */
  readonly ttl: number;
  readonly isContainer: boolean;
}

export const persistent: Kind = { owner: null, ttl: 0, isContainer: false };

/** The kind of these traits: plain znodes share one. */
export function kindOf(owner: string | null, ttl: number, isContainer: boolean): Kind {
  return owner === null && ttl === 0 && !isContainer ? persistent : { owner, ttl, isContainer };
}

/**
 * What a znode knows of its children, from its first one on.
 *
 * Invariants: `size` is that of `children`; `descendants` counts all below, `bytes` their data; `creations` counts the children ever
 * created (it numbers sequential ones) and so never falls.
 */
export class ParentState {
  readonly children: SortedList<Znode> = siblings();
  pzxid: number;
  cversion = 0;
  creations = 0;
  size = 0;
  descendants = 0;
  bytes = 0;

  constructor(pzxid: number) {
    this.pzxid = pzxid;
  }
}

/** 2020: seconds from here are small integers until 2088, and down to the epoch. */
const firstSecond = 1_577_836_800;

export class Znode {
  readonly name: string;
  parent: Znode | null;
  value: Value | null;
  acl: Acl;
  readonly kind: Kind;
  /** Whose it counts as, or null. */
  readonly creator: Creator | null;
  readonly czxid: number;
  mzxid: number;
  /** Times as small integers, which stand in the object itself: seconds after `firstSecond`, and the milliseconds on top of both. */
  readonly #ctimeSeconds: number;
  #mtimeSeconds: number;
  #milliseconds: number;
  version = 0;
  aversion = 0;
  /** Null for one that never had a child. */
  parentState: ParentState | null = null;

  constructor(born: {
    name: string;
    parent: Znode | null;
    value: Value | null;
    acl: Acl;
    zxid: number;
    time: number;
    kind: Kind;
    creator: Creator | null;
  }) {
    this.name = born.name;
    this.parent = born.parent;
    this.value = born.value;
    this.acl = born.acl;
    this.kind = born.kind;
    this.creator = born.creator;
    this.czxid = born.zxid;
    this.mzxid = born.zxid;
    const seconds = Math.floor(born.time / 1_000);
    this.#ctimeSeconds = seconds - firstSecond;
    this.#mtimeSeconds = this.#ctimeSeconds;
    this.#milliseconds = (born.time - seconds * 1_000) * 1_001;
  }

  /** Milliseconds since the epoch. */
  get ctime(): number {
    return (this.#ctimeSeconds + firstSecond) * 1_000 + Math.floor(this.#milliseconds / 1_000);
  }

  get mtime(): number {
    return (this.#mtimeSeconds + firstSecond) * 1_000 + (this.#milliseconds % 1_000);
  }

  set mtime(time: number) {
    const seconds = Math.floor(time / 1_000);
    this.#mtimeSeconds = seconds - firstSecond;
    this.#milliseconds += time - seconds * 1_000 - (this.#milliseconds % 1_000);
  }

  get pzxid(): number {
    return this.parentState?.pzxid ?? this.czxid;
  }

  get cversion(): number {
    return this.parentState?.cversion ?? 0;
  }

  get creations(): number {
    return this.parentState?.creations ?? 0;
  }

  get numChildren(): number {
    return this.parentState?.size ?? 0;
  }

  get descendants(): number {
    return this.parentState?.descendants ?? 0;
  }

  /** Bytes of the data of this znode and all below. */
  get subtreeBytes(): number {
    return (this.value?.bytes ?? 0) + (this.parentState?.bytes ?? 0);
  }

  /** Null where there never were any. */
  get children(): SortedList<Znode> | null {
    return this.parentState?.children ?? null;
  }

  child(name: string): Znode | undefined {
    return this.parentState?.children.get(name);
  }

  /** Its parentState, made where it has none yet. */
  becomeParent(): ParentState {
    this.parentState ??= new ParentState(this.czxid);
    return this.parentState;
  }
}

/** An ordered list of znodes by name, in code-unit order. */
function siblings(): SortedList<Znode> {
  return new SortedList((name, znode) => (name < znode.name ? -1 : name === znode.name ? 0 : 1));
}

export function statOf(znode: Znode): Stat {
  const stat = {
    czxid: znode.czxid,
    mzxid: znode.mzxid,
    pzxid: znode.pzxid,
    ctime: znode.ctime,
    mtime: znode.mtime,
    version: znode.version,
    cversion: znode.cversion,
    aversion: znode.aversion,
    ephemeralOwner: znode.kind.owner,
    dataLength: znode.value === null ? 0 : znode.value.bytes,
    numChildren: znode.numChildren,
  };
  const { ttl, isContainer } = znode.kind;
  if (ttl > 0) return { ...stat, ttl };
  return isContainer ? { ...stat, container: true } : stat;
}

/** The path of a znode that is in the tree. */
export function pathOf(znode: Znode): string {
  return znode.parent === null ? "/" : joinPath(pathOf(znode.parent), znode.name);
}

/** A copy that later changes of the original do not reach. Its children are not part of it, only what is known of them. */
export function copyOf(znode: Znode): Znode {
  const copy = new Znode({ ...znode, zxid: znode.czxid, time: znode.ctime });
  copy.mzxid = znode.mzxid;
  copy.mtime = znode.mtime;
  copy.version = znode.version;
  copy.aversion = znode.aversion;
  if (znode.parentState !== null) copy.parentState = Object.assign(new ParentState(0), { ...znode.parentState, children: siblings() });
  return copy;
}
