/**
 * The keys of one issuer: where they come from, and when they are asked for.
 *
 * Invariants: an issuer is asked at most once in `cooldownMs`, by one request at a time, whatever unknown keys strangers name; known keys go
 * on while it is down; whoever waits for it holds up nobody else.
 */
import { readFileSync } from "node:fs";
import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet, type JWTHeaderParameters } from "jose";

/** Gives the keys that a header may mean, none where they are not known, or null where nobody can say now. */
export type KeyFinder = (header: JWTHeaderParameters) => Promise<readonly CryptoKey[] | null>;

/** Between two requests to one issuer, in milliseconds. */
export const cooldownMs = 30_000;
/** Keys older than this are asked for again when they are used, in milliseconds: so those that were withdrawn go. */
const staleMs = 600_000;
/** How long an issuer has for its answer, in milliseconds, and how large that may be, in bytes. */
const fetchMsMax = 5_000;
const answerBytesMax = 1_048_576;

/** Keys that an issuer publishes. */
export class RemoteKeySet {
  readonly #locate: () => Promise<string>;
  readonly #now: () => number;
  #keys: PublishedKeys | null = null;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;
  /** Requests to the issuer. */
  asked = 0;

  /** @param locate gives the URL of the keys @param now milliseconds on a clock that never jumps */
  constructor(locate: () => Promise<string>, now: () => number = () => performance.now()) {
    this.#locate = locate;
    this.#now = now;
  }

  readonly find: KeyFinder = async (header) => {
    if (this.#keys?.names(header) === true) {
      if (this.#now() - this.#fetchedAt > staleMs) void this.#ask();
      return this.#keys.find(header);
    }
    const before = this.#fetchedAt;
    await this.#ask();
    return this.#fetchedAt === before || this.#keys === null ? null : this.#keys.find(header);
  };

  /** Asks the issuer, unless it was asked just now. Whatever goes wrong, what is known stays. */
  #ask(): Promise<void> {
    if (this.#asking !== null) return this.#asking;
    if (this.#now() - this.#askedAt < cooldownMs) return Promise.resolve();
    this.#askedAt = this.#now();
    this.asked++;
    this.#asking = this.#fetch().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    try {
      this.#keys = new PublishedKeys((await fetchJson(await this.#locate())) as unknown as JSONWebKeySet);
      this.#fetchedAt = this.#now();
    } catch {
      // The next one to need a key asks again, once it may.
    }
  }
}

/** Keys in a file of this machine: what is not there is unknown. */
export function fileKeySet(file: string): KeyFinder {
  const keys = new PublishedKeys(JSON.parse(readFileSync(file, "utf8")) as JSONWebKeySet);
  return (header) => keys.find(header);
}

/** One set of keys, as it was published. */
class PublishedKeys {
  readonly #local: ReturnType<typeof createLocalJWKSet>;
  readonly #ids: ReadonlySet<string>;

  constructor(keys: JSONWebKeySet) {
    this.#local = createLocalJWKSet(keys);
    this.#ids = new Set(keys.keys.flatMap(({ kid }) => kid ?? []));
  }

  /** True if the key that a header names is here, of whatever kind; a header that names none means what is here. */
  names({ kid }: JWTHeaderParameters): boolean {
    return kid === undefined || this.#ids.has(kid);
  }

  /** Those that fit the header, its algorithm included. */
  async find(header: JWTHeaderParameters): Promise<readonly CryptoKey[]> {
    try {
      return [await this.#local(header)];
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return [];
      const keys: CryptoKey[] = [];
      for await (const key of error) keys.push(key);
      return keys;
    }
  }
}

/** Where the metadata of an OpenID provider says that its keys are. */
export async function discover(issuer: string): Promise<Record<string, unknown>> {
  const metadata = await fetchJson(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  if (metadata["issuer"] !== issuer) throw new Error("the metadata are of another issuer");
  return metadata;
}

async function fetchJson(url: string): Promise<Record<string, unknown>> {
  if (!isTrustedUrl(url)) throw new Error("an issuer is asked over https");
  const answer = await fetch(url, { signal: AbortSignal.timeout(fetchMsMax), redirect: "error", headers: { accept: "application/json" } });
  if (!answer.ok || answer.body === null) throw new Error(`the issuer answered ${answer.status}`);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of answer.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    if (bytes > answerBytesMax) throw new Error("the issuer's answer is too large");
    pieces.push(piece);
  }
  return JSON.parse(Buffer.concat(pieces).toString("utf8")) as Record<string, unknown>;
}

/** True for https, and for http on this machine alone. */
export function isTrustedUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname));
}
