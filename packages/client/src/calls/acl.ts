/** What an ACL says, as types that an editor can complete. */

export type Permission = "read" | "write" | "create" | "delete" | "admin";

/** How an identity was proved. `auth` in an ACL stands for each identity of the session that writes it. */
export type Scheme = "world" | "auth" | "digest" | "scrypt" | "ip" | "super" | "token" | "issuer" | "claim" | "x509";

/** Whom an item means. */
export interface AclIdentity {
  readonly scheme: Scheme;
  /** "anyone" for world, "" for auth, "ISSUER:SUBJECT" for token, "ISSUER:NAME=VALUE" for claim, else what the scheme says. */
  readonly id: string;
}

/** A grant to whoever has one identity, or (`all`) several at once. */
export type AclItem = { readonly perms: readonly Permission[] } & (
  | (AclIdentity & { readonly all?: undefined })
  | { readonly all: readonly AclIdentity[]; readonly scheme?: undefined; readonly id?: undefined }
);
