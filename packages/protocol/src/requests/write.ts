/**
 * The operations that change the tree: their shape, their decoding, and their encoding for the log.
 *
 * Invariant: `decodeWrite(JSON.parse(encodeWrite(write)), noLimits)` gives the write again. Versions of -1 match any.
 */
import { type AclItem, decodeAcl, uniqueItems } from "../acl.ts";
import { counterMax, guardsMax, type Limits, ttlMsMax } from "../limits.ts";
import { pathFault, sequentialPathFault } from "../path.ts";
import { isRefusal, type Refusal, refuse } from "../replies/error-code.ts";
import { literal } from "../text/literal.ts";
import { decodeValue, encodeData, isValue, type Value } from "../text/value.ts";
import { FieldReader, isWireInteger } from "./field-reader.ts";
import { decodeIdentityWrite, encodeIdentityWrite, type IdentityWrite, isIdentityWrite } from "./identity.ts";
import { decodeReconfig, encodeReconfig, type Reconfig } from "./reconfig.ts";

export interface Create {
  readonly op: "create";
  /** For a sequential create, the path before its suffix. */
  readonly path: string;
  readonly value: Value | null;
  readonly isEphemeral: boolean;
  readonly isSequential: boolean;
  readonly isContainer: boolean;
  /** Milliseconds, or null for a znode without one. */
  readonly ttl: number | null;
  readonly acl: readonly AclItem[] | null;
  /** Create missing ancestors in the same txn. */
  readonly parents: boolean;
  /** Where the sequence of its children begins, for admins; absent for 0. */
  readonly counter?: number;
}

export interface SetValue {
  readonly op: "set";
  readonly path: string;
  readonly value: Value | null;
  readonly version: number;
}

export interface Delete {
  readonly op: "delete";
  readonly path: string;
  readonly version: number;
  readonly isRecursive: boolean;
}

export interface SetAcl {
  readonly op: "setAcl";
  readonly path: string;
  /** Null leaves the znode's own. */
  readonly acl: readonly AclItem[] | null;
  /** What a child created without an ACL gets, and hands on: null leaves it, an empty one removes it. */
  readonly defaultAcl?: readonly AclItem[] | null;
  readonly version: number;
}

export interface Check {
  readonly op: "check";
  readonly path: string;
  readonly version: number;
}

export interface Multi {
  readonly op: "multi";
  readonly ops: readonly SingleWrite[];
}

/** Moves the state's time ahead at once. */
export interface StepTime {
  readonly op: "stepTime";
  /** Where to, in milliseconds since the epoch: the member that takes the request says it. */
  readonly time: number;
}

/** A write that a multi may hold. */
export type SingleWrite = Create | SetValue | Delete | SetAcl | Check;
export type Write = Exclude<SingleWrite, Check> | Multi | Reconfig | StepTime | IdentityWrite;

/** The write holds only if this znode exists with this czxid. */
export interface Guard {
  readonly path: string;
  readonly czxid: number;
}

/** Reads one of the ops of a multi, check included. */
function decodeSingleWrite(message: Record<string, unknown>, limits: Limits): SingleWrite | Refusal {
  const reader = new FieldReader(message, limits);
  const op = message["op"];
  let write: SingleWrite | Refusal;
  switch (op) {
    case "create":
      return decodeCreate(reader);
    case "set": {
      const path = reader.path();
      const value = decodeValue(message, limits.dataBytes);
      if (!isValue(value)) return reader.fault ?? value;
      write = { op, path, value, version: reader.version() };
      break;
    }
    case "delete":
      write = { op, path: reader.path(), version: reader.version(), isRecursive: reader.flag("recursive") };
      break;
    case "setAcl": {
      const path = reader.path();
      const given = reader.optional("default");
      const defaultAcl = given === null ? null : decodeAcl(given, "default");
      const acl = defaultAcl !== null && reader.optional("acl") === null ? null : decodeAcl(message["acl"]);
      if (acl !== null && isRefusal(acl)) return reader.fault ?? acl;
      if (defaultAcl !== null && isRefusal(defaultAcl)) return reader.fault ?? defaultAcl;
      write = { op, path, acl, ...(defaultAcl === null ? {} : { defaultAcl }), version: reader.version() };
      break;
    }
    case "check":
      write = { op, path: reader.path(), version: reader.version() };
      break;
    default:
      return refuse("BAD_ARGUMENTS", "ops may hold only create, set, delete, setAcl and check");
  }
  return reader.fault ?? write;
}

function decodeCreate(reader: FieldReader): Create | Refusal {
  const { message, limits } = reader;
  const { pathBytes, pathDepth } = limits;
  const isSequential = reader.flag("sequential");
  const path = message["path"];
  if (typeof path !== "string") return refuse("BAD_ARGUMENTS", "path must be a string");
  const fault = isSequential ? sequentialPathFault(path, pathBytes, pathDepth) : pathFault(path, pathBytes, pathDepth);
  if (fault !== null) return refuse("BAD_ARGUMENTS", `path: ${fault}`);
  const value = decodeValue(message, limits.dataBytes);
  if (!isValue(value)) return value;
  const items = reader.optional("acl");
  const acl = items === null ? null : decodeAcl(items);
  if (acl !== null && isRefusal(acl)) return acl;
  const isEphemeral = reader.flag("ephemeral");
  const isContainer = reader.flag("container");
  const ttl = reader.optionalInteger("ttl", 1, ttlMsMax);
  if (isEphemeral && ttl !== null) reader.blame("ttl", "excludes ephemeral");
  if (isEphemeral && isContainer) reader.blame("container", "excludes ephemeral");
  if (isContainer && ttl !== null) reader.blame("ttl", "excludes container");
  if (isContainer && isSequential) reader.blame("sequential", "excludes container");
  const parents = reader.flag("parents");
  const counter = reader.optionalInteger("counter", 0, counterMax);
  if (isEphemeral && counter !== null) reader.blame("counter", "excludes ephemeral");
  const create: Create = { op: "create", path, value, isEphemeral, isSequential, isContainer, ttl, acl, parents };
  return reader.fault ?? (counter === null ? create : { ...create, counter });
}

/** Reads the members of a write. `message.op` is one of create, set, delete, setAcl, multi, reconfig, stepTime, logout, revoke, endSession. */
export function decodeWrite(message: Record<string, unknown>, limits: Limits): Write | Refusal {
  if (message["op"] === "reconfig") return decodeReconfig(message, limits);
  if (message["op"] === "stepTime") return decodeStepTime(message, limits);
  if (isIdentityWrite(message as { op: string })) return decodeIdentityWrite(message, limits);
  if (message["op"] !== "multi") return decodeSingleWrite(message, limits) as Write | Refusal;
  const members = message["ops"];
  if (!Array.isArray(members)) return refuse("BAD_ARGUMENTS", "ops must be an array");
  if (members.length > limits.multiOps) return refuse("TOO_LARGE", `ops holds over ${limits.multiOps} operations`);
  const ops: SingleWrite[] = [];
  for (const [index, member] of (members as unknown[]).entries()) {
    if (!isMessage(member)) return { ...refuse("BAD_ARGUMENTS", "ops must hold objects"), index };
    const write = decodeSingleWrite(member, limits);
    if (isRefusal(write)) return { ...write, index };
    ops.push(write);
  }
  return { op: "multi", ops };
}

/** Reads `guard`: one, an array of up to 16, or none. */
export function decodeGuards(message: Record<string, unknown>, limits: Limits): readonly Guard[] | Refusal {
  const member = message["guard"] ?? null;
  if (member === null) return noGuards;
  const list: unknown[] = Array.isArray(member) ? member : [member];
  if (list.length > guardsMax) return refuse("BAD_ARGUMENTS", `guard takes at most ${guardsMax}`);
  const guards: Guard[] = [];
  for (const item of list) {
    if (!isMessage(item)) return refuse("BAD_ARGUMENTS", "guard must be an object");
    const { path, czxid } = item;
    if (typeof path !== "string" || pathFault(path, limits.pathBytes, limits.pathDepth) !== null)
      return refuse("BAD_ARGUMENTS", "guard: path is not a path");
    if (!isWireInteger(czxid)) return refuse("BAD_ARGUMENTS", "guard: czxid must be an integer");
    guards.push({ path, czxid });
  }
  return guards;
}

const noGuards: readonly Guard[] = [];

export function isMessage(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A client says no time; what the log holds has one. */
function decodeStepTime(message: Record<string, unknown>, limits: Limits): StepTime | Refusal {
  const reader = new FieldReader(message, limits);
  const time = reader.integer("time", 0, 0);
  return reader.fault ?? { op: "stepTime", time };
}

/** A write as JSON text, in the words of the wire. */
export function encodeWrite(write: Write | SingleWrite): string {
  if (write.op === "multi") return `{"op":"multi","ops":[${write.ops.map(encodeWrite).join(",")}]}`;
  if (write.op === "reconfig") return encodeReconfig(write);
  if (write.op === "stepTime") return JSON.stringify(write);
  if (isIdentityWrite(write)) return encodeIdentityWrite(write);
  let text = `{"op":"${write.op}","path":${literal(write.path)}`;
  if (write.op === "create" || write.op === "set") text += encodeData(write.value);
  if (write.op === "create") {
    if (write.isEphemeral) text += ',"ephemeral":true';
    if (write.isSequential) text += ',"sequential":true';
    if (write.isContainer) text += ',"container":true';
    if (write.ttl !== null) text += `,"ttl":${write.ttl}`;
    if (write.acl !== null) text += `,"acl":${JSON.stringify(write.acl)}`;
    if (write.parents) text += ',"parents":true';
    if (write.counter !== undefined) text += `,"counter":${write.counter}`;
    return `${text}}`;
  }
  if (write.op === "setAcl") {
    if (write.acl !== null) text += `,"acl":${JSON.stringify(write.acl)}`;
    if (write.defaultAcl != null) text += `,"default":${JSON.stringify(write.defaultAcl)}`;
  }
  if (write.op === "delete" && write.isRecursive) text += ',"recursive":true';
  return write.version === -1 ? `${text}}` : `${text},"version":${write.version}}`;
}

/** The write with each of its ACLs without repetitions. */
export function withUniqueAcls<W extends SingleWrite | Write>(write: W): W {
  if (write.op === "multi") return { ...write, ops: write.ops.map(withUniqueAcls) };
  if (write.op === "create") return write.acl === null ? write : { ...write, acl: uniqueItems(write.acl) };
  if (write.op !== "setAcl") return write;
  const { acl, defaultAcl } = write;
  return { ...write, acl: acl && uniqueItems(acl), ...(defaultAcl == null ? {} : { defaultAcl: uniqueItems(defaultAcl) }) };
}
