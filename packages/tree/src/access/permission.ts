/**
 * Permission: the one question that all ask who show or change a znode.
 *
 * A caller has a permission where the znode's ACL grants it and, where there is a document of rules, the rules do too. What may be known
 * of a znode at all, its name included, the rules alone decide: ACLs never hide names (ZooKeeper's rule).
 */
import { type Permission, rulesPath } from "@copse/protocol";
import { type Acl, type Caller, mayDo, mayDoByName, nobody, passesAll } from "./acl.ts";
import type { Rules } from "./rules.ts";

/** The tree, as far as it is looked at here. */
export interface Ruled {
  readonly rules: Rules | null;
  readonly root: { readonly acl: Acl };
}

/** True if the caller has this permission on the znode with this ACL at this path. */
export function permits({ rules }: Ruled, permission: Permission, path: string, acl: Acl, caller: Caller): boolean {
  return mayDo(acl, permission, caller) && (rules === null || rules.grants(path, permission, caller));
}

/**
 * True for an admin: super, those whom the configuration names, and identities with the admin permission on the root.
 * @param isWorldAdmin false where what is granted to everyone makes nobody an admin
 */
export function isAdmin(tree: Ruled, caller: Caller, isWorldAdmin: boolean): boolean {
  const { rules, root } = tree;
  if (passesAll(caller)) return true;
  if (!permits(tree, "admin", "/", root.acl, caller)) return false;
  return isWorldAdmin || mayDoByName(root.acl, "admin", caller) || rules?.grantsByName("/", "admin", caller) === true;
}

/** True if rules let the caller know that there is a znode at this path. The rules themselves are for admins. */
export function isShown(tree: Ruled, path: string, caller: Caller, isWorldAdmin: boolean): boolean {
  if (path === rulesPath) return isAdmin(tree, caller, isWorldAdmin);
  return tree.rules === null || tree.rules.grants(path, "read", caller);
}

/** True while everyone may change what is below the root. */
export function isRootOpen(tree: Ruled): boolean {
  return (["create", "delete", "admin"] as const).some((permission) => permits(tree, permission, "/", tree.root.acl, nobody));
}
