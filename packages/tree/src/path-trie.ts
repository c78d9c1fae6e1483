/**
 * What stands at paths, found on the way down to another path.
 *
 * A look-up walks from the root as far as something stands below, and no further: what is asked of a deep path costs what stands on
 * its way, not its length. Invariant: a place without an item has items below it.
 */
interface Place<T> {
  readonly parent: Place<T> | null;
  readonly name: string;
  item: T | undefined;
  below: Map<string, Place<T>> | null;
}

export class PathTrie<T> {
  #root: Place<T> = { parent: null, name: "", item: undefined, below: null };
  #size = 0;

  /** How many items there are. */
  get size(): number {
    return this.#size;
  }

  get(path: string): T | undefined {
    let place: Place<T> | undefined = this.#root;
    for (const name of segmentsOf(path)) {
      place = place.below?.get(name);
      if (place === undefined) return undefined;
    }
    return place.item;
  }

  set(path: string, item: T): void {
    let place = this.#root;
    for (const name of segmentsOf(path)) {
      place.below ??= new Map();
      let next = place.below.get(name);
      if (next === undefined) {
        next = { parent: place, name, item: undefined, below: null };
        place.below.set(name, next);
      }
      place = next;
    }
    if (place.item === undefined) this.#size++;
    place.item = item;
  }

  /** Takes the item at this path away, if there is one. */
  delete(path: string): void {
    let place: Place<T> | undefined = this.#root;
    for (const name of segmentsOf(path)) {
      place = place.below?.get(name);
      if (place === undefined) return;
    }
    if (place.item === undefined) return;
    this.#size--;
    place.item = undefined;
    while (place.parent !== null && place.item === undefined && place.below === null) {
      place.parent.below!.delete(place.name);
      if (place.parent.below!.size === 0) place.parent.below = null;
      place = place.parent;
    }
  }

  clear(): void {
    this.#root = { parent: null, name: "", item: undefined, below: null };
    this.#size = 0;
  }

  /** Calls `visit` with each item at the path and above it, from the root down. */
  visitWay(path: string, visit: (item: T) => void): void {
    let place: Place<T> | undefined = this.#root;
    if (place.item !== undefined) visit(place.item);
    if (path.length === 1) return;
    for (let from = 1; place.below !== null; ) {
      const slash = path.indexOf("/", from);
      place = place.below.get(slash < 0 ? path.slice(from) : path.slice(from, slash));
      if (place === undefined) return;
      if (place.item !== undefined) visit(place.item);
      if (slash < 0) return;
      from = slash + 1;
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

function segmentsOf(path: string): readonly string[] {
  return path.length === 1 ? [] : path.slice(1).split("/");
}
