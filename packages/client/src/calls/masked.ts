/** What `getAcl` hides from callers that are not admins of a znode. */
import type { AclItem, Identity } from "@copse/protocol";

/**
 * True for an ACL's item, or an identity, without its secret half, which nobody fits: an ACL that holds one was not read whole, and can't be
 * written again.
 *
 * @example
 * isMasked({ scheme: "digest", id: "bob:x" }); // true
 */
export function isMasked(item: AclItem | Identity): boolean {
  const named = "all" in item && item.all !== undefined ? item.all : [item as Identity];
  return named.some(({ scheme, id }) => (scheme === "digest" || scheme === "scrypt") && /^[^:]*:x$/.test(id));
}
