/**
 * A znode and its stat.
 *
 * Invariants: `numChildren` is the size of `children`; `descendants` counts all below, `subtreeBytes` their
 * data and its own; `creations` counts the children
 * ever created (it numbers sequential ones) and so never falls. Only tree.ts changes a znode that is in the tree.
 */
import type { Stat, Value } from "@copse/protocol";
import { joinPath } from "@copse/protocol";
import type { Acl } from "./acl.ts";
import { SortedList } from "./sorted-list.ts";

export class Znode {
  readonly name: string;
  parent: Znode | null;
  value: Value | null;
  acl: Acl;
  readonly czxid: number;
  mzxid: number;
  pzxid: number;
  readonly ctime: number;
  mtime: number;
  version = 0;
  cversion = 0;
  aversion = 0;
  creations = 0;
  numChildren = 0;
  descendants = 0;
  /** Bytes of the data of this znode and all below. */
  subtreeBytes: number;
  /** The session that owns an ephemeral, or null. */
  readonly owner: string | null;
  /** Milliseconds, or 0 for a znode without one. */
  readonly ttl: number;
  readonly isContainer: boolean;
  children: SortedList<Znode> | null = null;

  constructor(born: {
    name: string;
    parent: Znode | null;
    value: Value | null;
    acl: Acl;
    zxid: number;
    time: number;
    owner: string | null;
    ttl: number;
    isContainer: boolean;
  }) {
    this.name = born.name;
    this.parent = born.parent;
    this.value = born.value;
    this.acl = born.acl;
    this.czxid = born.zxid;
    this.mzxid = born.zxid;
    this.pzxid = born.zxid;
    this.ctime = born.time;
    this.mtime = born.time;
    this.owner = born.owner;
    this.ttl = born.ttl;
    this.isContainer = born.isContainer;
    this.subtreeBytes = born.value?.bytes ?? 0;
  }

  child(name: string): Znode | undefined {
    return this.children?.get(name);
  }
}

/** An ordered list of znodes by name, in code-unit order. */
export function siblings(): SortedList<Znode> {
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
    ephemeralOwner: znode.owner,
    dataLength: znode.value === null ? 0 : znode.value.bytes,
    numChildren: znode.numChildren,
  };
  if (znode.ttl > 0) return { ...stat, ttl: znode.ttl };
  return znode.isContainer ? { ...stat, container: true } : stat;
}

/** The path of a znode that is in the tree. */
export function pathOf(znode: Znode): string {
  return znode.parent === null ? "/" : joinPath(pathOf(znode.parent), znode.name);
}

/** A copy that later changes of the original do not reach. Its children are not part of it. */
export function copyOf(znode: Znode): Znode {
  const copy = new Znode({ ...znode, zxid: znode.czxid, time: znode.ctime });
  copy.mzxid = znode.mzxid;
  copy.pzxid = znode.pzxid;
  copy.mtime = znode.mtime;
  copy.version = znode.version;
  copy.cversion = znode.cversion;
  copy.aversion = znode.aversion;
  copy.creations = znode.creations;
  copy.numChildren = znode.numChildren;
  return copy;
}
