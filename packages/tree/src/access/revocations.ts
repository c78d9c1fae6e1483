/**
 * Revocations: credentials that are refused although they have not ended, by the identities that they proved.
 *
 * They are part of the state. One is kept for as long as a credential that it refuses could live, as the txn says; it is dropped at the
 * first txn after that which looks.
 */
import type { Revocation } from "@copse/protocol";
import { identityText } from "@copse/protocol";
import type { Proof } from "./identities.ts";

/** A revocation as the state keeps it. */
export interface KeptRevocation extends Revocation {
  /** When it may be forgotten, in milliseconds since the epoch. */
  readonly until: number;
}

/** Revocations in one tree. */
export const revocationsMax = 10_000;

export class Revocations {
  readonly #byIdentity: Map<string, KeptRevocation> = new Map();

  get size(): number {
    return this.#byIdentity.size;
  }

  /** False where there is no room for one more. */
  add(revocation: KeptRevocation): boolean {
    for (const [identity, { until }] of this.#byIdentity) if (until <= revocation.at) this.#byIdentity.delete(identity);
    if (this.size >= revocationsMax && !this.#byIdentity.has(revocation.identity)) return false;
    this.#byIdentity.delete(revocation.identity);
    this.#byIdentity.set(revocation.identity, revocation);
    return true;
  }

  lift(identity: string): void {
    this.#byIdentity.delete(identity);
  }

  /** True for a token that was revoked. */
  refuses({ issuedAt, identities }: Proof): boolean {
    if (this.size === 0 || issuedAt === undefined) return false;
    return identities.some((identity) => issuedAt < (this.#byIdentity.get(identityText(identity))?.before ?? Number.NEGATIVE_INFINITY));
  }

  /** In the order in which they were said. */
  all(): readonly KeptRevocation[] {
    return [...this.#byIdentity.values()];
  }
}
