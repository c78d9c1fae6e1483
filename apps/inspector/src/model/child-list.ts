/**
 * The children of one expanded znode, sorted by name in code-unit order, from the messages of one subscription.
 */
import type { Change, LiveZnode, Stat } from "@copse/client";
import { joinPath, nameOf } from "@copse/client/path";

export interface Child {
  readonly name: string;
  readonly path: string;
  stat: Stat;
}

export class ChildList {
  readonly path: string;
  /** Null until something has come. */
  children: Child[] | null = null;
  /** How many there are, where only the first of them are here yet; else null. */
  total: number | null = null;
  /** The client's mirror of the subscription: always the newest, whatever is shown. */
  #mirror: ReadonlyMap<string, LiveZnode> | null = null;
  #filtered: { readonly of: Child[]; readonly size: number; readonly filter: string; readonly names: Child[] } | null = null;

  constructor(path: string) {
    this.path = path;
  }

  /** The whole state, which stays live in `znodes`. `isHeld`: what is shown stays. */
  takeState(znodes: ReadonlyMap<string, LiveZnode>, isHeld = false): void {
    this.#mirror = znodes;
    if (!isHeld) this.catchUp();
  }

  /** True once all children are here. */
  get isWhole(): boolean {
    return this.#mirror !== null && this.children !== null && this.total === null;
  }

  /** What the znode itself is now. */
  get ownStat(): Stat | null {
    return this.#mirror?.get(this.path)?.stat ?? null;
  }

  /** True where there are children, and none of them is shown: the znode may not be read. */
  get isHidden(): boolean {
    return this.isWhole && this.children?.length === 0 && (this.ownStat?.numChildren ?? 0) > 0;
  }

  /** True if the child is there now. */
  has(path: string): boolean {
    return this.#mirror?.has(path) === true;
  }

  /** The first children, until all of them are here. */
  preview(children: readonly { readonly name: string; readonly stat: Stat }[], total: number): void {
    if (this.children !== null) return;
    this.children = children.map(({ name, stat }) => ({ name, path: joinPath(this.path, name), stat }));
    this.total = total;
  }

  /** Shows what the mirror holds now. */
  catchUp(): void {
    // Until the first state has come, what is shown are the first of them.
    if (this.#mirror === null) return;
    const children: Child[] = [];
    for (const [path, { stat }] of this.#mirror) if (path !== this.path) children.push({ name: nameOf(path), path, stat });
    this.children = inOrder(children);
    this.total = null;
    this.#filtered = null;
  }

  /** Takes one change; true if it was of a child. */
  takeChange({ kind, path, stat }: Change): boolean {
    if (path === this.path) return false;
    const { children } = this;
    if (children === null || this.total !== null) return false;
    const name = nameOf(path);
    const at = lowerBound(children, name);
    const isThere = children[at]?.name === name;
    if (kind === "deleted") {
      if (isThere) children.splice(at, 1);
    } else if (stat !== null) {
      if (isThere) children[at]!.stat = stat;
      else children.splice(at, 0, { name, path, stat });
    }
    if (isThere !== (kind !== "deleted")) this.#filtered = null;
    return true;
  }

  /** The children to show: those whose names hold the filter, and those that are kept whatever they are called. */
  shown(filter: string, isKept: (path: string) => boolean): readonly Child[] {
    const { children } = this;
    if (children === null || filter === "") return children ?? [];
    if (this.#filtered?.filter !== filter) {
      const names = children.filter(({ name, path }) => name.toLowerCase().includes(filter) || isKept(path));
      this.#filtered = { of: children, size: children.length, filter, names };
    }
    return this.#filtered.names;
  }

  /** What is kept has changed. */
  refilter(): void {
    this.#filtered = null;
  }
}

/** The server sends them in order; only what was created since stands at the end. */
function inOrder(children: Child[]): Child[] {
  const isSorted = children.every(({ name }, at) => at === 0 || children[at - 1]!.name < name);
  return isSorted ? children : children.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Where a name stands, or would stand. */
export function lowerBound(children: readonly Child[], name: string): number {
  let low = 0;
  let high = children.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (children[middle]!.name < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
