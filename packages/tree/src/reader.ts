/**
 * A point-in-time reader: walks a part of the tree in path order, a piece at a time, and sees it as it was when the
 * reader was opened, whatever is written meanwhile.
 *
 * Copy on write: before a znode changes, a copy is put aside (null for one that did not exist), which later stands for the znode.
 * Readers of one part that were opened on one state share a view, and what is aside: what they cost follows from the
 * parts and states that are being read, not from how many read them. Invariant: what is aside is at most `asideMax` znodes and the share
 * of `AsideBudget`; past it a view is overrun, and its readers must be given up.
 */
import { comparePaths, isWithin, joinPath } from "@copse/protocol";
import { SortedList } from "./collections/sorted-list.ts";
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

/** Bytes that one znode aside takes beside its data. */
const asideBytesEach = 512;
/** Readers of one view whose places are looked at before something is put aside for them. */
const placesLookedAtMax = 8;

/** What all views that have a bound put aside together. */
export class AsideBudget {
  readonly #bytesMax: number;
  readonly #views: Set<TreeView> = new Set();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes aside. */
  get bytes(): number {
    return this.#bytes;
  }

  join(view: TreeView): void {
    this.#views.add(view);
  }

  leave(view: TreeView): void {
    if (this.#views.delete(view)) this.#bytes -= view.asideBytes;
  }

  /** So much more is aside; whoever has put most aside gives up where it is too much. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#bytesMax) return;
    let largest: TreeView | null = null;
    for (const view of this.#views) if (largest === null || view.asideBytes > largest.asideBytes) largest = view;
    largest?.giveUp();
  }
}

/** One part of one state, for all who read it. */
export class TreeView {
  readonly zxid: number;
  readonly index: number;
  readonly path: string;
  readonly levels: number;
  readonly asideMax: number;
  readonly readers: Set<TreeReader> = new Set();
  readonly #tree: Readable;
  readonly #budget: AsideBudget | null;
  #aside: SortedList<Aside> = asideList();
  #asideBytes = 0;
  #isOverrun = false;

  /** @param budget null where it is never given up for others' sake */
  constructor(tree: Readable, path: string, levels: number, asideMax: number, budget: AsideBudget | null) {
    this.zxid = tree.zxid;
    this.index = tree.index;
    this.path = path;
    this.levels = levels;
    this.asideMax = asideMax;
    this.#tree = tree;
    this.#budget = budget;
    budget?.join(this);
  }

  get asideBytes(): number {
    return this.#asideBytes;
  }

  get isOverrun(): boolean {
    return this.#isOverrun;
  }

  /** The live znode at the view's path. */
  get top(): Znode | undefined {
    return this.#tree.find(this.path);
  }

  aside(after: string | null): Iterator<Aside, undefined> {
    return this.#aside.after(after);
  }

  /** Called by the tree before `znode` at `path` changes or goes, or with null before it comes. */
  keep(path: string, copy: () => Znode | null): void {
    if (this.#isOverrun || !isWithin(path, this.path) || levelsBetween(this.path, path, this.levels) > this.levels) return;
    if (this.readers.size <= placesLookedAtMax && !this.#isAhead(path)) return;
    if (this.#aside.get(path) !== undefined) return;
    if (this.#aside.size >= this.asideMax) return this.giveUp();
    const znode = copy();
    this.#aside.insert(path, { path, znode });
    const bytes = asideBytesEach + path.length + (znode?.value?.bytes ?? 0);
    this.#asideBytes += bytes;
    this.#budget?.add(bytes);
  }

  /** Its pieces can't be completed any more: what is aside is let go. */
  giveUp(): void {
    this.#isOverrun = true;
    this.#budget?.leave(this);
    this.#aside = asideList();
    this.#asideBytes = 0;
  }

  close(): void {
    this.#budget?.leave(this);
  }

  /** True if a reader has not passed this path. */
  #isAhead(path: string): boolean {
    for (const { cursor } of this.readers) if (cursor === null || comparePaths(path, cursor) > 0) return true;
    return false;
  }
}

export class TreeReader {
  readonly #view: TreeView;
  readonly #onClose: () => void;
  /** The path of the znode that was given last. */
  cursor: string | null = null;

  constructor(view: TreeView, onClose: () => void) {
    this.#view = view;
    this.#onClose = onClose;
    view.readers.add(this);
  }

  /** The state's zxid when the reader was opened. */
  get zxid(): number {
    return this.#view.zxid;
  }

  /** The state's log index when the reader was opened. */
  get index(): number {
    return this.#view.index;
  }

  get path(): string {
    return this.#view.path;
  }

  /** True if too much changed ahead of the reader: its pieces can't be completed. */
  get isOverrun(): boolean {
    return this.#view.isOverrun;
  }

  /** The znodes after the cursor, which moves along: stop iterating where a piece is full, and go on later. */
  *rest(): Generator<Seen, undefined> {
    const live = this.#walk();
    const aside = this.#view.aside(this.cursor);
    let nextLive = live.next();
    let nextAside = aside.next();
    while (!nextLive.done || !nextAside.done) {
      const order = nextAside.done ? -1 : nextLive.done ? 1 : comparePaths(nextLive.value.path, nextAside.value.path);
      if (order < 0) {
        const seen: Seen = nextLive.value!;
        this.cursor = seen.path;
        yield seen;
        nextLive = live.next();
        continue;
      }
      const { path, znode } = nextAside.value!;
      this.cursor = path;
      if (znode !== null) yield { path, znode };
      nextAside = aside.next();
      if (order === 0) nextLive = live.next();
    }
  }

  close(): void {
    if (!this.#view.readers.delete(this)) return;
    if (this.#view.readers.size > 0) return;
    this.#view.close();
    this.#onClose();
  }

  /** The live znodes after the cursor, parents first, siblings in code-unit order. */
  *#walk(): Generator<Seen, undefined> {
    const { path: from, levels, top } = this.#view;
    if (top === undefined) return;
    const stack: { readonly path: string; readonly items: Iterator<Znode, undefined> }[] = [];
    if (this.cursor === null) {
      yield { path: from, znode: top };
      stack.push({ path: from, items: below(top, null) });
    } else {
      let znode: Znode | undefined = top;
      let path = from;
      for (const name of namesBetween(from, this.cursor)) {
        if (znode === undefined) break;
        stack.push({ path, items: below(znode, name) });
        znode = znode.child(name);
        path = joinPath(path, name);
      }
      if (znode !== undefined) stack.push({ path, items: below(znode, null) });
    }
    while (stack.length > 0) {
      if (stack.length > levels) {
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

function asideList(): SortedList<Aside> {
  return new SortedList((path, item) => comparePaths(path, item.path));
}

/** What makes a copy of a znode once, for all views that want it. */
export function copier(znode: Znode | null): () => Znode | null {
  let copy: Znode | null = null;
  return () => {
    if (znode !== null) copy ??= copyOf(znode);
    return copy;
  };
}

function below(znode: Znode, after: string | null): Iterator<Znode, undefined> {
  return znode.children === null ? nothing.values() : znode.children.after(after);
}

function namesBetween(ancestor: string, path: string): string[] {
  if (path === ancestor) return [];
  return path.slice(ancestor === "/" ? 1 : ancestor.length + 1).split("/");
}

/** Levels from an ancestor down to a path; not counted beyond `most`. */
function levelsBetween(ancestor: string, path: string, most: number): number {
  if (path.length === ancestor.length || most === Number.POSITIVE_INFINITY) return 0;
  let levels = 0;
  for (let at = ancestor === "/" ? 0 : ancestor.length; at >= 0 && levels <= most; at = path.indexOf("/", at + 1)) levels++;
  return levels;
}
