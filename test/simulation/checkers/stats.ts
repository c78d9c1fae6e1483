/**
 * What stats have to be (S16), counted by plain rules from the changes that were committed, and compared with the state.
 */
import { parentOf } from "@copse/protocol";
import { statOf, type Tree } from "@copse/tree";
import { type Happened, violate } from "./invariants.ts";

interface Counted {
  readonly czxid: number;
  mzxid: number;
  pzxid: number;
  version: number;
  cversion: number;
  aversion: number;
  numChildren: number;
  /** The last number that a sequential child got. */
  lastNumber: number;
}

/** Znodes that nobody created: they stand from the beginning. */
const given = ["/", "/copse"];

export function verifyStats(happened: readonly Happened[], reference: Tree): void {
  const counted = new Map<string, Counted>();
  const begin = (zxid: number): Counted => ({
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    version: 0,
    cversion: 0,
    aversion: 0,
    numChildren: 0,
    lastNumber: -1,
  });
  for (const { zxid, applied } of happened) {
    for (const { kind, path } of applied.changes) {
      if (kind === "created") counted.set(path, begin(zxid));
      const znode = counted.get(path);
      if (kind === "changed" && znode !== undefined) {
        znode.version++;
        znode.mzxid = zxid;
      } else if (kind === "acl" && znode !== undefined) znode.aversion++;
      else if (kind === "deleted") counted.delete(path);
      const parent = counted.get(path === "/" ? "" : parentOf(path));
      if (parent === undefined || (kind !== "created" && kind !== "deleted")) continue;
      parent.pzxid = zxid;
      parent.cversion++;
      parent.numChildren += kind === "created" ? 1 : -1;
      if (kind === "created") checkNumber(parent, path);
    }
  }
  for (const [path, { lastNumber: _, ...expected }] of counted) {
    const znode = reference.find(path);
    if (znode === undefined) violate("S16", `${path} was created and never deleted, and is not there`);
    const stat = statOf(znode);
    for (const [name, value] of Object.entries(expected)) {
      const held = stat[name as keyof typeof stat];
      if (held !== value) violate("S16", `${name} of ${path} is ${held}; by what happened it is ${value}`);
    }
  }
  for (const path of given) if (reference.find(path) === undefined) violate("S16", `${path} is gone`);
}

/** Numbers of sequential znodes only grow, in their parent. */
function checkNumber(parent: Counted, path: string): void {
  const digits = /\d{10}$/.exec(path)?.[0];
  if (digits === undefined) return;
  const number = Number(digits);
  if (number <= parent.lastNumber) violate("S16", `${path} was created after number ${parent.lastNumber}`);
  parent.lastNumber = number;
}
