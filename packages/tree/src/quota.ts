/**
 * Quotas: how many znodes a subtree may have, and how many bytes of data.
 *
 * The quota of a path is the data of the znode of the same path below `/copse/quota`, so it is replicated, watched and
 * restored like any other. This table is what the tree makes of them. Invariant: it holds what counting the tree now would
 * give, or nothing, and then is counted anew when it is next asked; so it is no part of the state.
 */
import { isWithin, joinPath, parentOf, quotaRoot, type Value } from "@copse/protocol";
import type { Znode } from "./znode.ts";

/** Hard bounds refuse, soft ones only tell; null for none. A znode counts itself; bytes are those of data. */
export interface Quota {
  readonly count: number | null;
  readonly bytes: number | null;
  readonly softCount: number | null;
  readonly softBytes: number | null;
}

export interface QuotaUse {
  readonly path: string;
  readonly quota: Quota;
  readonly used: { readonly count: number; readonly bytes: number };
}

/** The tree, as far as it is looked at here. */
interface Finder {
  find(path: string): Znode | undefined;
}

interface Held {
  readonly quota: Quota;
  bytes: number;
}

/** Quotas in one tree, and UTF-16 units of the text of one. */
export const quotasMax = 10_000;
const textUnitsMax = 1_000;
const names = ["count", "bytes", "softCount", "softBytes"] as const;

/** The quota that a znode below `/copse/quota` says, null where it says none, or what is wrong with it. */
export function quotaOf(value: Value | null): Quota | null | string {
  if (value === null) return null;
  const wrong = `a quota is JSON with integers from 0 on: ${names.join(", ")}`;
  if (value.isBase64 || value.json.length > textUnitsMax) return wrong;
  let said: unknown;
  try {
    said = JSON.parse(JSON.parse(value.json) as string);
  } catch {
    return wrong;
  }
  if (typeof said !== "object" || said === null || Array.isArray(said)) return wrong;
  const read = Object.entries(said);
  for (const [name, bound] of read) {
    if (!(names as readonly string[]).includes(name)) return `${wrong}; ${JSON.stringify(name).slice(0, 40)} is none of them`;
    if (bound !== null && (!Number.isSafeInteger(bound) || bound < 0 || Object.is(bound, -0))) return wrong;
  }
  const { count = null, bytes = null, softCount = null, softBytes = null } = said as Partial<Quota>;
  return { count, bytes, softCount, softBytes };
}

/** Where the quota of a path stands. */
export function quotaPath(path: string): string {
  return path === "/" ? quotaRoot : quotaRoot + path;
}

export class QuotaTable {
  readonly #tree: Finder;
  #held: Map<string, Held> | null = null;

  constructor(tree: Finder) {
    this.#tree = tree;
  }

  /** Counted anew when next asked: quotas were set, or the state is another. */
  forget(): void {
    this.#held = null;
  }

  /** Data at `path` has become longer by so many bytes, or shorter. */
  charge(path: string, bytes: number): void {
    if (this.#held === null || this.#held.size === 0 || bytes === 0) return;
    for (const held of this.#above(path)) held.bytes += bytes;
  }

  /**
   * The path of a quota that a change would exceed, or null.
   * @param created how many znodes it adds: `path` and so many above it
   */
  exceeded(path: string, created: number, bytes: number): string | null {
    const held = this.#all();
    if (held.size === 0) return null;
    // Of the new znodes, those at or below `at`: one more with each step up, until all are.
    let inside = Math.min(1, created);
    for (let at = path; ; at = parentOf(at)) {
      const found = held.get(at);
      if (found !== undefined && this.#isPast(at, found, inside, bytes)) return at;
      if (at === "/") return null;
      inside = Math.min(inside + 1, created);
    }
  }

  /** Every quota and what is used of it, in the order of paths. */
  all(): QuotaUse[] {
    const uses = [...this.#all()].map(([path, { quota, bytes }]) => ({ path, quota, used: { count: this.#count(path), bytes } }));
    return uses.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** How many are past one of their soft bounds. */
  get overSoftBound(): number {
    let over = 0;
    for (const [path, { quota, bytes }] of this.#all()) {
      const isOver =
        (quota.softBytes !== null && bytes > quota.softBytes) || (quota.softCount !== null && this.#count(path) > quota.softCount);
      if (isOver) over++;
    }
    return over;
  }

  get size(): number {
    return this.#all().size;
  }

  #isPast(path: string, { quota, bytes }: Held, created: number, added: number): boolean {
    if (quota.count !== null && created > 0 && this.#count(path) + created > quota.count) return true;
    return quota.bytes !== null && added > 0 && bytes + added > quota.bytes;
  }

  #count(path: string): number {
    const znode = this.#tree.find(path);
    return znode === undefined ? 0 : znode.descendants + 1;
  }

  *#above(path: string): Iterable<Held> {
    for (let at = path; ; at = parentOf(at)) {
      const found = this.#held!.get(at);
      if (found !== undefined) yield found;
      if (at === "/") return;
    }
  }

  #all(): Map<string, Held> {
    if (this.#held !== null) return this.#held;
    const held = new Map<string, Held>();
    const root = this.#tree.find(quotaRoot);
    for (const { path, znode } of root === undefined ? [] : below(quotaRoot, root)) {
      const quota = quotaOf(znode.value);
      if (quota === null || typeof quota === "string") continue;
      const at = path === quotaRoot ? "/" : path.slice(quotaRoot.length);
      const top = this.#tree.find(at);
      let bytes = 0;
      if (top !== undefined) for (const one of below(at, top)) bytes += one.znode.value?.bytes ?? 0;
      held.set(at, { quota, bytes });
    }
    this.#held = held;
    return held;
  }
}

/** A znode and all below it. */
function* below(path: string, top: Znode): Iterable<{ readonly path: string; readonly znode: Znode }> {
  const stack = [{ path, znode: top }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield next;
    for (const child of next.znode.children?.after(null) ?? []) stack.push({ path: joinPath(next.path, child.name), znode: child });
  }
}

/** True for `/copse/quota` and all below it. */
export function isQuotaPath(path: string): boolean {
  return isWithin(path, quotaRoot);
}
