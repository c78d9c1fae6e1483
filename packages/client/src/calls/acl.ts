/** What an ACL says, as types that an editor can complete. */

export type Permission = "read" | "write" | "create" | "delete" | "admin";

/** How an identity was proved. `auth` in an ACL stands for each identity of the session that writes it. */
export type Scheme = "world" | "auth" | "digest" | "scrypt" | "ip" | "super" | "token" | "x509";

export interface AclItem {
  readonly perms: readonly Permission[];
  readonly scheme: Scheme;
  /** "anyone" for world, "" for auth, else what the scheme says. */
  readonly id: string;
}
