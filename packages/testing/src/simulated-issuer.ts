/**
 * The issuer of a simulated world: tokens are JSON that nobody forges, and a password is super.
 *
 * A `token` is `{"sub","iat","exp"}` with times in milliseconds since the epoch; it proves `token sim:SUB` and `issuer sim`.
 */
import type { Credential } from "@copse/protocol";
import type { AuthOutcome, Proof } from "@copse/replica";

/** @param wall the clock of the member that is asked */
export function outcomeOf(credentials: readonly Credential[], wall: number): AuthOutcome {
  const proofs: Proof[] = [];
  for (const { scheme, credential } of credentials) {
    if (scheme === "super") {
      proofs.push({ identities: [{ scheme: "super", id: "super" }] });
      continue;
    }
    if (scheme !== "token") return { wrong: "refused" };
    const { sub, iat, exp } = JSON.parse(credential) as { readonly sub: string; readonly iat: number; readonly exp: number };
    if (exp <= wall) return { wrong: "expired" };
    const identities = [
      { scheme: "token", id: `sim:${sub}` },
      { scheme: "issuer", id: "sim" },
    ];
    proofs.push({ identities, subject: `sim:${sub}`, issuedAt: Math.floor(iat), expiresAt: Math.floor(exp) });
  }
  return { proofs };
}
