/**
 * Admins may read and change what concerns the whole ensemble: super, and identities with the admin permission on the root.
 */

import type { Tree } from "../tree.ts";
import { type Caller, mayDo, mayDoByName } from "./acl.ts";

/** A caller without identities or an address. */
const nobody: Caller = { identities: [], address: "" };

/** True while everyone may change what is below the root. */
export function isRootOpen({ root }: Tree): boolean {
  return mayDo(root.acl, "create", nobody) || mayDo(root.acl, "delete", nobody) || mayDo(root.acl, "admin", nobody);
}

/**
 * True for an admin.
 * @param isWorldAdmin false where what the root's ACL grants to everyone makes nobody an admin
 */
export function isAdmin({ root }: Tree, caller: Caller, isWorldAdmin: boolean): boolean {
  return isWorldAdmin ? mayDo(root.acl, "admin", caller) : mayDoByName(root.acl, "admin", caller);
}
