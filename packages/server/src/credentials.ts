/**
 * Credentials become identities here, once, off the loop.
 *
 * A digest credential `user:password` proves two identities: ZooKeeper's `user:base64(sha1(user:password))`, and one
 * derived with scrypt, salted with the cluster's id and the user. A super credential is a password, judged by the hash in
 * the configuration. Passwords go no further than this file. Invariant: at most `atOnceMax` are derived at once, so that
 * the disk never waits for them: both run on the same few threads.
 */
import { createHash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { Credential, Identity } from "@copse/protocol";

const scryptBytes = 32;
const scryptCost = { N: 16_384, r: 8, p: 1 } as const;
const saltBytes = 16;
/** Of the four threads that the host has for such work. */
const atOnceMax = 2;
/** Credentials that wait to be derived; one more is refused as if it were wrong. */
const waitingMax = 10_000;
const hashPattern = /^scrypt:([A-Za-z0-9+/=]{8,200}):([A-Za-z0-9+/]{43}=)$/;

/** The identity that is refused nothing but what is reserved. */
export const superIdentity: Identity = { scheme: "super", id: "super" };

export type Proved = (identities: Identity[] | null) => void;

/** True for what `hashPassword` gives. */
export function isPasswordHash(text: string): boolean {
  return hashPattern.test(text);
}

/** What a configuration holds instead of a password: `scrypt:SALT:HASH`, both base64. */
export function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes).toString("base64");
  return new Promise((resolve, reject) => {
    scrypt(password, salt, scryptBytes, scryptCost, (error, hash) =>
      error === null ? resolve(`scrypt:${salt}:${hash.toString("base64")}`) : reject(error),
    );
  });
}

export class CredentialProver {
  readonly #superHash: string | null;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @param superHash see `hashPassword`; null where nobody is super */
  constructor(superHash: string | null) {
    this.#superHash = superHash;
  }

  /** Calls back with the identities of all credentials, or null if one is wrong or of an unknown scheme. */
  prove(credentials: readonly Credential[], cluster: string, isWanted: () => boolean, done: Proved): void {
    const identities: Identity[] = [];
    const next = (at: number): void => {
      // Whoever asked may be gone, and its place in the queue with it.
      if (!isWanted()) return done(null);
      const credential = credentials[at];
      if (credential === undefined) return done(identities);
      this.#proveOne(credential, cluster, (proved) => {
        if (proved === null) return done(null);
        identities.push(...proved);
        next(at + 1);
      });
    };
    next(0);
  }

  #proveOne({ scheme, credential }: Credential, cluster: string, done: Proved): void {
    if (scheme === "super") return this.#proveSuper(credential, done);
    const colon = credential.indexOf(":");
    if (scheme !== "digest" || colon < 1) return done(null);
    const user = credential.slice(0, colon);
    const digest: Identity = { scheme: "digest", id: `${user}:${createHash("sha1").update(credential).digest("base64")}` };
    this.#derive(credential.slice(colon + 1), cluster + user, (hash) => {
      done(hash === null ? null : [digest, { scheme: "scrypt", id: `${user}:${hash.toString("base64")}` }]);
    });
  }

  #proveSuper(password: string, done: Proved): void {
    const [, salt, wanted] = hashPattern.exec(this.#superHash ?? "") ?? [];
    if (salt === undefined || wanted === undefined) return done(null);
    this.#derive(password, salt, (hash) => {
      done(hash !== null && timingSafeEqual(hash, Buffer.from(wanted, "base64")) ? [superIdentity] : null);
    });
  }

  #derive(password: string, salt: string, done: (hash: Buffer | null) => void): void {
    const run = (): void => {
      this.#running++;
      scrypt(password, salt, scryptBytes, scryptCost, (error, hash) => {
        this.#running--;
        this.#waiting.shift()?.();
        done(error === null ? hash : null);
      });
    };
    if (this.#running < atOnceMax) run();
    else if (this.#waiting.length < waitingMax) this.#waiting.push(run);
    else done(null);
  }
}
