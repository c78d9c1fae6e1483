/**
 * Whom this member lets in, as its configuration says: it may change while the member runs. What it decides about a txn travels in the txn.
 */
import type { Caller, Identities } from "@copse/tree";
import type { HolderKey } from "../connections/holders.ts";

/** What a connection may do that has proved no token, certificate or super password: nothing, read and follow, or have a session. */
export type Anonymous = "deny" | "follow" | "session";

export interface PolicySettings {
  readonly anonymous: Anonymous;
  /** False where strangers can reach the port: what is granted to everyone makes nobody an admin there. */
  readonly isTrusting: boolean;
  /** How long a revocation is kept, in milliseconds, by the name of an issuer; "" for what no issuer has proved. */
  readonly retentionMs: ReadonlyMap<string, number>;
}

/** How long a revocation is kept of what no issuer that is known has proved, in milliseconds. */
export const retentionMsDefault = 86_400_000;

/** Everything is allowed that the tree allows. */
export const openPolicy: PolicySettings = { anonymous: "session", isTrusting: true, retentionMs: new Map() };

/** Schemes of identities that somebody vouches for: anyone can choose a password. */
const vouched: ReadonlySet<string> = new Set(["token", "x509", "super", "admin"]);

export class Policy {
  #settings: PolicySettings;

  constructor(settings: PolicySettings) {
    this.#settings = settings;
  }

  become(settings: PolicySettings): void {
    this.#settings = settings;
  }

  get anonymous(): Anonymous {
    return this.#settings.anonymous;
  }

  /** True where what is granted to everyone makes everyone an admin. */
  get isWorldAdmin(): boolean {
    return this.anonymous === "session" && this.#settings.isTrusting;
  }

  /** True if whoever has these identities may be connected in this way. */
  admits(identities: Caller["identities"], isReadOnly: boolean): boolean {
    if (this.anonymous === "session" || (this.anonymous === "follow" && isReadOnly)) return true;
    return identities.some(({ scheme }) => vouched.has(scheme));
  }

  /** How long a revocation of this identity, as text, has to be kept, in milliseconds. */
  retentionMsOf(identity: string): number {
    const { retentionMs } = this.#settings;
    const issuer = /^(?:token|issuer|claim) ([a-z0-9_-]+)/.exec(identity)?.[1] ?? "";
    return retentionMs.get(issuer) ?? Math.max(retentionMsDefault, ...retentionMs.values());
  }
}

/** Whose budget a connection is counted in: a token's subject's, else its address's. @param address as `accountKey` gives it */
export function holderKeyOf(caller: Caller, subject: string | null, address: string, isAdmin: boolean): HolderKey {
  const isVouched = caller.identities.some(({ scheme }) => vouched.has(scheme));
  return {
    key: subject === null ? `address ${address}` : `token ${subject}`,
    kind: isAdmin ? "admin" : isVouched ? "authenticated" : "anonymous",
  };
}

/** True for identities among which somebody vouches for one. */
export function isVouchedFor({ all }: Identities): boolean {
  return all.some(({ scheme }) => vouched.has(scheme));
}
