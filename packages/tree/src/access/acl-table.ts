/**
 * The ACLs of a tree, each kept once however many znodes have it.
 *
 * Invariant: it holds the ACLs of the znodes that are in the tree, counted; the open one, which nearly all have, is never counted.
 */
import type { AclItem } from "@copse/protocol";
import { Acl, open } from "./acl.ts";

export class AclTable {
  readonly #held: Map<string, { readonly acl: Acl; count: number }> = new Map();
  #bytes = 0;
  #defaults = 0;

  /** Different ACLs, the open one aside. */
  get size(): number {
    return this.#held.size;
  }

  /** What they take in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True if some znode hands an ACL on to its children. */
  get hasDefaults(): boolean {
    return this.#defaults > 0;
  }

  /**
   * The ACL of these items: the one that is held already, where there is one.
   * @param defaultItems what children created without an ACL get, or null
   */
  of(items: readonly AclItem[], defaultItems: readonly AclItem[] | null): Acl {
    const acl = new Acl(items, defaultItems);
    return acl.key === open.key ? open : (this.#held.get(acl.key)?.acl ?? acl);
  }

  /** The ACL of a znode that is created below one with this ACL, and without one of its own. */
  inherited({ defaultItems }: Acl): Acl {
    return defaultItems === null ? open : this.of(defaultItems, defaultItems);
  }

  /** One znode more, or less, has this ACL. */
  count(acl: Acl, step: 1 | -1): void {
    if (acl === open) return;
    const held = this.#held.get(acl.key);
    if (held === undefined) {
      this.#held.set(acl.key, { acl, count: 1 });
      this.#bytes += acl.bytes;
      if (acl.defaultItems !== null) this.#defaults++;
      return;
    }
    held.count += step;
    if (held.count > 0) return;
    this.#held.delete(acl.key);
    this.#bytes -= acl.bytes;
    if (acl.defaultItems !== null) this.#defaults--;
  }
}
