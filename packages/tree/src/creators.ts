/**
 * What each creator has in the tree: znodes, bytes of their data, ephemerals. A znode counts for its creator until it is deleted.
 *
 * Who counts as a creator, and how much one may have, the txn says: a token's subject, or an address. Znodes from before format 5, and those
 * that are created where nobody is bounded, have none.
 */

/** Whose a new znode is, and how much that creator may have; absent for no bound. */
export interface CreatorBudget {
  readonly creator: string;
  readonly znodes?: number;
  readonly bytes?: number;
  readonly ephemerals?: number;
}

export class Creator {
  readonly key: string;
  znodes = 0;
  bytes = 0;
  ephemerals = 0;

  constructor(key: string) {
    this.key = key;
  }
}

export class Creators {
  readonly #byKey: Map<string, Creator> = new Map();

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Creator | undefined {
    return this.#byKey.get(key);
  }

  /** The creator of this key, known or new. It stays while it has a znode. */
  of(key: string): Creator {
    return this.#byKey.get(key) ?? new Creator(key);
  }

  /** One znode more, or less, is the creator's. */
  count(creator: Creator, step: 1 | -1, bytes: number, isEphemeral: boolean): void {
    creator.znodes += step;
    creator.bytes += step * bytes;
    if (isEphemeral) creator.ephemerals += step;
    if (creator.znodes === 0) this.#byKey.delete(creator.key);
    else if (creator.znodes === 1 && step === 1) this.#byKey.set(creator.key, creator);
  }

  /** The bound that so much more would pass, or null. */
  exceeded(budget: CreatorBudget, more: { readonly znodes: number; readonly bytes: number; readonly ephemerals: number }): string | null {
    const { znodes = 0, bytes = 0, ephemerals = 0 } = this.#byKey.get(budget.creator) ?? {};
    const most = Number.POSITIVE_INFINITY;
    if (more.znodes > 0 && znodes + more.znodes > (budget.znodes ?? most)) return `at most ${budget.znodes} znodes`;
    if (more.bytes > 0 && bytes + more.bytes > (budget.bytes ?? most)) return `at most ${budget.bytes} bytes of data`;
    if (more.ephemerals > 0 && ephemerals + more.ephemerals > (budget.ephemerals ?? most)) return `at most ${budget.ephemerals} ephemerals`;
    return null;
  }
}
