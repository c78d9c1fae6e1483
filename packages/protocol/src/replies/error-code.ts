/**
 * The closed table of errors: what a reply can say, and what a close means.
 *
 * Invariant: every code of the contract stands here once. A refusal is a value; nothing in the core
 * throws one.
 */
import type { Stat } from "./stat.ts";

export const errorCodes = [
  "NO_NODE",
  "NODE_EXISTS",
  "BAD_VERSION",
  "NOT_EMPTY",
  "NO_CHILDREN_FOR_EPHEMERALS",
  "BAD_ARGUMENTS",
  "TOO_LARGE",
  "NO_AUTH",
  "AUTH_FAILED",
  "INVALID_ACL",
  "SESSION_EXPIRED",
  "SESSION_MOVED",
  "NO_WATCHER",
  "GUARD_FAILED",
  "QUOTA_EXCEEDED",
  "THROTTLED",
  "READ_ONLY",
  "UNAVAILABLE",
  "OUTCOME_UNKNOWN",
  "RECONFIG_IN_PROGRESS",
  "NO_QUORUM_IN_NEW_CONFIG",
  "UNIMPLEMENTED",
  "INTERNAL",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** Why a request was not done. `path` and `stat` are present where they help the caller. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly path?: string | undefined;
  /** The present stat, with BAD_VERSION. */
  readonly stat?: Stat | undefined;
  /** The position of the op that failed, in a multi. */
  readonly index?: number | undefined;
  /** With AUTH_FAILED: the credential has ended, or is not accepted. What was wrong with it, the server's log says. */
  readonly reason?: "expired" | "refused" | undefined;
}

/** Makes a refusal. `path` is the path of the request; data is never echoed. */
export function refuse(code: ErrorCode, message: string, path?: string): Refusal {
  return path === undefined ? { code, message } : { code, message, path };
}

/** True for a value that a decoder returned instead of what was asked for. */
export function isRefusal(value: object): value is Refusal {
  return "code" in value;
}

/** WebSocket close codes of the contract (SPEC.md, part M). */
export const closeCode = {
  sessionClosed: 1000,
  stopping: 1001,
  protocolError: 1002,
  binary: 1003,
  notUtf8: 1007,
  frameTooLarge: 1009,
  malformed: 4400,
  authenticationFailed: 4401,
  noConnect: 4408,
  sessionMoved: 4409,
  sessionExpired: 4410,
  tooMuch: 4429,
  unavailable: 4503,
} as const;

export type CloseCode = (typeof closeCode)[keyof typeof closeCode];
