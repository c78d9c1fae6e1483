/**
 * What a txn touched, in the order of its ops: all that watches, subscriptions and the history need.
 *
 * Invariant: a change is a value of its moment. It carries the ACLs of that moment, because whether a caller may see it is decided
 * by them and not by later ones.
 */
import type { ChangeKind, Stat, Value } from "@copse/protocol";
import type { Acl } from "../access/acl.ts";

export interface Change {
  readonly kind: ChangeKind;
  readonly path: string;
  /** The data after created and changed. */
  readonly value: Value | null;
  /** The stat after all but deleted. */
  readonly stat: Stat | null;
  readonly acl: Acl;
  /** With kind acl: the ACL before it. */
  readonly before: Acl | null;
  /** The parent's ACL; null for "/". */
  readonly parentAcl: Acl | null;
}
