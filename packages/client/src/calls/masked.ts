/** What `getAcl` hides from callers that are not admins of a znode. */
import type { Identity } from "@copse/protocol";

/**
 * True for an ACL's id without its secret half, which nobody fits: an ACL that holds one was not read whole, and can't be written again.
 *
 * @example
 * isMasked({ scheme: "digest", id: "bob:x" }); // true
 */
export function isMasked({ scheme, id }: Identity): boolean {
  return (scheme === "digest" || scheme === "scrypt") && /^[^:]*:x$/.test(id);
}
