/**
 * The queues of locks and elections: the ephemerals whose names are those that recipes give to waiters, by their parents.
 *
 * It follows from the tree: read from it once, then kept in step by each txn's changes, so that a page of them costs what is on it. Invariant:
 * the places of a queue stand in their order, the queues in the order of their paths.
 */
import { nameOf, parentOf, queueKinds } from "@copse/protocol";
import { type Change, SortedList, type Tree } from "@copse/tree";

/** The names of places in queues. */
const placeName = new RegExp(`^(?:${queueKinds.join("|")})-(?:\\d{10}|[1-9]\\d{10,})$`);

export interface Queue {
  readonly path: string;
  /** The names of the places, in their order. */
  readonly names: SortedList<string>;
}

export class Queues {
  readonly #tree: Tree;
  #queues: SortedList<Queue> = sortedQueues();

  constructor(tree: Tree) {
    this.#tree = tree;
    this.restored();
  }

  /** The state is another: reads it anew. */
  restored(): void {
    this.#queues = sortedQueues();
    for (const { ephemerals } of this.#tree.sessions.values()) for (const path of ephemerals.after(null)) this.#add(path);
  }

  get size(): number {
    return this.#queues.size;
  }

  /** The queues after a path, or all for null. */
  after(path: string | null): Generator<Queue, undefined> {
    return this.#queues.after(path);
  }

  /** Takes one txn's changes. */
  note(changes: readonly Change[]): void {
    for (const { kind, path, stat } of changes) {
      if (kind === "created" && stat?.ephemeralOwner != null) this.#add(path);
      else if (kind === "deleted" && this.#queues.size > 0) this.#remove(path);
    }
  }

  #add(path: string): void {
    const name = nameOf(path);
    const parent = parentOf(path);
    if (!placeName.test(name) || parent === "/") return;
    let queue = this.#queues.get(parent);
    if (queue === undefined) {
      queue = { path: parent, names: sortedPlaces() };
      this.#queues.insert(parent, queue);
    }
    if (queue.names.get(name) === undefined) queue.names.insert(name, name);
  }

  #remove(path: string): void {
    const name = nameOf(path);
    if (!placeName.test(name)) return;
    const queue = this.#queues.get(parentOf(path));
    if (queue === undefined || !queue.names.delete(name) || queue.names.size > 0) return;
    this.#queues.delete(queue.path);
  }
}

function sortedQueues(): SortedList<Queue> {
  return new SortedList((path, queue) => compareText(path, queue.path));
}

/** By the number that the parent gave, then the rest: two kinds of places may share a queue. */
function sortedPlaces(): SortedList<string> {
  return new SortedList((name, other) => {
    const [left, right] = [numberOf(name), numberOf(other)];
    return left.length - right.length || compareText(left, right) || compareText(name, other);
  });
}

/** The digits of a place's name: more of them are more. */
function numberOf(name: string): string {
  return name.slice(name.lastIndexOf("-") + 1);
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one === other ? 0 : 1;
}
