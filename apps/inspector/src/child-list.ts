/**
 * The children of one expanded znode, sorted by name in code-unit order, from the messages of one subscription.
 */
import type { Change, LiveZnode, Stat } from "@copse/client";

export interface Child {
  readonly name: string;
  readonly path: string;
  stat: Stat;
}

export class ChildList {
  readonly path: string;
  /** Null until the first state has come. */
  children: Child[] | null = null;
  /** The znode itself is gone. */
  isMissing = false;

  constructor(path: string) {
    this.path = path;
  }

  takeState(znodes: ReadonlyMap<string, LiveZnode>): void {
    const children: Child[] = [];
    for (const [path, { stat }] of znodes) if (path !== this.path) children.push({ name: nameOf(path), path, stat });
    this.isMissing = !znodes.has(this.path);
    this.children = children.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Takes one change; true if it was of a child. */
  takeChange({ kind, path, stat }: Change): boolean {
    if (path === this.path) {
      this.isMissing = kind === "deleted";
      return false;
    }
    const { children } = this;
    if (children === null) return false;
    const name = nameOf(path);
    const at = lowerBound(children, name);
    const isThere = children[at]?.name === name;
    if (kind === "deleted") {
      if (isThere) children.splice(at, 1);
    } else if (stat !== null) {
      if (isThere) children[at]!.stat = stat;
      else children.splice(at, 0, { name, path, stat });
    }
    return true;
  }
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function lowerBound(children: readonly Child[], name: string): number {
  let low = 0;
  let high = children.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (children[middle]!.name < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function joinPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}
