/**
 * The first message of a connection, and its answer.
 */

import type { Limits } from "../limits.ts";
import type { Refusal } from "../replies/error-code.ts";
import { FieldReader } from "./field-reader.ts";
import { isMessage } from "./write.ts";

export interface Credential {
  readonly scheme: string;
  readonly credential: string;
}

export interface Connect {
  /** Milliseconds as asked for, or null; the server clamps it. */
  readonly timeoutMs: number | null;
  readonly session: { readonly id: string; readonly secret: string } | null;
  readonly lastZxid: number | null;
  readonly cluster: string | null;
  readonly auth: readonly Credential[];
  readonly isReadOnly: boolean;
  /** What the client calls itself, for operators; "" where it says nothing. */
  readonly name: string;
}

/** Credentials in one connect. */
export const credentialsMax = 16;
/** Length of a credential, a scheme or a session's id and secret, in UTF-16 units. */
export const credentialLengthMax = 4_096;
/** Length of what a client calls itself, in UTF-16 units. */
export const clientNameLengthMax = 128;
/** Length of a token that is looked at at all: one over `tokenBytesMax` is refused as a credential, not as a message. */
const tokenLengthMax = 1_048_576;
/** Bytes of a token. */
export const tokenBytesMax = 16_384;

export function decodeConnect(message: Record<string, unknown>, limits: Limits): Connect | Refusal {
  const reader = new FieldReader(message, limits);
  const timeoutMs = reader.optionalInteger("timeout", 1);
  const lastZxid = reader.optionalInteger("lastZxid", 0);
  const cluster = reader.optionalText("cluster");
  const isReadOnly = reader.flag("readOnly");
  const name = reader.optionalText("name") ?? "";
  // It is shown on operators' terminals, which obey control characters.
  if (name.length > clientNameLengthMax || /\p{Cc}/u.test(name) || !name.isWellFormed()) {
    reader.blame("name", `must have at most ${clientNameLengthMax} characters, and no control characters`);
  }
  let session: Connect["session"] = null;
  const given = reader.optional("session");
  if (given !== null) {
    if (!isMessage(given)) reader.blame("session", "must be an object");
    else {
      const { id, secret } = given;
      if (typeof id !== "string" || typeof secret !== "string") reader.blame("session", "must have an id and a secret");
      else if (id.length > credentialLengthMax || secret.length > credentialLengthMax) reader.blame("session", "is too long");
      else session = { id, secret };
    }
  }
  const auth: Credential[] = [];
  const list = reader.optional("auth");
  if (list !== null) {
    if (!Array.isArray(list) || list.length > credentialsMax) reader.blame("auth", `must be an array of at most ${credentialsMax}`);
    else {
      for (const item of list as unknown[]) {
        const credential = isMessage(item) ? decodeCredential(item) : null;
        if (credential === null) reader.blame("auth", "must hold objects with a scheme and a credential");
        else auth.push(credential);
      }
    }
  }
  return reader.fault ?? { timeoutMs, session, lastZxid, cluster, auth, isReadOnly, name };
}

/** The scheme and credential of a message, or null where they are missing, too long or not text. */
export function decodeCredential(message: Record<string, unknown>): Credential | null {
  const { scheme, credential } = message;
  if (typeof scheme !== "string" || typeof credential !== "string") return null;
  const lengthMax = scheme === "token" ? tokenLengthMax : credentialLengthMax;
  if (scheme.length > credentialLengthMax || credential.length > lengthMax) return null;
  // Its user becomes an id of ACLs, which are text.
  if (!scheme.isWellFormed() || !credential.isWellFormed()) return null;
  return { scheme, credential };
}
