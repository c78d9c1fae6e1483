/**
 * The identity file (`--identity`): which issuers' tokens are taken, what of them counts, who is an admin, and what others may do.
 *
 * What is wrong is named by its field. Nothing here is fetched or verified; keys and secrets that stand in files are read elsewhere.
 */
import type { Anonymous } from "@copse/replica";
import { ConfigError } from "../config-error.ts";
import { isTrustedUrl } from "./key-set.ts";

/** Where an issuer's keys are. */
export type KeySource =
  | { readonly jwksUri: string }
  | { readonly jwksFile: string }
  | { readonly discover: true }
  /** Shared secrets, for HS256 alone: the newest first. */
  | { readonly secretFiles: readonly string[] };

export interface ClaimMapping {
  readonly name: string;
  /** The steps of a JSON pointer. */
  readonly pointer: readonly string[];
  /** The values that count, or null for all. */
  readonly values: ReadonlySet<string> | null;
}

export interface IssuerSettings {
  readonly name: string;
  /** What `iss` says. */
  readonly issuer: string;
  /** One of which `aud` has to name. */
  readonly audience: readonly string[];
  readonly keys: KeySource;
  readonly algorithms: readonly string[];
  readonly claims: readonly ClaimMapping[];
  /** How long a token lives at most, from when it was issued, in milliseconds. */
  readonly lifetimeMsMax: number;
}

/** How the page logs people in: by an issuer's authorization code, with PKCE. */
export interface PageLogin {
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
}

export interface IdentitySettings {
  readonly issuers: readonly IssuerSettings[];
  /** Null where the file leaves it to the defaults. */
  readonly anonymous: Anonymous | null;
  /** Identities as text. */
  readonly admins: ReadonlySet<string>;
  readonly page: PageLogin | null;
}

export const noIdentitySettings: IdentitySettings = { issuers: [], anonymous: null, admins: new Set(), page: null };

const namePattern = /^[a-z0-9_-]{1,32}$/;
const lifetimeMsDefault = 86_400_000;
const hmacAlgorithms = ["HS256"];
const signatureAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/** @throws ConfigError naming the field */
export function parseIdentityFile(text: string): IdentitySettings {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    throw new ConfigError("identity: the file is not JSON");
  }
  const top = objectOf(said, "identity", ["issuers", "anonymous", "admins", "page"]);
  const issuers = listOf(top["issuers"] ?? [], "issuers").map((one, at) => issuerOf(one, `issuers[${at}]`));
  const names = issuers.map(({ name }) => name);
  if (new Set(names).size < names.length) throw new ConfigError("identity: issuers: two have one name");
  if (new Set(issuers.map(({ issuer }) => issuer)).size < issuers.length)
    throw new ConfigError("identity: issuers: one issuer stands there twice");
  const anonymous = top["anonymous"] ?? null;
  if (anonymous !== null && anonymous !== "deny" && anonymous !== "follow" && anonymous !== "session")
    throw new ConfigError("identity: anonymous: must be deny, follow or session");
  const admins = textsOf(top["admins"] ?? [], "admins");
  for (const admin of admins) {
    if (!/^(token|issuer|claim|x509|digest|scrypt) .+$/s.test(admin))
      throw new ConfigError(`identity: admins: ${JSON.stringify(admin)} is not an identity such as "claim acme:role=operator"`);
  }
  const page = top["page"] === undefined ? null : pageOf(top["page"], names);
  return { issuers, anonymous, admins: new Set(admins), page };
}

function issuerOf(said: unknown, where: string): IssuerSettings {
  const one = objectOf(said, where, ["name", "issuer", "audience", "keys", "algorithms", "claims", "lifetimeMsMax"]);
  const name = textOf(one["name"], `${where}.name`);
  if (!namePattern.test(name)) throw new ConfigError(`identity: ${where}.name: 1 to 32 of a-z 0-9 _ -`);
  const issuer = textOf(one["issuer"], `${where}.issuer`);
  const audience = typeof one["audience"] === "string" ? [one["audience"]] : textsOf(one["audience"], `${where}.audience`);
  if (audience.length === 0) throw new ConfigError(`identity: ${where}.audience: must name an audience`);
  const keys = keysOf(one["keys"], issuer, `${where}.keys`);
  const known = "secretFiles" in keys ? hmacAlgorithms : signatureAlgorithms;
  const algorithms = textsOf(
    one["algorithms"] ?? ("secretFiles" in keys ? hmacAlgorithms : ["RS256", "ES256", "EdDSA"]),
    `${where}.algorithms`,
  );
  const other = algorithms.find((algorithm) => !known.includes(algorithm));
  if (other !== undefined || algorithms.length === 0)
    throw new ConfigError(`identity: ${where}.algorithms: with these keys, must be some of ${known.join(", ")}`);
  const claims = Object.entries(objectOf(one["claims"] ?? {}, `${where}.claims`)).map(([claim, to]) =>
    claimOf(claim, to, `${where}.claims.${claim}`),
  );
  const lifetimeMsMax = one["lifetimeMsMax"] ?? lifetimeMsDefault;
  if (!Number.isSafeInteger(lifetimeMsMax) || (lifetimeMsMax as number) < 1)
    throw new ConfigError(`identity: ${where}.lifetimeMsMax: must be milliseconds, 1 or more`);
  return { name, issuer, audience, keys, algorithms, claims, lifetimeMsMax: lifetimeMsMax as number };
}

function keysOf(said: unknown, issuer: string, where: string): KeySource {
  const one = objectOf(said, where, ["jwksUri", "jwksFile", "discover", "secretFiles"]);
  if (Object.keys(one).length !== 1) throw new ConfigError(`identity: ${where}: must have one of jwksUri, jwksFile, discover, secretFiles`);
  if (one["jwksFile"] !== undefined) return { jwksFile: textOf(one["jwksFile"], `${where}.jwksFile`) };
  if (one["secretFiles"] !== undefined) {
    const secretFiles = textsOf(one["secretFiles"], `${where}.secretFiles`);
    if (secretFiles.length === 0) throw new ConfigError(`identity: ${where}.secretFiles: must name a file`);
    return { secretFiles };
  }
  if (one["discover"] !== undefined) {
    if (one["discover"] !== true) throw new ConfigError(`identity: ${where}.discover: must be true`);
    if (!isTrustedUrl(issuer)) throw new ConfigError(`identity: ${where}.discover: the issuer must be an https URL`);
    return { discover: true };
  }
  const jwksUri = textOf(one["jwksUri"], `${where}.jwksUri`);
  if (!isTrustedUrl(jwksUri)) throw new ConfigError(`identity: ${where}.jwksUri: must be an https URL`);
  return { jwksUri };
}

function claimOf(name: string, said: unknown, where: string): ClaimMapping {
  if (!namePattern.test(name)) throw new ConfigError(`identity: ${where}: a claim's name is 1 to 32 of a-z 0-9 _ -`);
  const one = typeof said === "string" ? { pointer: said } : objectOf(said, where, ["pointer", "values"]);
  const pointer = textOf(one["pointer"], `${where}.pointer`);
  if (!pointer.startsWith("/")) throw new ConfigError(`identity: ${where}: must be a JSON pointer, such as /realm_access/roles`);
  const steps = pointer
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const values = "values" in one && one["values"] !== undefined ? new Set(textsOf(one["values"], `${where}.values`)) : null;
  return { name, pointer: steps, values };
}

function pageOf(said: unknown, issuers: readonly string[]): PageLogin {
  const one = objectOf(said, "page", ["issuer", "clientId", "scopes"]);
  const issuer = textOf(one["issuer"], "page.issuer");
  if (!issuers.includes(issuer)) throw new ConfigError("identity: page.issuer: must be the name of an issuer");
  return { issuer, clientId: textOf(one["clientId"], "page.clientId"), scopes: textsOf(one["scopes"] ?? ["openid"], "page.scopes") };
}

function objectOf(said: unknown, where: string, known?: readonly string[]): Record<string, unknown> {
  if (typeof said !== "object" || said === null || Array.isArray(said)) throw new ConfigError(`identity: ${where}: must be an object`);
  const other = known === undefined ? undefined : Object.keys(said).find((name) => !known.includes(name));
  if (other !== undefined) throw new ConfigError(`identity: ${where}.${other}: there is no such field`);
  return said as Record<string, unknown>;
}

function listOf(said: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(said)) throw new ConfigError(`identity: ${where}: must be an array`);
  return said;
}

function textsOf(said: unknown, where: string): readonly string[] {
  return listOf(said, where).map((one, at) => textOf(one, `${where}[${at}]`));
}

function textOf(said: unknown, where: string): string {
  if (typeof said !== "string" || said === "") throw new ConfigError(`identity: ${where}: must be text`);
  return said;
}
