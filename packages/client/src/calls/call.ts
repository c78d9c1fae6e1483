/**
 * What calls take and give: options, kinds of znodes, ops of batches. Times are milliseconds.
 */
import type { Op, ReplyOf, Stat } from "@copse/protocol";
import { type CopseError, isCopseError } from "../errors.ts";
import type { AclItem } from "./acl.ts";

/** Text, bytes, or null for no data at all. */
export type Data = string | Uint8Array | null;

export interface CallOptions {
  /** Rejects with the signal's reason. A write that was sent may still happen. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects with TIMEOUT after so many milliseconds. A write that was sent may still happen. */
  readonly timeoutMs?: number | undefined;
}

/** A write holds only while this znode exists with this czxid. */
export interface Guard {
  readonly path: string;
  readonly czxid: number;
}

export interface WriteOptions extends CallOptions {
  readonly guard?: Guard | readonly Guard[] | undefined;
}

export interface ReadOptions extends CallOptions {
  /** See every write acknowledged anywhere before this call. */
  readonly linearizable?: boolean;
  /** Answer once the server has applied this zxid. */
  readonly atLeast?: number;
}

export interface Znode {
  /** Text data; null for null data and for bytes that are not UTF-8. */
  readonly data: string | null;
  readonly bytes: Uint8Array | null;
  readonly stat: Stat;
}

/** How a znode comes into being. */
export interface CreateKind {
  readonly ephemeral?: boolean;
  readonly sequential?: boolean;
  readonly container?: boolean;
  /** Milliseconds after its last change at which a childless znode is removed. */
  readonly ttl?: number;
  /** Who may do what; the client's default where absent, and where it has none what the parent hands on. */
  readonly acl?: readonly AclItem[] | undefined;
  /** Create missing ancestors too. */
  readonly parents?: boolean;
  /** Where the sequence of its children begins, for admins: so names that were given out elsewhere don't come again. */
  readonly counter?: number;
}

export interface PageOptions extends CallOptions {
  /** Only what comes after this id or path. */
  readonly after?: string;
  readonly limit?: number;
}

export interface CreateOptions extends CreateKind, WriteOptions {}

export type MultiOp =
  | (CreateKind & { readonly op: "create"; readonly path: string; readonly data?: Data })
  | { readonly op: "set"; readonly path: string; readonly data?: Data; readonly version?: number }
  | {
      readonly op: "setAcl";
      readonly path: string;
      readonly acl?: readonly AclItem[];
      readonly default?: readonly AclItem[];
      readonly version?: number;
    }
  | { readonly op: "delete"; readonly path: string; readonly version?: number; readonly recursive?: boolean }
  | { readonly op: "check"; readonly path: string; readonly version?: number };

export type MultiResult<Op extends MultiOp> = Op["op"] extends "create"
  ? { readonly path: string; readonly stat: Stat }
  : Op["op"] extends "set" | "setAcl"
    ? { readonly stat: Stat }
    : Op["op"] extends "delete"
      ? { readonly deleted?: number }
      : Record<never, never>;

export type ReadOp =
  | { readonly op: "get"; readonly path: string }
  | { readonly op: "exists"; readonly path: string }
  | { readonly op: "children"; readonly path: string; readonly after?: string; readonly limit?: number };

interface ReadResults {
  readonly get: Znode;
  readonly exists: { readonly stat: Stat | null };
  readonly children: { readonly children: readonly string[]; readonly stat: Stat; readonly more: boolean };
}

export type ReadResult<Op extends ReadOp> = CopseError | ReadResults[Op["op"]];

/** What an update has written. */
export interface Updated<T> {
  readonly value: T;
  readonly stat: Stat;
}

/** A request without its id. */
export type Asked<O extends Op> = { readonly op: O } & Readonly<Record<string, unknown>>;

/** Sends a request and gives its reply, or rejects with its error. */
export type Call = <O extends Op>(message: Asked<O>, options: CallOptions, isWrite: boolean) => Promise<ReplyOf<O>>;

/** As `call`, with errors whose stack leads to where the call was made: they were made where the answer came. */
export function traced(call: Call): Call {
  return async (message, options, isWrite) => {
    try {
      return await call(message, options, isWrite);
    } catch (error) {
      if (isCopseError(error)) Error.captureStackTrace?.(error);
      throw error;
    }
  };
}
