/**
 * Credentials become identities here, once, off the loop: passwords, tokens, and who of those that proved one is an admin.
 *
 * What the identity file says may change while the hub runs. Invariant: what a credential has proved stays proved until it ends; a file that
 * can't be used changes nothing.
 */
import type { Credential, Identity } from "@copse/protocol";
import { type AuthOutcome, adminIdentity, type Proof } from "@copse/replica";
import type { Logger } from "pino";
import { TokenBucket } from "../clients/token-bucket.ts";
import { type IdentitySettings, noIdentitySettings } from "./identity-file.ts";
import { PasswordProver, type ProverLimits } from "./passwords.ts";
import { TokenProver } from "./tokens.ts";

export interface Proving {
  readonly credentials: readonly Credential[];
  /** The cluster's salt for passwords. */
  readonly salt: string;
  /** What the session that comes back has proved before; null where none does. */
  readonly proved: readonly Identity[] | null;
  /** Where they come from. */
  readonly address: string;
  /** False once nobody waits for the result any more. */
  readonly isWanted: () => boolean;
  readonly done: (outcome: AuthOutcome) => void;
}

/** Lines in the log of tokens that were refused: strangers can send any number of them. */
const refusalLines = { perSecond: 1, burst: 60 };

export class CredentialProver {
  readonly passwords: PasswordProver;
  readonly #logger: Logger;
  readonly #lines: TokenBucket = new TokenBucket(refusalLines);
  #unlogged = 0;
  #tokens: TokenProver = new TokenProver([]);
  #settings: IdentitySettings = noIdentitySettings;

  /** @param superHash see `hashPassword`; null where nobody is super */
  constructor(superHash: string | null, limits: ProverLimits, logger: Logger) {
    this.passwords = new PasswordProver(superHash, limits);
    this.#logger = logger;
  }

  /** Goes by these settings from now on. @throws ConfigError where the keys of an issuer can't be used; then nothing changes */
  become(settings: IdentitySettings): void {
    this.#tokens = new TokenProver(settings.issuers, this.#tokens);
    this.#settings = settings;
  }

  /** Calls back with what all credentials have proved, or why nothing is. */
  prove(proving: Proving): void {
    const { credentials, isWanted, done } = proving;
    const proofs: Proof[] = [];
    const next = (at: number): void => {
      if (!isWanted()) return done({ wrong: "refused" });
      const credential = credentials[at];
      if (credential === undefined) return done({ proofs });
      this.#proveOne(credential, proving, (outcome) => {
        if (typeof outcome === "string" || "wrong" in outcome) return done(outcome);
        for (const proof of outcome.proofs) proofs.push(this.withAdmin(proof));
        next(at + 1);
      });
    };
    next(0);
  }

  /** With what the identity file makes of whoever has proved this. */
  withAdmin(proof: Proof): Proof {
    const { admins } = this.#settings;
    const isAdmin = proof.identities.some(({ scheme, id }) => admins.has(`${scheme} ${id}`));
    return isAdmin ? { ...proof, identities: [...proof.identities, adminIdentity] } : proof;
  }

  #proveOne({ scheme, credential }: Credential, proving: Proving, done: (outcome: AuthOutcome) => void): void {
    if (scheme !== "token") return this.passwords.proveOne({ scheme, credential }, proving, done);
    void this.#tokens.prove(credential, Date.now()).then((outcome) => {
      if ("proof" in outcome) return done({ proofs: [outcome.proof] });
      const why = "why" in outcome ? outcome.why : outcome.unavailable;
      this.#log(proving.address, why);
      done("wrong" in outcome ? { wrong: outcome.wrong } : "busy");
    });
  }

  #log(address: string, why: string): void {
    if (this.#lines.isEmpty) {
      this.#unlogged++;
      return;
    }
    this.#lines.take();
    this.#logger.warn({ address, why, ...(this.#unlogged === 0 ? {} : { others: this.#unlogged }) }, "a token was refused");
    this.#unlogged = 0;
  }
}
