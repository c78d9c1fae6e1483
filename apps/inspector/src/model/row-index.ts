/**
 * The rows of the tree, without a list of them: which row stands at an index, and at which index a znode stands.
 *
 * Invariant: work grows with what is expanded and with the rows that are asked for, never with how many siblings there are.
 */
import type { Stat } from "@copse/client";
import { nameOf, parentOf } from "@copse/client/path";
import { type Child, type ChildList, lowerBound } from "./child-list.ts";

export interface Place {
  readonly path: string;
  readonly name: string;
  readonly depth: number;
  readonly stat: Stat;
  readonly isExpanded: boolean;
  readonly isLoading: boolean;
  /** True for a znode that is expanded and may not be read. */
  readonly isHidden: boolean;
  /** Position among the siblings that are shown, from 1, and how many they are. */
  readonly position: number;
  readonly siblings: number;
}

/** One expanded znode: its children that are shown, and those of them that are expanded, in order. */
interface Level {
  readonly path: string;
  readonly depth: number;
  readonly list: ChildList;
  readonly children: readonly Child[];
  readonly expanded: readonly { readonly at: number; readonly level: Level }[];
  /** Rows below the znode. */
  readonly size: number;
}

export class RowIndex {
  readonly #root: Level | null;
  readonly #rootStat: Stat | null;

  /** @param lists what is expanded, by path */
  constructor(rootStat: Stat | null, lists: ReadonlyMap<string, ChildList>, filter: string) {
    this.#rootStat = rootStat;
    const below = new Map<string, string[]>();
    for (const path of lists.keys()) {
      if (path === "/") continue;
      const parent = parentOf(path);
      below.set(parent, [...(below.get(parent) ?? []), path]);
    }
    const levelOf = (path: string, depth: number): Level | null => {
      const list = lists.get(path);
      if (list === undefined) return null;
      const children = list.shown(filter, (child) => lists.has(child));
      const expanded = (below.get(path) ?? []).flatMap((child) => {
        const name = nameOf(child);
        const at = lowerBound(children, name);
        const level = children[at]?.name === name ? levelOf(child, depth + 1) : null;
        return level === null ? [] : [{ at, level }];
      });
      expanded.sort((a, b) => a.at - b.at);
      return { path, depth, list, children, expanded, size: expanded.reduce((sum, { level }) => sum + level.size, children.length) };
    };
    this.#root = levelOf("/", 0);
  }

  get length(): number {
    return this.#rootStat === null ? 0 : 1 + (this.#root?.size ?? 0);
  }

  at(index: number): Place | undefined {
    if (this.#rootStat === null || index < 0 || index >= this.length) return undefined;
    if (index === 0) return placeOf("/", "/", 0, this.#rootStat, this.#root, 1, 1);
    return below(this.#root!, index - 1);
  }

  /** -1 where the znode has no row. */
  indexOf(path: string): number {
    if (path === "/") return this.#rootStat === null ? -1 : 0;
    let level = this.#root;
    let index = 1;
    const names = path.slice(1).split("/");
    for (const [depth, name] of names.entries()) {
      if (level === null) return -1;
      const at = lowerBound(level.children, name);
      if (level.children[at]?.name !== name) return -1;
      index += at;
      for (const { at: before, level: inner } of level.expanded) if (before < at) index += inner.size;
      if (depth === names.length - 1) return index;
      level = level.expanded.find((one) => one.at === at)?.level ?? null;
      index++;
    }
    return -1;
  }

  /** Rows from an index on, around the end, each once. */
  *from(index: number): Generator<Place> {
    const { length } = this;
    for (let step = 0; step < length; step++) {
      const place = this.at((index + step) % length);
      if (place !== undefined) yield place;
    }
  }
}

/** The row so many after the first of a level. */
function below(level: Level, index: number): Place {
  let left = index;
  for (const { at, level: inner } of level.expanded) {
    if (left <= at) break;
    if (left <= at + inner.size) return below(inner, left - at - 1);
    left -= inner.size;
  }
  const child = level.children[left]!;
  const inner = level.expanded.find(({ at }) => at === left)?.level ?? null;
  return placeOf(child.path, child.name, level.depth + 1, child.stat, inner, left + 1, level.list.total ?? level.children.length);
}

function placeOf(path: string, name: string, depth: number, stat: Stat, inner: Level | null, position: number, siblings: number): Place {
  const { children = [], isHidden = false } = inner?.list ?? {};
  return { path, name, depth, stat, isExpanded: inner !== null, isLoading: children === null, isHidden, position, siblings };
}
