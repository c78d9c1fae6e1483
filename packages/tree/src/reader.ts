/**
 * A point-in-time reader: walks a part of the tree in path order, a piece at a time, and sees it as it was when the
 * reader was opened, whatever is written meanwhile.
 *
 * Copy on write: before a znode changes, every reader that has not passed it puts a copy aside (null for one that did
 * not exist), and later takes the copy for the znode. Invariant: what is aside stands behind the cursor's position;
 * so an open reader costs one copy for each znode changed ahead of it, at most `asideMax`, past which it is overrun
 * and must be given up.
 */
import { comparePaths, isWithin, joinPath } from "@copse/protocol";
import { SortedList } from "./sorted-list.ts";
import { copyOf, type Znode } from "./znode.ts";

/** A znode as a reader saw it. Use it before the next write: it may be the live one. */
export interface Seen {
  readonly path: string;
  readonly znode: Znode;
}

/** What a reader needs of the tree that it reads. */
export interface Readable {
  readonly zxid: number;
  readonly index: number;
  find(path: string): Znode | undefined;
}

interface Aside {
  readonly path: string;
  readonly znode: Znode | null;
}

export class TreeReader {
  /** The state's zxid and log index when the reader was opened. */
  readonly zxid: number;
  readonly index: number;
  readonly path: string;
  readonly #tree: Readable;
  readonly #levels: number;
  readonly #asideMax: number;
  readonly #onClose: () => void;
  readonly #aside: SortedList<Aside> = new SortedList((path, item) => comparePaths(path, item.path));
  #cursor: string | null = null;
  #isOverrun = false;

  constructor(tree: Readable, path: string, levels: number, asideMax: number, onClose: () => void) {
    this.zxid = tree.zxid;
    this.index = tree.index;
    this.path = path;
    this.#tree = tree;
    this.#levels = levels;
    this.#asideMax = asideMax;
    this.#onClose = onClose;
  }

  /** True if too much changed ahead of the reader: its pieces can't be completed. */
  get isOverrun(): boolean {
    return this.#isOverrun;
  }

  /** Called by the tree before `znode` at `path` changes or goes, or with null before it comes. */
  keep(path: string, znode: Znode | null): void {
    if (this.#isOverrun || !isWithin(path, this.path) || levelsBetween(this.path, path) > this.#levels) return;
    if (this.#cursor !== null && comparePaths(path, this.#cursor) <= 0) return;
    if (this.#aside.get(path) !== undefined) return;
    if (this.#aside.size >= this.#asideMax) this.#isOverrun = true;
    else this.#aside.insert(path, { path, znode: znode === null ? null : copyOf(znode) });
  }

  /** The znodes behind the cursor, which moves along: stop iterating where a piece is full, and go on later. */
  *rest(): Generator<Seen, undefined> {
    const live = this.#walk();
    const aside = this.#aside.after(this.#cursor);
    let nextLive = live.next();
    let nextAside = aside.next();
    while (!nextLive.done || !nextAside.done) {
      const order = nextAside.done ? -1 : nextLive.done ? 1 : comparePaths(nextLive.value.path, nextAside.value.path);
      if (order < 0) {
        const seen: Seen = nextLive.value!;
        this.#cursor = seen.path;
        yield seen;
        nextLive = live.next();
        continue;
      }
      const { path, znode } = nextAside.value!;
      this.#cursor = path;
      if (znode !== null) yield { path, znode };
      nextAside = aside.next();
      if (order === 0) nextLive = live.next();
    }
  }

  close(): void {
    this.#onClose();
  }

  /** The live znodes behind the cursor, parents first, siblings in code-unit order. */
  *#walk(): Generator<Seen, undefined> {
    const top = this.#tree.find(this.path);
    if (top === undefined) return;
    const stack: { readonly path: string; readonly items: Iterator<Znode, undefined> }[] = [];
    if (this.#cursor === null) {
      yield { path: this.path, znode: top };
      stack.push({ path: this.path, items: below(top, null) });
    } else {
      let znode: Znode | undefined = top;
      let path = this.path;
      for (const name of namesBetween(this.path, this.#cursor)) {
        if (znode === undefined) break;
        stack.push({ path, items: below(znode, name) });
        znode = znode.child(name);
        path = joinPath(path, name);
      }
      if (znode !== undefined) stack.push({ path, items: below(znode, null) });
    }
    while (stack.length > 0) {
      if (stack.length > this.#levels) {
        stack.pop();
        continue;
      }
      const { path: parent, items } = stack[stack.length - 1]!;
      const next = items.next();
      if (next.done) stack.pop();
      else {
        const path = joinPath(parent, next.value.name);
        yield { path, znode: next.value };
        stack.push({ path, items: below(next.value, null) });
      }
    }
  }
}

const nothing: readonly Znode[] = [];

function below(znode: Znode, after: string | null): Iterator<Znode, undefined> {
  return znode.children === null ? nothing.values() : znode.children.after(after);
}

function namesBetween(ancestor: string, path: string): string[] {
  if (path === ancestor) return [];
  return path.slice(ancestor === "/" ? 1 : ancestor.length + 1).split("/");
}

function levelsBetween(ancestor: string, path: string): number {
  return namesBetween(ancestor, path).length;
}
