/** What the credentials of a connect or an auth came to. */
import { type Identity, type Refusal, refuse } from "@copse/protocol";
import { adminIdentity, type Identities, noIdentities, type Proof } from "@copse/tree";

/**
 * What they have proved; or nothing, as one has ended or is not accepted, as it can't be judged just now (too many wait, or its issuer does not
 * answer), or as too many wrong ones came from there.
 */
export type AuthOutcome = { readonly proofs: readonly Proof[] } | { readonly wrong: "expired" | "refused" } | "busy" | "throttled";

/** What was proved, as a txn carries it: what neither ends nor brings more than itself stands in the words of older builds. */
export function split(proofs: readonly Proof[]): { readonly plain: readonly Identity[]; readonly more: readonly Proof[] } {
  return {
    plain: proofs.filter((proof) => !needsFormat5(proof)).flatMap(({ identities }) => identities),
    more: proofs.filter(needsFormat5),
  };
}

/** True for what only builds since format 5 understand. */
export function needsFormat5({ subject, expiresAt, identities }: Proof): boolean {
  return subject !== undefined || expiresAt !== undefined || identities.some(({ scheme }) => scheme === adminIdentity.scheme);
}

/** The identities of a connection without a session. @param at when they were proved */
export function identitiesOf(proofs: readonly Proof[], at: number): Identities {
  const { plain, more } = split(proofs);
  return noIdentities.renewedBy(
    plain,
    more.map((proof) => ({ ...proof, provedAt: at })),
  );
}

/** What was wrong, the log says. */
export function authFailed(reason: "expired" | "refused"): Refusal {
  const message = reason === "expired" ? "the credential has expired" : "the credential is not accepted";
  return { ...refuse("AUTH_FAILED", message), reason };
}

/** Who has proved nothing may not do what the connect asks for. */
export function notLetIn(anonymous: "deny" | "follow" | "session"): Refusal {
  const message =
    anonymous === "follow" ? "without a credential only readOnly connections are let in" : "nobody is let in without a credential";
  return { ...refuse("AUTH_FAILED", message), reason: "refused" };
}
