/**
 * Writes that take identities away: from one's own session, from whoever had them proved, and with the whole session.
 */
import type { Limits } from "../limits.ts";
import { type Refusal, refuse } from "../replies/error-code.ts";
import { FieldReader } from "./field-reader.ts";

/** Drops all identities of the session. */
export interface Logout {
  readonly op: "logout";
}

/** Takes an identity away from whoever has it, with all that the same credential has proved. */
export interface Revoke {
  readonly op: "revoke";
  /** As text (`identityText`). */
  readonly identity: string;
  /** Credentials issued before this, in milliseconds since the epoch; 0 lifts a revocation, null means all that were ever issued. */
  readonly before: number | null;
  /** The sessions concerned go on without it. */
  readonly keepsSessions: boolean;
}

/** Ends a session as if its timeout had passed. */
export interface EndSession {
  readonly op: "endSession";
  readonly session: string;
}

export type IdentityWrite = Logout | Revoke | EndSession;

/** UTF-16 units of an identity as text, and of a session's id. */
export const identityLengthMax = 4_352;

export function decodeIdentityWrite(message: Record<string, unknown>, limits: Limits): IdentityWrite | Refusal {
  const reader = new FieldReader(message, limits);
  switch (message["op"]) {
    case "logout":
      return { op: "logout" };
    case "revoke": {
      const identity = reader.text("identity");
      if (!/^\S+ .+$/s.test(identity) || identity.length > identityLengthMax) reader.blame("identity", "must be SCHEME ID");
      const before = reader.optionalInteger("before", 0);
      const sessions = reader.optional("sessions");
      if (sessions !== null && sessions !== "keep" && sessions !== "end") reader.blame("sessions", "must be keep or end");
      return reader.fault ?? { op: "revoke", identity, before, keepsSessions: sessions === "keep" };
    }
    case "endSession": {
      const session = reader.text("session");
      if (session.length > identityLengthMax) reader.blame("session", "is too long");
      return reader.fault ?? { op: "endSession", session };
    }
    default:
      return refuse("BAD_ARGUMENTS", "op must be logout, revoke or endSession");
  }
}

/** True for the ops of this file. */
export function isIdentityWrite<W extends { readonly op: string }>(write: W): write is W & IdentityWrite {
  return write.op === "logout" || write.op === "revoke" || write.op === "endSession";
}

/** One of them as JSON text, in the words of the wire. */
export function encodeIdentityWrite(write: IdentityWrite): string {
  if (write.op !== "revoke") return JSON.stringify(write);
  const { op, identity, before, keepsSessions } = write;
  return JSON.stringify({ op, identity, ...(before === null ? {} : { before }), ...(keepsSessions ? { sessions: "keep" } : {}) });
}
