/**
 * ACLs inside the history's lines: 0 for the open one, which nearly all are, else the items.
 */
import { type Acl, aclOf, open } from "@copse/tree";

export function openAclOf(acl: Acl): 0 | Acl["items"] {
  return acl === open ? 0 : acl.items;
}

export function aclFromItems(items: 0 | Acl["items"]): Acl {
  return items === 0 ? open : aclOf(items);
}
