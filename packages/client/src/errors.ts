/**
 * One error class at the public edge, with a closed table of codes.
 *
 * `isCopseError` goes by a brand, so it holds across copies of this package on one page.
 */
import type { ErrorCode, Refusal, Reply, Stat } from "@copse/protocol";

/** What a server says, and what only a client can say. */
export type CopseErrorCode = ErrorCode | "TIMEOUT" | "CLOSED" | "SCHEMA" | "OVERLOADED" | "CLUSTER_CHANGED";

const brand = "copse.error";

export interface CopseErrorDetails {
  readonly path?: string | undefined;
  /** The present stat, with BAD_VERSION. */
  readonly stat?: Stat | undefined;
  /** The position of the op that failed, in a multi. */
  readonly index?: number | undefined;
  /** With AUTH_FAILED: the credential has ended, or is not accepted. What was wrong with it, the server's log says. */
  readonly reason?: "expired" | "refused" | undefined;
  /** none: nothing was changed. unknown: a write may have happened. */
  readonly outcome?: "none" | "unknown";
  /** What a schema found wrong, with SCHEMA. */
  readonly issues?: readonly { readonly message: string }[] | undefined;
  /** What was thrown before, by the application. */
  readonly cause?: unknown;
}

const retryableCodes: readonly CopseErrorCode[] = ["UNAVAILABLE", "THROTTLED", "SESSION_EXPIRED", "TIMEOUT", "OVERLOADED"];

/** The guide's page of errors, as this package ships it: it needs no site of ours. */
const helpUrl = "https://unpkg.com/@copse/client/dist/errors.md";

export class CopseError extends Error {
  override readonly name: string = "CopseError";
  readonly brand: string = brand;
  readonly code: CopseErrorCode;
  /** True if the same call may succeed later, without any change to it. */
  readonly retryable: boolean;
  readonly outcome: "none" | "unknown";
  readonly path: string | undefined;
  /** The URL at which the guide says more. */
  readonly help: string;
  readonly stat: Stat | undefined;
  readonly index: number | undefined;
  /** With AUTH_FAILED. */
  readonly reason: "expired" | "refused" | undefined;
  readonly issues: readonly { readonly message: string }[];

  constructor(code: CopseErrorCode, message: string, details: CopseErrorDetails = {}) {
    super(`${code}: ${message}${details.path === undefined ? "" : ` (${details.path})`}`, "cause" in details ? details : undefined);
    this.code = code;
    this.retryable = retryableCodes.includes(code);
    this.outcome = details.outcome ?? (code === "OUTCOME_UNKNOWN" ? "unknown" : "none");
    this.path = details.path;
    this.help = `${helpUrl}#${code.toLowerCase().replaceAll("_", "-")}`;
    this.stat = details.stat;
    this.index = details.index;
    this.reason = details.reason;
    this.issues = details.issues ?? [];
  }
}

/**
 * True for a CopseError, of this code where one is given.
 * @example
 * const title = await copse.get("/app/none").catch((error) => {
 *   if (isCopseError(error, "NO_NODE")) return null;
 *   throw error;
 * });
 */
export function isCopseError<Code extends CopseErrorCode = CopseErrorCode>(
  error: unknown,
  code?: Code,
): error is CopseError & { readonly code: Code } {
  if (typeof error !== "object" || error === null || (error as { brand?: unknown }).brand !== brand) return false;
  return code === undefined || (error as CopseError).code === code;
}

/** What the server says of a request for this path. */
export function errorOf({ code, message, stat, index, path, reason }: Refusal, asked: unknown): CopseError {
  return new CopseError(code, message, { path: path ?? (typeof asked === "string" ? asked : undefined), stat, index, reason });
}

export function closedError(): CopseError {
  return new CopseError("CLOSED", "the client is closed");
}

/** Gives a request its answer. */
export function settle(
  reply: Reply | CopseError,
  message: Record<string, unknown>,
  resolve: (reply: Reply) => void,
  reject: (error: CopseError) => void,
): void {
  if (reply instanceof CopseError) reject(reply);
  else if (reply.error === undefined) resolve(reply);
  else reject(errorOf(reply.error, message["path"]));
}
