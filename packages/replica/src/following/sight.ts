/**
 * What a caller may see: the one question of all reads, watches and subscriptions of this member.
 *
 * Invariant: who is told of a znode, by whatever way, may see it by the rules of this moment; ACLs hide data, rules hide names too.
 */
import { parentOf, rulesPath } from "@copse/protocol";
import { type Acl, type Caller, isAdmin, isShown, mayDo, permits, type Tree } from "@copse/tree";
import type { Policy } from "../sessions/policy.ts";

export class Sight {
  readonly #tree: Tree;
  readonly #policy: Policy;

  constructor(tree: Tree, policy: Policy) {
    this.#tree = tree;
    this.#policy = policy;
  }

  isAdmin(caller: Caller): boolean {
    return isAdmin(this.#tree, caller, this.#policy.isWorldAdmin);
  }

  /** True if the caller may know whether there is a znode at the path. */
  isShown(path: string, caller: Caller): boolean {
    if (this.#tree.rules === null && path !== rulesPath) return true;
    return isShown(this.#tree, path, caller, this.#policy.isWorldAdmin);
  }

  /** True if the caller may read a znode with this ACL at the path. */
  mayRead(path: string, acl: Acl, caller: Caller): boolean {
    return mayDo(acl, "read", caller) && this.isShown(path, caller);
  }

  /** What a subscription shows of a znode. 0: nothing; 1: that it is there, without its data; 2: all. */
  of(path: string, acl: Acl, parentAcl: Acl | null, caller: Caller): 0 | 1 | 2 {
    if (!this.isShown(path, caller)) return 0;
    if (mayDo(acl, "read", caller)) return 2;
    return parentAcl !== null && permits(this.#tree, "read", parentOf(path), parentAcl, caller) ? 1 : 0;
  }
}
