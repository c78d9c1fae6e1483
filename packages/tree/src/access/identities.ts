/**
 * The identities of a session, or of a connection without one: what each credential has proved, and until when.
 *
 * Invariants: each identity stands once in `all`; a credential takes the place of what the same user, or the same token subject, has
 * proved before, as another password is another identity. What ends, or brings more than itself, stands in `proofs`; the rest is `plain`.
 */
import { type Identity, identityText } from "@copse/protocol";

/** What one credential has proved. Times are in milliseconds since the epoch. */
export interface Proof {
  readonly identities: readonly Identity[];
  /** Of a token: the id of its `token` identity, its issuer and subject. */
  readonly subject?: string;
  readonly issuedAt?: number;
  readonly expiresAt?: number;
  /** When the session took it. */
  readonly provedAt?: number;
}

/** The identity of those whom the configuration names as admins: no credential and no ACL can name it. */
export const adminIdentity: Identity = { scheme: "admin", id: "admin" };

export class Identities {
  readonly plain: readonly Identity[];
  readonly proofs: readonly Proof[];
  /** All of them, each once. */
  readonly all: readonly Identity[];
  /** When the first of them ends; Infinity where none does. */
  readonly endsAt: number;

  constructor(plain: readonly Identity[], proofs: readonly Proof[] = []) {
    this.plain = plain;
    this.proofs = proofs;
    this.all = proofs.reduce((all, proof) => joined(all, proof.identities), plain);
    this.endsAt = proofs.reduce((first, { expiresAt }) => Math.min(first, expiresAt ?? first), Number.POSITIVE_INFINITY);
  }

  /** With more plain identities, none of which is replaced: as builds before format 3 did. */
  joinedBy(proved: readonly Identity[]): Identities {
    const plain = joined(this.plain, proved);
    return plain === this.plain ? this : new Identities(plain, this.proofs);
  }

  /** With what credentials have proved since: in place of what the same users, and the same subject, had proved. */
  renewedBy(proved: readonly Identity[], proofs: readonly Proof[] = []): Identities {
    const users = new Set([...proved, ...proofs.flatMap(({ identities }) => identities)].map(userOf));
    const isSameUser = (identity: Identity): boolean => users.has(userOf(identity));
    const kept = this.plain.filter((identity) => !isSameUser(identity) || proved.some((one) => isSame(one, identity)));
    const plain = joined(kept.length === this.plain.length ? this.plain : kept, proved);
    const isReplaced = (proof: Proof): boolean =>
      proof.subject === undefined
        ? proof.identities.some((identity) => identity.scheme !== adminIdentity.scheme && isSameUser(identity))
        : proofs.some(({ subject }) => subject === proof.subject);
    const others = this.proofs.filter((proof) => !isReplaced(proof));
    if (plain === this.plain && proofs.length === 0 && others.length === this.proofs.length) return this;
    return new Identities(plain, [...others, ...proofs]);
  }

  /** Without what has ended by then. */
  at(time: number): Identities {
    if (time < this.endsAt) return this;
    return new Identities(
      this.plain,
      this.proofs.filter(({ expiresAt }) => expiresAt === undefined || time < expiresAt),
    );
  }

  /**
   * Without what any credential has proved that proved this identity, as text.
   * @param before only tokens issued before this; credentials without a time of issue go in any case
   */
  without(identity: string, before: number): Identities {
    if (!this.all.some((one) => identityText(one) === identity)) return this;
    const users = new Set(this.plain.filter((one) => identityText(one) === identity).map(userOf));
    const isRevoked = ({ identities, issuedAt }: Proof): boolean =>
      (issuedAt === undefined || issuedAt < before) && identities.some((one) => identityText(one) === identity);
    const plain = this.plain.filter((one) => !users.has(userOf(one)));
    const proofs = this.proofs.filter((proof) => !isRevoked(proof));
    return plain.length === this.plain.length && proofs.length === this.proofs.length ? this : new Identities(plain, proofs);
  }

  /** The subject of the token among them, or null. */
  get subject(): string | null {
    return this.proofs.find(({ subject }) => subject !== undefined)?.subject ?? null;
  }
}

export const noIdentities: Identities = new Identities([]);

/** Those that are there, and those of `proved` that are not there yet: the same list where there are none. */
function joined(held: readonly Identity[], proved: readonly Identity[]): readonly Identity[] {
  const fresh = proved.filter((identity) => !held.some((known) => isSame(known, identity)));
  return fresh.length === 0 ? held : [...held, ...fresh];
}

function isSame(one: Identity, other: Identity): boolean {
  return one.scheme === other.scheme && one.id === other.id;
}

/** Who it is, without what proves it: digest and scrypt identities of one name are one user's. */
function userOf({ scheme, id }: Identity): string {
  return scheme === "digest" || scheme === "scrypt" ? `user ${id.split(":", 1)[0]}` : `${scheme} ${id}`;
}
