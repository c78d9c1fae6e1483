/**
 * Passwords: what one proves, derived off the loop.
 *
 * A digest credential `user:password` proves two identities: ZooKeeper's `user:base64(sha1(user:password))`, and one
 * derived with scrypt, salted with the cluster's salt, which is its first id, and the user; a scrypt credential proves the second alone. A super credential is a
 * password, judged by the hash in the configuration. Passwords go no further than this file. Invariants: at most `atOnceMax` are derived
 * at once, so that the disk never waits for them, as both run on the same few threads; addresses take turns, so that one that has many to
 * be derived holds up no other; sessions that come back are before those that are new, and do not derive what they have proved.
 */
import { createHash, createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { Credential, Identity } from "@copse/protocol";
import { type AuthOutcome, accountKey } from "@copse/replica";
import { TokenBucket } from "../clients/token-bucket.ts";
import { Turns } from "./turns.ts";

const scryptBytes = 32;
const scryptCost = { N: 16_384, r: 8, p: 1 } as const;
const saltBytes = 16;
/** Of the four threads that the host has for such work. */
const atOnceMax = 2;
/** Credentials that wait to be derived, of all addresses. */
const waitingMax = 10_000;
/** Addresses whose wrong super passwords are counted; past it the oldest is forgotten. */
const guessersMax = 16_384;
const hashPattern = /^scrypt:([A-Za-z0-9+/=]{8,200}):([A-Za-z0-9+/]{43}=)$/;

/** The identity that is refused nothing but what is reserved. */
export const superIdentity: Identity = { scheme: "super", id: "super" };

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

export interface ProverLimits {
  /** Credentials of one address that wait to be derived; one more is told to come again. */
  readonly derivationsPerAddress: number;
  /** Wrong super passwords of one address in a minute. */
  readonly superFailuresPerMinute: number;
}

/** Who asks, and where the answer goes. */
export interface Asking {
  /** The cluster's salt for passwords. */
  readonly salt: string;
  /** What the session that comes back has proved before; null where none does. */
  readonly proved: readonly Identity[] | null;
  /** Where the credential comes from. */
  readonly address: string;
  /** False once nobody waits for the result any more. */
  readonly isWanted: () => boolean;
}

interface Derivation {
  /** Under which it is remembered. */
  readonly name: string;
  readonly password: string;
  readonly salt: string;
  readonly isWanted: () => boolean;
  /** Null where it was not derived. */
  readonly done: (hash: Buffer | null) => void;
}

const wrong: AuthOutcome = { wrong: "refused" };

/** Derivations that are remembered: a client that comes back, and many of one user, need not be derived again. */
const rememberedMax = 10_000;

export class PasswordProver {
  /** See `hashPassword`; null where nobody is super. */
  superHash: string | null;
  readonly #limits: ProverLimits;
  /** What waits to be derived, by address: for sessions that come back, and for all others. */
  readonly #resuming: Turns<Derivation> = new Turns();
  readonly #waiting: Turns<Derivation> = new Turns();
  #running = 0;
  /** By a keyed hash of password and salt; the key dies with the process. */
  readonly #remembered: Map<string, Buffer> = new Map();
  readonly #key: Buffer = randomBytes(32);
  readonly #guessers: Map<string, TokenBucket> = new Map();
  /** Derivations that were made: for metrics. */
  derived = 0;
  /** Derivations that were refused because too many waited, and super passwords that were not looked at: for metrics. */
  readonly refusals: Map<string, number> = new Map();

  constructor(superHash: string | null, limits: ProverLimits) {
    this.superHash = superHash;
    this.#limits = limits;
  }

  /** Credentials that wait to be derived. */
  get waiting(): number {
    return this.#resuming.size + this.#waiting.size;
  }

  /** Calls back with what the credential has proved, or why that is nothing. */
  proveOne({ scheme, credential }: Credential, asking: Asking, done: (outcome: AuthOutcome) => void): void {
    if (scheme === "super") return this.#proveSuper(credential, asking, done);
    const colon = credential.indexOf(":");
    if ((scheme !== "digest" && scheme !== "scrypt") || colon < 1) return done(wrong);
    const user = credential.slice(0, colon);
    const identities: Identity[] =
      scheme === "scrypt" ? [] : [{ scheme: "digest", id: `${user}:${createHash("sha1").update(credential).digest("base64")}` }];
    const before = provedBefore(user, identities, asking.proved);
    if (before !== null) return done({ proofs: [{ identities: before }] });
    this.#derive(credential.slice(colon + 1), asking.salt + user, asking, (hash) => {
      if (hash === null) return done("busy");
      done({ proofs: [{ identities: [...identities, { scheme: "scrypt", id: `${user}:${hash.toString("base64")}` }] }] });
    });
  }

  #proveSuper(password: string, asking: Asking, done: (outcome: AuthOutcome) => void): void {
    const [, salt, wanted] = hashPattern.exec(this.superHash ?? "") ?? [];
    if (salt === undefined || wanted === undefined) return done(wrong);
    const failures = this.#failuresOf(asking.address);
    if (failures.isEmpty) {
      this.#count("superFailuresPerMinute");
      return done("throttled");
    }
    this.#derive(password, salt, asking, (hash) => {
      if (hash === null) return done("busy");
      if (timingSafeEqual(hash, Buffer.from(wanted, "base64"))) return done({ proofs: [{ identities: [superIdentity] }] });
      failures.take();
      done(wrong);
    });
  }

  #failuresOf(address: string): TokenBucket {
    const key = accountKey(address);
    let failures = this.#guessers.get(key);
    if (failures !== undefined) return failures;
    const [oldest] = this.#guessers.size >= guessersMax ? this.#guessers.keys() : [];
    if (oldest !== undefined) this.#guessers.delete(oldest);
    const { superFailuresPerMinute } = this.#limits;
    failures = new TokenBucket({ perSecond: superFailuresPerMinute / 60, burst: superFailuresPerMinute });
    this.#guessers.set(key, failures);
    return failures;
  }

  #derive(password: string, salt: string, { address, isWanted, proved }: Asking, done: Derivation["done"]): void {
    const name = createHmac("sha256", this.#key)
      .update(JSON.stringify([password, salt]))
      .digest("base64");
    const remembered = this.#remembered.get(name);
    if (remembered !== undefined) {
      this.#remember(name, remembered);
      return done(remembered);
    }
    const key = accountKey(address);
    const own = this.#resuming.sizeOf(key) + this.#waiting.sizeOf(key);
    if (this.waiting >= waitingMax || own >= this.#limits.derivationsPerAddress) {
      this.#count("derivationsPerAddress");
      return done(null);
    }
    const line = proved === null ? this.#waiting : this.#resuming;
    line.add(key, { name, password, salt, isWanted, done });
    this.#run();
  }

  /** The newest stay. */
  #remember(name: string, hash: Buffer): void {
    this.#remembered.delete(name);
    const [oldest] = this.#remembered.size >= rememberedMax ? this.#remembered.keys() : [];
    if (oldest !== undefined) this.#remembered.delete(oldest);
    this.#remembered.set(name, hash);
  }

  /** Derives as many as may be at once, of one address after the other. */
  #run(): void {
    while (this.#running < atOnceMax) {
      const derivation = this.#resuming.take() ?? this.#waiting.take();
      if (derivation === null) return;
      const { name, password, salt, isWanted, done } = derivation;
      // Others may have asked for the same meanwhile.
      const remembered = this.#remembered.get(name);
      if (remembered !== undefined) {
        done(remembered);
        continue;
      }
      // Whoever asked may be gone: then nobody needs to wait for it.
      if (!isWanted()) {
        done(null);
        continue;
      }
      this.#running++;
      scrypt(password, salt, scryptBytes, scryptCost, (error, hash) => {
        this.#running--;
        this.derived++;
        if (error === null) this.#remember(name, hash);
        done(error === null ? hash : null);
        this.#run();
      });
    }
  }

  #count(bound: string): void {
    this.refusals.set(bound, (this.refusals.get(bound) ?? 0) + 1);
  }
}

/**
 * What a digest credential proves, where the session has proved it before: the cheap hash tells that it is the same password. Null where it
 * has to be derived.
 */
function provedBefore(user: string, cheap: readonly Identity[], proved: readonly Identity[] | null): readonly Identity[] | null {
  const [digest] = cheap;
  if (digest === undefined || proved === null || !proved.some(({ scheme, id }) => scheme === "digest" && id === digest.id)) return null;
  const derived = proved.find(({ scheme, id }) => scheme === "scrypt" && id.slice(0, id.lastIndexOf(":")) === user);
  return derived === undefined ? null : [digest, derived];
}
