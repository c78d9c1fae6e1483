/**
 * Every request after connect: its shape and its decoding.
 *
 * A decoded request is plain, complete (absent members are null or their default) and checked against all that can
 * be checked without the tree. What is wrong with it is a Refusal; only a message without a usable id is worse
 * (frame.ts).
 */

import { type Identity, type Permission, permissions } from "../acl.ts";
import type { Limits } from "../limits.ts";
import { pathFault } from "../path.ts";
import { isRefusal, type Refusal, refuse } from "../replies/error-code.ts";
import { type Credential, decodeCredential } from "./connect.ts";
import { FieldReader } from "./field-reader.ts";
import { identityLengthMax } from "./identity.ts";
import { decodeGuards, decodeWrite, type Guard, isMessage, type Write } from "./write.ts";

export interface Get {
  readonly op: "get";
  readonly path: string;
  readonly watch: boolean;
}

export interface Exists {
  readonly op: "exists";
  readonly path: string;
  readonly watch: boolean;
}

export interface Children {
  readonly op: "children";
  readonly path: string;
  readonly watch: boolean;
  readonly stats: boolean;
  /** Only names after this one, or null for all. */
  readonly after: string | null;
  /** At most so many, or null for all. */
  readonly limit: number | null;
}

/** A read that a batch of reads may hold. */
export type SingleRead = Get | Exists | Children;

export type Read =
  | SingleRead
  | { readonly op: "read"; readonly ops: readonly SingleRead[] }
  | { readonly op: "getAcl"; readonly path: string }
  | { readonly op: "ephemerals"; readonly prefix: string; readonly after: string | null; readonly limit: number | null }
  | { readonly op: "count"; readonly path: string }
  | { readonly op: "whoami" }
  | Explain
  | { readonly op: "quotas"; readonly after: string | null; readonly limit: number | null }
  /** `compares`: with what the members' trees hash to, all at one zxid; for admins. */
  | { readonly op: "ensemble"; readonly compares: boolean }
  | { readonly op: "sync" }
  /** The next chunk of the snapshot that the connection reads; at offset 0 of a new one. For admins. */
  | { readonly op: "snapshot"; readonly offset: number }
  | InspectionOp;

/** What only operators may ask. */
export type InspectionOp =
  | { readonly op: "sessions" | "queues"; readonly after: string | null; readonly limit: number | null }
  | { readonly op: "watchers"; readonly path: string; readonly limit: number | null }
  /** Below `path`, names that contain a text; `after` is the path that was looked at last. */
  | {
      readonly op: "search";
      readonly path: string;
      readonly contains: string;
      readonly after: string | null;
      readonly limit: number | null;
    }
  /** With samples that were taken after `history`, and changes after the zxid `changes`; without them for null. */
  | { readonly op: "stats"; readonly history: number | null; readonly changes: number | null }
  /** Whose credentials are refused. */
  | { readonly op: "revoked" };

/** Whether one may do something, and why: oneself, or whoever has these identities. */
export interface Explain {
  readonly op: "explain";
  readonly path: string;
  readonly perm: Permission;
  readonly as: readonly Identity[] | null;
}

export type WatchKind = "data" | "child" | "persistent" | "recursive";
export const watchKinds: readonly WatchKind[] = ["data", "child", "persistent", "recursive"];

export interface RestoreWatches {
  readonly op: "restoreWatches";
  readonly since: number;
  readonly data: readonly string[];
  readonly exist: readonly string[];
  readonly child: readonly string[];
  readonly persistent: readonly string[];
  readonly recursive: readonly string[];
}

export type Scope = "node" | "children" | "tree";

export interface Subscribe {
  readonly op: "subscribe";
  readonly path: string;
  readonly scope: Scope;
  readonly data: boolean;
  readonly since: number | null;
}

export type Follow =
  | { readonly op: "addWatch"; readonly path: string; readonly mode: "persistent" | "recursive" }
  | { readonly op: "removeWatch"; readonly path: string; readonly mode: WatchKind | null }
  | RestoreWatches
  | Subscribe
  | { readonly op: "unsubscribe"; readonly sub: number };

interface Numbered {
  readonly id: number;
  /** Replies up to this id have arrived; 0 where the request says nothing. */
  readonly ack: number;
}

export type Request = Numbered &
  (
    | { readonly kind: "write"; readonly write: Write; readonly guards: readonly Guard[] }
    | { readonly kind: "auth"; readonly credential: Credential; readonly guards: readonly Guard[] }
    | { readonly kind: "read"; readonly read: Read; readonly atLeast: number; readonly isLinearizable: boolean }
    | { readonly kind: "follow"; readonly follow: Follow; readonly atLeast: number }
    | { readonly kind: "ping" }
    | { readonly kind: "close" }
    /** What decoding refused: answered in its turn, like any other. */
    | { readonly kind: "refused"; readonly refusal: Refusal }
  );

/** Decodes a message whose id is usable and whose op is not connect. Never throws. */
export function decodeRequest(message: Record<string, unknown>, id: number, limits: Limits): Request {
  const reader = new FieldReader(message, limits);
  const ack = reader.integer("ack", 0, 0);
  const request = reader.fault === null ? decodeOp(reader, id, ack) : reader.fault;
  return isRefusal(request) ? { kind: "refused", id, ack, refusal: withPath(request, message) } : request;
}

/** UTF-16 units of a path that a refusal repeats. */
const refusedPathLengthMax = 4_096;

/** Names the request's path in the refusal where that path is at least a string of a sane length. */
function withPath(refusal: Refusal, message: Record<string, unknown>): Refusal {
  const path = message["path"];
  return typeof path === "string" && path.length <= refusedPathLengthMax && path.isWellFormed() ? { ...refusal, path } : refusal;
}

function decodeOp(reader: FieldReader, id: number, ack: number): Request | Refusal {
  const { message, limits } = reader;
  switch (message["op"]) {
    case "create":
    case "set":
    case "delete":
    case "setAcl":
    case "multi":
    case "reconfig":
    case "stepTime":
    case "logout":
    case "revoke":
    case "endSession": {
      const write = decodeWrite(message, limits);
      if (isRefusal(write)) return write;
      const guards = decodeGuards(message, limits);
      if (isRefusal(guards)) return guards;
      return { kind: "write", id, ack, write, guards };
    }
    case "auth": {
      const credential = decodeCredential(message);
      if (credential === null) return refuse("BAD_ARGUMENTS", "scheme and credential must be strings");
      const guards = decodeGuards(message, limits);
      return isRefusal(guards) ? guards : { kind: "auth", id, ack, credential, guards };
    }
    case "get":
    case "exists":
    case "children":
      return readRequest(reader, id, ack, decodeSingleRead(reader));
    case "read":
      return readRequest(reader, id, ack, decodeReadBatch(reader));
    case "getAcl":
    case "count":
      return readRequest(reader, id, ack, { op: message["op"], path: reader.path() });
    case "watchers": {
      const path = reader.path();
      return readRequest(reader, id, ack, { op: "watchers", path, limit: reader.optionalInteger("limit", 1) });
    }
    case "ephemerals":
      return readRequest(reader, id, ack, {
        op: "ephemerals",
        prefix: reader.optional("prefix") === null ? "/" : reader.text("prefix"),
        after: reader.optionalText("after"),
        limit: reader.optionalInteger("limit", 1),
      });
    case "sessions":
    case "quotas":
    case "queues": {
      const after = reader.optionalText("after");
      return readRequest(reader, id, ack, { op: message["op"], after, limit: reader.optionalInteger("limit", 1) });
    }
    case "search": {
      const path = reader.path();
      const after = reader.optionalText("after");
      const isWithin =
        after === null ||
        (pathFault(after, limits.pathBytes, limits.pathDepth) === null && after.startsWith(path === "/" ? path : `${path}/`));
      if (!isWithin) reader.blame("after", "must be a path below path");
      const limit = reader.optionalInteger("limit", 1);
      return readRequest(reader, id, ack, { op: "search", path, contains: reader.text("contains"), after, limit });
    }
    case "explain":
      return readRequest(reader, id, ack, decodeExplain(reader));
    case "ensemble":
      return readRequest(reader, id, ack, { op: "ensemble", compares: reader.flag("compare") });
    case "snapshot":
      return readRequest(reader, id, ack, { op: "snapshot", offset: reader.integer("offset", 0, 0) });
    case "stats": {
      const history = reader.optionalInteger("history", 0);
      return readRequest(reader, id, ack, { op: "stats", history, changes: reader.optionalInteger("changes", 0) });
    }
    case "revoked":
    case "whoami":
    case "sync":
      return readRequest(reader, id, ack, { op: message["op"] });
    case "addWatch":
    case "removeWatch":
    case "restoreWatches":
    case "subscribe":
    case "unsubscribe": {
      const follow = decodeFollow(reader);
      const atLeast = reader.integer("atLeast", 0, 0);
      return reader.fault ?? { kind: "follow", id, ack, follow, atLeast };
    }
    case "ping":
    case "close":
      return { kind: message["op"], id, ack };
    default:
      if (typeof message["op"] !== "string") return refuse("BAD_ARGUMENTS", "op must be a string");
      return refuse("UNIMPLEMENTED", "this server does not know the op");
  }
}

function readRequest(reader: FieldReader, id: number, ack: number, read: Read | Refusal): Request | Refusal {
  if (isRefusal(read)) return read;
  const atLeast = reader.integer("atLeast", 0, 0);
  const isLinearizable = reader.flag("linearizable");
  return reader.fault ?? { kind: "read", id, ack, read, atLeast, isLinearizable };
}

function decodeExplain(reader: FieldReader): Explain {
  const perm = reader.text("perm") as Permission;
  if (!permissions.includes(perm)) reader.blame("perm", `must be one of ${permissions.join(", ")}`);
  const path = reader.path();
  const given = reader.optional("as");
  if (given === null) return { op: "explain", path, perm, as: null };
  const as: Identity[] = [];
  for (const text of Array.isArray(given) && given.length <= reader.limits.identities ? (given as unknown[]) : [null]) {
    const at = typeof text === "string" && text.length <= identityLengthMax && text.isWellFormed() ? text.indexOf(" ") : -1;
    if (at < 1) reader.blame("as", `must be an array of at most ${reader.limits.identities} identities, each as SCHEME ID`);
    else as.push({ scheme: (text as string).slice(0, at), id: (text as string).slice(at + 1) });
  }
  return { op: "explain", path, perm, as };
}

/** What `reader` finds wrong is in its `fault`. */
function decodeSingleRead(reader: FieldReader): SingleRead {
  const path = reader.path();
  const watch = reader.flag("watch");
  const op = reader.message["op"];
  if (op !== "children") return { op: op === "get" ? "get" : "exists", path, watch };
  const after = reader.optionalText("after");
  return { op: "children", path, watch, stats: reader.flag("stats"), after, limit: reader.optionalInteger("limit", 0) };
}

function decodeReadBatch(reader: FieldReader): Read | Refusal {
  const { message, limits } = reader;
  const members = message["ops"];
  if (!Array.isArray(members)) return refuse("BAD_ARGUMENTS", "ops must be an array");
  if (members.length > limits.multiOps) return refuse("TOO_LARGE", `ops holds over ${limits.multiOps} operations`);
  const ops: SingleRead[] = [];
  for (const [index, member] of (members as unknown[]).entries()) {
    if (!isMessage(member)) return { ...refuse("BAD_ARGUMENTS", "ops must hold objects"), index };
    const op = member["op"];
    if (op !== "get" && op !== "exists" && op !== "children") {
      return { ...refuse("BAD_ARGUMENTS", "ops may hold only get, exists and children"), index };
    }
    const one = new FieldReader(member, limits);
    ops.push(decodeSingleRead(one));
    if (one.fault !== null) return { ...one.fault, index };
  }
  return { op: "read", ops };
}

function decodeFollow(reader: FieldReader): Follow {
  switch (reader.message["op"]) {
    case "addWatch": {
      const mode = reader.message["mode"];
      if (mode !== "persistent" && mode !== "recursive") reader.blame("mode", "must be persistent or recursive");
      return { op: "addWatch", path: reader.path(), mode: mode === "recursive" ? "recursive" : "persistent" };
    }
    case "removeWatch": {
      const mode = reader.optional("mode") as WatchKind | null;
      if (mode !== null && !watchKinds.includes(mode)) reader.blame("mode", "must be data, child, persistent or recursive");
      return { op: "removeWatch", path: reader.path(), mode };
    }
    case "restoreWatches": {
      const asked = ["data", "exist", "child", "persistent", "recursive"].map((kind) => reader.paths(kind).length);
      if (asked.reduce((sum, count) => sum + count, 0) > reader.limits.multiOps) {
        reader.fault ??= refuse("TOO_LARGE", `restoreWatches takes at most ${reader.limits.multiOps} paths; send several`);
      }
      return {
        op: "restoreWatches",
        since: reader.integer("since", null, 0),
        data: reader.paths("data"),
        exist: reader.paths("exist"),
        child: reader.paths("child"),
        persistent: reader.paths("persistent"),
        recursive: reader.paths("recursive"),
      };
    }
    case "subscribe": {
      const scope = reader.message["scope"] as Scope;
      if (scope !== "node" && scope !== "children" && scope !== "tree") reader.blame("scope", "must be node, children or tree");
      return { op: "subscribe", path: reader.path(), scope, data: reader.flag("data", true), since: reader.optionalInteger("since", 0) };
    }
    default:
      return { op: "unsubscribe", sub: reader.integer("sub", null, 1) };
  }
}
