/**
 * Tokens (JWT) of the issuers that the identity file names: what one proves, and until when.
 *
 * `jose` does the cryptography. Invariants: a token is judged by the issuer that it names, with an algorithm of that issuer's list and a key of
 * its kind; what was wrong goes to the log and to nobody else; a key that can't be looked up now refuses nobody for good.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { nestingMax, nestsWithin, tokenBytesMax } from "@copse/protocol";
import type { Proof } from "@copse/replica";
import { type CompactJWSHeaderParameters, compactVerify, decodeJwt, decodeProtectedHeader } from "jose";
import { ConfigError } from "../config-error.ts";
import type { ClaimMapping, IssuerSettings } from "./identity-file.ts";
import { discover, fileKeySet, type KeyFinder, RemoteKeySet } from "./key-set.ts";

/** What a token came to; `why` is for the log. */
export type TokenOutcome =
  | { readonly proof: Proof }
  | { readonly wrong: "expired" | "refused"; readonly why: string }
  | { readonly unavailable: string };

/** How far ahead of this machine's clock `nbf` and `iat` may be, in milliseconds. */
const leewayMs = 60_000;
/** Bytes of one identity's id, and identities that one token may prove. */
const idBytesMax = 256;
const identitiesMax = 64;
/** Ids are well-formed text. */
const loneSurrogate = /\p{Surrogate}/u;
const latest = Number.MAX_SAFE_INTEGER;

export class TokenIssuer {
  readonly settings: IssuerSettings;
  /** Tells two configurations apart. */
  readonly key: string;
  readonly #secrets: readonly Uint8Array[] | null;
  readonly #find: KeyFinder;

  /** @throws ConfigError where a file of keys can't be used */
  constructor(settings: IssuerSettings) {
    this.settings = settings;
    const { keys, issuer, name } = settings;
    let held = "";
    try {
      if ("secretFiles" in keys) {
        this.#secrets = keys.secretFiles.map((file) => secretOf(readFileSync(file)));
        held = this.#secrets.map((secret) => createHash("sha256").update(secret).digest("hex")).join(" ");
        this.#find = () => Promise.resolve([]);
      } else {
        this.#secrets = null;
        if ("jwksFile" in keys) held = readFileSync(keys.jwksFile, "utf8");
        this.#find = "jwksFile" in keys ? fileKeySet(keys.jwksFile) : new RemoteKeySet(() => keysUrl(keys, issuer)).find;
      }
    } catch (error) {
      throw new ConfigError(`identity: the keys of ${name} can't be used: ${(error as Error).message}`);
    }
    this.key = JSON.stringify([settings, [...settings.claims].map(({ values }) => [...(values ?? [])]), held]);
  }

  /** @param now milliseconds since the epoch */
  async prove(token: string, now: number): Promise<TokenOutcome> {
    const header = decodeProtectedHeader(token) as CompactJWSHeaderParameters;
    if (typeof header.alg !== "string" || !this.settings.algorithms.includes(header.alg))
      return refused(`the algorithm ${String(header.alg)}`);
    const payload = await this.#verified(token, header);
    if (payload === "unavailable") return { unavailable: `the keys of ${this.settings.name} can't be looked up now` };
    if (payload === null) return refused("the signature, the key that it names, or how deep its claims are nested");
    return this.#judge(payload, now);
  }

  async #verified(token: string, header: CompactJWSHeaderParameters): Promise<Record<string, unknown> | null | "unavailable"> {
    const { algorithms } = this.settings;
    const keys = this.#secrets ?? (await this.#find({ ...header, alg: header.alg! }));
    if (keys === null) return "unavailable";
    for (const key of keys) {
      try {
        const { payload } = await compactVerify(token, key, { algorithms: [...algorithms] });
        const text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
        return nestsWithin(text, nestingMax) ? (JSON.parse(text) as Record<string, unknown>) : null;
      } catch {
        // The next one may fit.
      }
    }
    return null;
  }

  #judge(payload: Record<string, unknown>, now: number): TokenOutcome {
    const { name, issuer, audience, claims, lifetimeMsMax } = this.settings;
    const { iss, aud, sub, exp, iat, nbf } = payload;
    if (iss !== issuer) return refused("iss");
    const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
    if (!audiences.some((one) => typeof one === "string" && audience.includes(one)))
      return refused("aud: this hub is not among those it is for");
    if (typeof sub !== "string" || sub === "") return refused("sub");
    const issuedAt = millisecondsOf(iat);
    const expires = millisecondsOf(exp);
    if (issuedAt === null) return refused("iat");
    if (expires === null) return refused("exp");
    if (issuedAt > now + leewayMs) return refused("iat: it is in the future");
    if (nbf !== undefined) {
      const notBefore = millisecondsOf(nbf);
      if (notBefore === null || notBefore > now + leewayMs) return refused("nbf: it does not count yet");
    }
    const expiresAt = Math.min(expires, issuedAt + lifetimeMsMax);
    if (expiresAt <= now) return { wrong: "expired", why: "exp: it has ended" };
    const subject = `${name}:${sub}`;
    const identities = [
      { scheme: "token", id: subject },
      { scheme: "issuer", id: name },
    ];
    for (const mapping of claims) {
      const values = valuesOf(payload, mapping);
      if (values === null) return refused(`the claim ${mapping.name}: not text, a number, true, false, or a list of them`);
      for (const value of values) identities.push({ scheme: "claim", id: `${name}:${mapping.name}=${value}` });
    }
    if (identities.length > identitiesMax) return refused(`it maps to more than ${identitiesMax} identities`);
    const isUsable = ({ id }: { id: string }): boolean => Buffer.byteLength(id) <= idBytesMax && !loneSurrogate.test(id);
    if (!identities.every(isUsable)) return refused(`an id of over ${idBytesMax} bytes`);
    return { proof: { identities, subject, issuedAt, expiresAt } };
  }
}

/** All issuers: each token is for the one that it names. */
export class TokenProver {
  readonly #byIssuer: Map<string, TokenIssuer>;

  /** @param former whose keys are kept where nothing of an issuer has changed */
  constructor(issuers: readonly IssuerSettings[], former: TokenProver | null = null) {
    this.#byIssuer = new Map(
      issuers.map((settings) => {
        const fresh = new TokenIssuer(settings);
        const known = former === null ? undefined : former.#byIssuer.get(settings.issuer);
        return [settings.issuer, known?.key === fresh.key ? known : fresh];
      }),
    );
  }

  async prove(token: string, now: number): Promise<TokenOutcome> {
    if (Buffer.byteLength(token) > tokenBytesMax) return refused(`it is over ${tokenBytesMax} bytes`);
    try {
      const { iss } = decodeJwt(token);
      const issuer = typeof iss === "string" ? this.#byIssuer.get(iss) : undefined;
      return issuer === undefined ? refused("iss: nobody that the identity file names") : await issuer.prove(token, now);
    } catch {
      return refused("it is not a token");
    }
  }
}

async function keysUrl(keys: IssuerSettings["keys"], issuer: string): Promise<string> {
  if ("jwksUri" in keys) return keys.jwksUri;
  return String((await discover(issuer))["jwks_uri"]);
}

/** A secret as it stands in its file, without the end of the line. */
function secretOf(text: Buffer): Uint8Array {
  const secret = text.toString("latin1").replace(/\r?\n$/, "");
  if (secret.length < 32) throw new Error("a secret has at least 32 bytes");
  return Buffer.from(secret, "latin1");
}

function refused(why: string): TokenOutcome {
  return { wrong: "refused", why };
}

/** A time of a token, which is in seconds; null for anything that is none. */
function millisecondsOf(seconds: unknown): number | null {
  if (typeof seconds !== "number" || !Number.isFinite(seconds) || seconds < 0) return null;
  const ms = Math.floor(seconds * 1_000);
  return ms > latest ? null : ms;
}

/** The values of a claim, each once; none where it is not there; null for what can't be one. */
function valuesOf(payload: Record<string, unknown>, { pointer, values }: ClaimMapping): readonly string[] | null {
  let at: unknown = payload;
  for (const step of pointer) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return [];
    at = (at as Record<string, unknown>)[step];
  }
  const texts: string[] = [];
  for (const value of Array.isArray(at) ? (at as unknown[]) : [at]) {
    if (typeof value !== "string" && typeof value !== "boolean" && !(typeof value === "number" && Number.isFinite(value))) return null;
    texts.push(String(value));
  }
  return [...new Set(texts)].filter((text) => values === null || values.has(text));
}
