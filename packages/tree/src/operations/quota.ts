/**
 * Quotas: how many znodes a subtree may have, and how many bytes of data.
 *
 * The quota of a path is the data of the znode of the same path below `/copse/quota`, so it is replicated, watched and
 * restored like any other. This table finds them by what they bound; what is used, the znodes themselves count. Invariant: it
 * holds what the znodes say, or nothing, and then is read anew when it is next asked; so it is no part of the state.
 */
import { depthOf, isWithin, joinPath, quotaRoot, type Value } from "@copse/protocol";
import { PathTrie } from "../collections/path-trie.ts";
import { SortedList } from "../collections/sorted-list.ts";
import type { Znode } from "../znode.ts";

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

/** What the quota at a path below `/copse/quota` bounds. */
export function governedBy(path: string): string {
  return path === quotaRoot ? "/" : path.slice(quotaRoot.length);
}

/** Quotas at once looked at for those past a soft bound, in one look. */
const lookedAtMax = 1_000;

interface Held {
  readonly path: string;
  readonly depth: number;
  readonly quota: Quota;
}

export class QuotaTable {
  readonly #tree: Finder;
  #held: PathTrie<Held> | null = null;
  /** The same, in the order of paths. */
  #sorted: SortedList<Held> = sortedQuotas();
  /** The look for those past a soft bound: where it stands, what it has found, and what the last whole one found. */
  #look: { after: string | null; found: number } = { after: null, found: 0 };
  #overSoftBound = 0;

  constructor(tree: Finder) {
    this.#tree = tree;
  }

  /** Read anew when next asked: the state is another. */
  forget(): void {
    this.#held = null;
  }

  /** The znode at a path below `/copse/quota` says this from now on. Gives what undoes it. */
  note(path: string, value: Value | null): () => void {
    const held = this.#held;
    if (held === null) return () => this.forget();
    const at = governedBy(path);
    const before = held.get(at)?.quota ?? null;
    const quota = quotaOf(value);
    this.#put(held, at, typeof quota === "string" ? null : quota);
    return () => this.#put(held, at, before);
  }

  /**
   * The path of a quota that a change would exceed, or null.
   * @param created how many znodes it adds: `path` and so many above it
   */
  exceeded(path: string, created: number, bytes: number): string | null {
    const held = this.#all();
    if (held.size === 0) return null;
    const above: Held[] = [];
    held.visitWay(path, (quota) => above.push(quota));
    const depth = above.length === 0 ? 0 : depthOf(path);
    for (const { path: at, depth: depthAt, quota } of above.reverse()) {
      // Of the new znodes, those at or below it.
      if (this.#isPast(at, quota, Math.min(created, depth - depthAt + 1), bytes)) return at;
    }
    return null;
  }

  /** The quotas after a path, or all for null, and what is used of each, in the order of paths. */
  *after(path: string | null): Generator<QuotaUse, undefined> {
    this.#all();
    for (const held of this.#sorted.after(path)) yield { path: held.path, quota: held.quota, used: this.#used(held.path) };
  }

  /** All of them. */
  all(): QuotaUse[] {
    return [...this.after(null)];
  }

  /** How many are past one of their soft bounds: where there are very many, as far as the last looks saw. */
  get overSoftBound(): number {
    if (this.size <= lookedAtMax) this.look();
    return this.#overSoftBound;
  }

  /** Looks at some of the quotas, and the next time at the next ones. */
  look(): void {
    this.#all();
    const { after } = this.#look;
    let looked = 0;
    for (const { path, quota } of this.#sorted.after(after)) {
      if (looked++ === lookedAtMax) return;
      const { count, bytes } = this.#used(path);
      const { softBytes, softCount } = quota;
      if ((softBytes !== null && bytes > softBytes) || (softCount !== null && count > softCount)) this.#look.found++;
      this.#look.after = path;
    }
    this.#overSoftBound = this.#look.found;
    this.#look = { after: null, found: 0 };
  }

  has(path: string): boolean {
    return this.#all().get(path) !== undefined;
  }

  get size(): number {
    return this.#all().size;
  }

  #isPast(path: string, { count, bytes }: Quota, created: number, added: number): boolean {
    const used = this.#used(path);
    if (count !== null && created > 0 && used.count + created > count) return true;
    return bytes !== null && added > 0 && used.bytes + added > bytes;
  }

  #used(path: string): { readonly count: number; readonly bytes: number } {
    const znode = this.#tree.find(path);
    return znode === undefined ? { count: 0, bytes: 0 } : { count: znode.descendants + 1, bytes: znode.subtreeBytes };
  }

  #put(held: PathTrie<Held>, path: string, quota: Quota | null): void {
    held.delete(path);
    this.#sorted.delete(path);
    if (quota === null) return;
    const one = { path, depth: depthOf(path), quota };
    held.set(path, one);
    this.#sorted.insert(path, one);
  }

  #all(): PathTrie<Held> {
    if (this.#held !== null) return this.#held;
    const held = new PathTrie<Held>();
    this.#sorted = sortedQuotas();
    const root = this.#tree.find(quotaRoot);
    for (const { path, znode } of root === undefined ? [] : below(quotaRoot, root)) {
      const quota = quotaOf(znode.value);
      if (typeof quota !== "string") this.#put(held, governedBy(path), quota);
    }
    this.#held = held;
    return held;
  }
}

function sortedQuotas(): SortedList<Held> {
  return new SortedList((path, held) => (path < held.path ? -1 : path === held.path ? 0 : 1));
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
