/**
 * The identities of a session: how more of them join those that it has.
 *
 * Invariant: a session has each identity once.
 */
import type { Identity } from "@copse/protocol";

/** Those that a session has, and those of `proved` that are not there yet: the same list where there are none. */
export function joined(held: readonly Identity[], proved: readonly Identity[]): readonly Identity[] {
  const fresh = proved.filter((identity) => !held.some((known) => isSame(known, identity)));
  return fresh.length === 0 ? held : [...held, ...fresh];
}

/**
 * As `joined`, where what a user has proved takes the place of what the same user proved before: another password is
 * another identity, and the former one goes.
 */
export function renewed(held: readonly Identity[], proved: readonly Identity[]): readonly Identity[] {
  const users = new Set(proved.map(userOf));
  const kept = held.filter((identity) => !users.has(userOf(identity)) || proved.some((one) => isSame(one, identity)));
  return joined(kept.length === held.length ? held : kept, proved);
}

function isSame(one: Identity, other: Identity): boolean {
  return one.scheme === other.scheme && one.id === other.id;
}

/** Who it is, without what proves it: digest and scrypt identities of one name are one user's. */
function userOf({ scheme, id }: Identity): string {
  return scheme === "digest" || scheme === "scrypt" ? `user ${id.split(":", 1)[0]}` : `${scheme} ${id}`;
}
