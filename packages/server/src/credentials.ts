/**
 * Credentials become identities here, once, off the loop.
 *
 * A digest credential `user:password` proves two identities: ZooKeeper's `user:base64(sha1(user:password))`, and one
 * derived with scrypt, salted with the cluster's id and the user. The password goes no further than this file.
 */
import { createHash, scrypt } from "node:crypto";
import type { Credential, Identity } from "@copse/protocol";

const scryptBytes = 32;
const scryptCost = { N: 16_384, r: 8, p: 1 } as const;

/** Calls back with the identities of all credentials, or null if one is wrong or of an unknown scheme. */
export function prove(credentials: readonly Credential[], cluster: string, done: (identities: Identity[] | null) => void): void {
  const identities: Identity[] = [];
  const next = (at: number): void => {
    const credential = credentials[at];
    if (credential === undefined) return done(identities);
    const colon = credential.credential.indexOf(":");
    if (credential.scheme !== "digest" || colon < 1) return done(null);
    const user = credential.credential.slice(0, colon);
    const password = credential.credential.slice(colon + 1);
    identities.push({ scheme: "digest", id: `${user}:${createHash("sha1").update(credential.credential).digest("base64")}` });
    scrypt(password, cluster + user, scryptBytes, scryptCost, (error, hash) => {
      if (error !== null) return done(null);
      identities.push({ scheme: "scrypt", id: `${user}:${hash.toString("base64")}` });
      next(at + 1);
    });
  };
  next(0);
}
