/**
 * What the command's exit code says, so that scripts need not read its words.
 */
import { isCopseError } from "@copse/client";

export const exitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  noNode: 3,
  conflict: 4,
  unavailable: 5,
  denied: 6,
} as const;

export const exitCodeHelp = `
Exit codes:
  0  done
  1  failed (the message says why)
  2  wrong usage
  3  the znode does not exist
  4  conflict: it exists, has another version, has children, is held by another, or a guard failed
  5  no server answered in time, or the session was lost
  6  not allowed`;

/** A mistake in how the command was called. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** A lock that somebody else held for as long as it was waited for. */
export class HeldError extends Error {
  override readonly name: string = "HeldError";
}

/** The exit code and the one line that explain an error. */
export function explain(error: unknown, url: string): { readonly code: number; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) return { code: exitCode.usage, message };
  if (error instanceof HeldError) return { code: exitCode.conflict, message };
  if (!isCopseError(error)) return { code: exitCode.failed, message };
  switch (error.code) {
    case "NO_NODE":
      return { code: exitCode.noNode, message };
    case "NODE_EXISTS":
    case "BAD_VERSION":
    case "NOT_EMPTY":
    case "GUARD_FAILED":
    case "RECONFIG_IN_PROGRESS":
    case "NO_QUORUM_IN_NEW_CONFIG":
    case "NO_CHILDREN_FOR_EPHEMERALS":
      return { code: exitCode.conflict, message: error.stat === undefined ? message : `${message}; it has version ${error.stat.version}` };
    case "UNAVAILABLE":
    case "TIMEOUT":
    case "SESSION_EXPIRED":
      return { code: exitCode.unavailable, message: `${message}. Is a hub running at ${url}? Start one with: copse serve` };
    case "BAD_ARGUMENTS":
      return { code: exitCode.usage, message };
    case "NO_AUTH":
    case "AUTH_FAILED":
    case "READ_ONLY":
      return { code: exitCode.denied, message };
    default:
      return { code: exitCode.failed, message };
  }
}
