/**
 * What stands at paths, found on the way down to another path.
 *
 * A place holds the names from its parent's place on as one text, so that a deep path with nothing on its way is one place. A look-up walks
 * from the root as far as something stands below, and no further: what is asked of a deep path costs what stands on its way, not its
 * length. Invariant: a place without an item, the root apart, has two places below it or more.
 */
interface Place<T> {
  /** Names with slashes between them, none at either end; "" for the root. */
  names: string;
  item: T | undefined;
  /** By the first of their names. */
  below: Map<string, Place<T>> | null;
}

export class PathTrie<T> {
  #root: Place<T> = { names: "", item: undefined, below: null };
  #size = 0;

  /** How many items there are. */
  get size(): number {
    return this.#size;
  }

  get(path: string): T | undefined {
    let place = this.#root;
    for (let from = 1; from < path.length; from += place.names.length + 1) {
      const next = place.below?.get(nameAt(path, from));
      if (next === undefined || !standsAt(next.names, path, from)) return undefined;
      place = next;
    }
    return place.item;
  }

  set(path: string, item: T): void {
    let place = this.#root;
    for (let from = 1; from < path.length; from += place.names.length + 1) {
      const name = nameAt(path, from);
      place.below ??= new Map();
      let next = place.below.get(name);
      if (next === undefined) {
        next = { names: path.slice(from), item: undefined, below: null };
        place.below.set(name, next);
      } else if (!standsAt(next.names, path, from)) {
        next = split(next, path, from);
        place.below.set(name, next);
      }
      place = next;
    }
    if (place.item === undefined) this.#size++;
    place.item = item;
  }

  /** Takes the item at this path away, if there is one. */
  delete(path: string): void {
    let above = this.#root;
    let parent = this.#root;
    let place = this.#root;
    let name = "";
    let parentName = "";
    for (let from = 1; from < path.length; from += place.names.length + 1) {
      parentName = name;
      name = nameAt(path, from);
      const next = place.below?.get(name);
      if (next === undefined || !standsAt(next.names, path, from)) return;
      above = parent;
      parent = place;
      place = next;
    }
    if (place.item === undefined) return;
    this.#size--;
    place.item = undefined;
    if (place === this.#root) return;
    if (place.below === null) {
      parent.below!.delete(name);
      if (parent.below!.size === 0) parent.below = null;
      if (parent !== this.#root) merge(above, parentName, parent);
    } else {
      merge(parent, name, place);
    }
  }

  clear(): void {
    this.#root = { names: "", item: undefined, below: null };
    this.#size = 0;
  }

  /** Calls `visit` with each item at the path and above it, from the root down. */
  visitWay(path: string, visit: (item: T) => void): void {
    let place = this.#root;
    if (place.item !== undefined) visit(place.item);
    for (let from = 1; place.below !== null && from < path.length; from += place.names.length + 1) {
      const next = place.below.get(nameAt(path, from));
      if (next === undefined || !standsAt(next.names, path, from)) return;
      place = next;
      if (place.item !== undefined) visit(place.item);
    }
  }

  /** True if an item stands at the path or above it. */
  hasOnWay(path: string): boolean {
    let isThere = false;
    this.visitWay(path, () => {
      isThere = true;
    });
    return isThere;
  }
}

/** The name of a path that begins there. */
function nameAt(path: string, from: number): string {
  const slash = path.indexOf("/", from);
  return slash < 0 ? path.slice(from) : path.slice(from, slash);
}

/** True if these names stand in the path, whole, from there on. */
function standsAt(names: string, path: string, from: number): boolean {
  const end = from + names.length;
  return (end === path.length || path[end] === "/") && path.startsWith(names, from);
}

/** Puts a place above one whose names the path leaves half-way: with the names that they share, the first at least. */
function split<T>(place: Place<T>, path: string, from: number): Place<T> {
  const { names } = place;
  let shared = 0;
  for (let at = 0; at <= names.length; at++) {
    const isEnd = at === names.length || names[at] === "/";
    const isEndOfPath = from + at === path.length || path[from + at] === "/";
    if (isEnd && isEndOfPath) shared = at;
    if (at === names.length || names[at] !== path[from + at]) break;
  }
  const upper: Place<T> = { names: names.slice(0, shared), item: undefined, below: null };
  place.names = names.slice(shared + 1);
  upper.below = new Map([[nameAt(place.names, 0), place]]);
  return upper;
}

/** Makes one place of a place that has no item and the only one below it. */
function merge<T>(parent: Place<T>, name: string, place: Place<T>): void {
  if (place.item !== undefined || place.below?.size !== 1) return;
  const [only] = place.below.values();
  only!.names = `${place.names}/${only!.names}`;
  parent.below!.set(name, only!);
}
