/**
 * Txns: the requests that the ordering engine carries, and their text in the log.
 *
 * A txn is self-contained: with the state before it and the entry's time, every member computes the same. Invariant:
 * `decodeTxns(encodeEntry(txns.map(encodeTxn)))` gives them again. The text begins with a format version; an unknown one is refused.
 */
import {
  type AclItem,
  decodeGuards,
  decodeWrite,
  demanded,
  encodeWrite,
  fingerprint,
  flat,
  type Guard,
  type Identity,
  isMasked,
  isRefusal,
  noLimits,
  rulesPath,
  type SingleWrite,
  type Write,
} from "@copse/protocol";
import { isOfFormat5 } from "./access/acl.ts";
import type { Proof } from "./access/identities.ts";
import type { CreatorBudget } from "./creators.ts";
import type { EnsembleTable } from "./ensemble.ts";
import { isQuotaPath } from "./operations/quota.ts";
import type { TreeLimits } from "./tree.ts";

/** Adds proved identities to the session. */
export interface Authenticate {
  readonly op: "auth";
  readonly identities: readonly Identity[];
  /** What ends, or brings more than itself; with it the txn has format 5. */
  readonly proofs?: readonly Proof[];
}

export interface WriteTxn {
  readonly kind: "write";
  readonly session: string;
  /** The connection's generation of the session; an older one is fenced. */
  readonly generation: number;
  readonly id: number;
  /** The id of the session's write before this one: none overtakes it. */
  readonly after: number;
  readonly ack: number;
  /** Tells it from another request under the same id: `printOf`, or `largePrintOf`, which is negative. */
  readonly print: number;
  /** Address of the connection, for the ip scheme. */
  readonly address: string;
  readonly guards: readonly Guard[];
  readonly write: Write | Authenticate;
  /** By which rules it is judged: those of the oldest builds where it is absent. */
  readonly format?: 3 | 5 | 6 | 7;
  /** The wall clock of the member that took it, in milliseconds since the epoch: what has ended by then grants nothing. */
  readonly wall?: number;
  /** What the connection's certificate proves: it is not the session's. */
  readonly certificate?: Proof;
  /** Whose what it creates is, and how much of that they may have. */
  readonly budget?: CreatorBudget;
  /** With revoke: how long a credential that it refuses may live, in milliseconds. */
  readonly retentionMs?: number;
  /** With what only admins may: true where the policy of the member that took it makes everyone an admin whom the root's ACL names in `world`. */
  readonly isWorldAdmin?: boolean;
}

export interface OpenTxn {
  readonly kind: "open" | "move";
  readonly session: string;
  readonly secretHash: string;
  readonly timeoutMs: number;
  readonly identities: readonly Identity[];
  /** Tells this connection's txn from every other's, so that a second copy of it has no effect. */
  readonly connection: string;
  readonly proofs?: readonly Proof[];
  readonly wall?: number;
  /** Sessions that a token subject may have; absent for no bound. */
  readonly sessionsMax?: number;
  readonly format?: 3 | 5;
}

export interface EndTxn {
  readonly kind: "close";
  readonly session: string;
  readonly generation: number;
}

/** The coordinator of a term has counted the timeout without a sign of life. */
export interface ExpireTxn {
  readonly kind: "expire";
  readonly session: string;
  readonly generation: number;
  /** Absent in entries of format 1 before 0.2, as is `lastId`. */
  readonly term?: number;
  /** The session's newest write when that was decided. */
  readonly lastId?: number;
}

/** Takes from a session what it has proved and what has ended. Since format 5. */
export interface LapseTxn {
  readonly kind: "lapse";
  readonly session: string;
  readonly wall: number;
  readonly format: 5;
}

/** Ends a session that was revoked. Since format 5. */
export interface EvictTxn {
  readonly kind: "evict";
  readonly session: string;
  readonly format: 5;
}

/** Removes a container or TTL znode, if it is still due. */
export interface ReapTxn {
  readonly kind: "reap";
  readonly path: string;
  readonly czxid: number;
}

/** Writes down how the ensemble stands, and the limits that decide results. It counts only on the version that its table names. */
export interface ConfigureTxn {
  readonly kind: "configure";
  readonly table: EnsembleTable;
  readonly limits: TreeLimits;
  /** Only in entries of format 1 before 0.2, which have no table. */
  readonly config?: string;
  /** The ACL that the root of a new cluster gets; with it the txn has format 3. */
  readonly rootAcl?: readonly AclItem[];
  readonly format?: 3;
}

/** Changes nothing: every member hashes its tree as it is here, so that they can be compared. Since format 7. */
export interface HashTxn {
  readonly kind: "hash";
  readonly format: 7;
}

export type Txn = WriteTxn | OpenTxn | EndTxn | ExpireTxn | LapseTxn | EvictTxn | ReapTxn | ConfigureTxn | HashTxn;

/**
 * Formats of entries, oldest and newest. An entry says the oldest that its readers have to know: a build that does not know
 * it ends, and never takes the txn for something else. 2: writes of quotas. 3: txns that say so are judged as of 0.2 (SPEC.md, F).
 * 4: steps of the state's time. 5: identities that end or are revoked, rules, and ACLs that name them. 6: a create
 * says where the sequence of its children begins. 7: members are drained, one is named to lead, trees are compared. 8: the print of a
 * large value is another one (large-value.ts).
 */
export const txnFormats = [1, 8] as const;

/** The format of an entry that holds this txn. */
export function formatOf(txn: Txn): number {
  if (txn.kind === "write" && txn.print < 0) return 8;
  const said = "format" in txn ? (txn.format ?? 1) : 1;
  if (txn.kind === "write" && txn.write.op === "stepTime") return Math.max(4, said);
  if (said > 1) return said;
  return txn.kind === "write" && touchesQuota(txn.write) ? 2 : 1;
}

/** True for what is judged otherwise since format 3: it says so, where all members read that. */
export function isJudgedAnew(write: Write | Authenticate | SingleWrite): boolean {
  switch (write.op) {
    case "auth":
    case "reconfig":
    case "stepTime":
    case "logout":
    case "revoke":
    case "endSession":
      return true;
    case "multi":
      return write.ops.some(isJudgedAnew);
    case "delete":
      return write.isRecursive;
    case "create":
      return write.acl?.some(hasMask) === true;
    case "setAcl":
      return write.path === "/" || write.defaultAcl != null || write.acl?.some(hasMask) === true;
    default:
      return false;
  }
}

/** The format that all members have to read before this may be proposed: older builds don't know it at all. */
export function formatNeeded(write: Write | Authenticate | SingleWrite): number {
  switch (write.op) {
    case "multi":
      return write.ops.reduce((most, op) => Math.max(most, formatNeeded(op)), 1);
    case "create":
      if (write.counter !== undefined) return 6;
      return write.path === rulesPath || write.acl?.some(isOfFormat5) ? 5 : 1;
    case "set":
    case "delete":
      return write.path === rulesPath ? 5 : 1;
    case "setAcl":
      if (write.acl?.some(isOfFormat5) || write.defaultAcl?.some(isOfFormat5)) return 5;
      return write.defaultAcl != null ? 3 : 1;
    case "auth":
      return write.proofs === undefined ? 1 : 5;
    case "logout":
    case "revoke":
    case "endSession":
      return 5;
    case "stepTime":
      return 4;
    case "reconfig":
      return write.drain.length + write.undrain.length > 0 || write.lead !== null ? 7 : 1;
    default:
      return 1;
  }
}

/** True for what only admins may. */
export function asksForAdmin(write: Write | Authenticate | SingleWrite): boolean {
  switch (write.op) {
    case "reconfig":
    case "stepTime":
    case "revoke":
    case "endSession":
      return true;
    case "multi":
      return write.ops.some(asksForAdmin);
    case "create":
      return write.counter !== undefined || (write.path === rulesPath && !write.isSequential);
    case "set":
    case "delete":
      return write.path === rulesPath;
    default:
      return false;
  }
}

function hasMask(item: AclItem): boolean {
  return demanded(item).some(isMasked);
}

function touchesQuota(write: Write | Authenticate | SingleWrite): boolean {
  if (write.op === "multi") return write.ops.some(touchesQuota);
  return "path" in write && isQuotaPath(write.path);
}

/** Tells two requests under one id apart, by the text of what they ask for (`encodeOperation`). `ack` is no part of it. */
export function printOf(operation: string, guards: readonly Guard[]): number {
  return fingerprint(guards.length === 0 ? operation : operation + JSON.stringify(guards));
}

/** What a write txn does, as text. */
export function encodeOperation(write: Write | Authenticate): string {
  return write.op === "auth" ? JSON.stringify(write) : encodeWrite(write);
}

/**
 * One txn, for `encodeEntry`.
 * @param operation the text of a write's operation, where it is known already
 */
export function encodeTxn(txn: Txn, operation?: string): string {
  if (txn.kind !== "write") return JSON.stringify(txn);
  const { session, generation, id, after, ack, print, address, guards } = txn;
  let text = `{"kind":"write","session":"${session}","generation":${generation},"id":${id},"after":${after},"ack":${ack},"print":${print},"address":"${address}"`;
  if (guards.length > 0) text += `,"guard":${JSON.stringify(guards)}`;
  if (txn.format !== undefined) text += `,"format":${txn.format}`;
  if (txn.wall !== undefined) text += `,"wall":${txn.wall}`;
  if (txn.certificate !== undefined) text += `,"certificate":${JSON.stringify(txn.certificate)}`;
  if (txn.budget !== undefined) text += `,"budget":${JSON.stringify(txn.budget)}`;
  if (txn.retentionMs !== undefined) text += `,"retentionMs":${txn.retentionMs}`;
  if (txn.isWorldAdmin !== undefined) text += `,"isWorldAdmin":${txn.isWorldAdmin}`;
  // In one piece, as it waits for the end of the turn.
  return flat(`${text},"write":${operation ?? encodeOperation(txn.write)}}`);
}

/** One entry's payload, from the texts of its txns and the newest of their formats. */
export function encodeEntry(texts: readonly string[], format = 1): string {
  return `{"format":${format},"txns":[${texts.length === 1 ? texts[0]! : texts.join(",")}]}`;
}

/** @throws Error where the payload is of another format or not a payload at all: it was never acknowledged as such */
export function decodeTxns(payload: string): Txn[] {
  const { format, txns } = JSON.parse(payload) as { format: number; txns: Record<string, unknown>[] };
  const [oldest, newest] = txnFormats;
  if (format < oldest || format > newest) throw new Error(`an entry has format ${format}; this build reads formats ${oldest} to ${newest}`);
  return txns.map(decodeTxn);
}

function decodeTxn(txn: Record<string, unknown>): Txn {
  checkShape(txn);
  if (txn["kind"] === "open" || txn["kind"] === "move") return { connection: "", ...txn } as unknown as OpenTxn;
  if (txn["kind"] !== "write") return txn as unknown as Txn;
  const message = txn["write"] as Record<string, unknown>;
  if (message["op"] === "auth") checkProofs(message["proofs"]);
  const write = message["op"] === "auth" ? (message as unknown as Authenticate) : decodeWrite(message, noLimits);
  const guards = decodeGuards(txn, noLimits);
  if (isRefusal(write) || isRefusal(guards)) throw new Error("an entry holds a write that does not decode");
  const { session, generation, id, after, ack, print, address, format, wall, certificate, budget, retentionMs, isWorldAdmin } =
    txn as unknown as WriteTxn;
  const plain: WriteTxn = { kind: "write", session, generation, id, after, ack, print, address, guards, write };
  if (format === undefined) return plain;
  return {
    ...plain,
    format,
    ...(wall === undefined ? {} : { wall }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(budget === undefined ? {} : { budget }),
    ...(retentionMs === undefined ? {} : { retentionMs }),
    ...(isWorldAdmin === undefined ? {} : { isWorldAdmin }),
  };
}

type Shape = Readonly<Record<string, "string" | "number" | "object" | "array">>;

/** The members that apply reads of each kind without asking further. */
const shapes: Readonly<Record<string, Shape>> = {
  write: { session: "string", generation: "number", id: "number", after: "number", ack: "number", print: "number", address: "string" },
  open: { session: "string", secretHash: "string", timeoutMs: "number", identities: "array" },
  move: { session: "string", secretHash: "string", timeoutMs: "number", identities: "array" },
  close: { session: "string", generation: "number" },
  expire: { session: "string", generation: "number" },
  lapse: { session: "string", wall: "number" },
  evict: { session: "string" },
  reap: { path: "string", czxid: "number" },
  configure: { limits: "object" },
  hash: {},
};
const tableShape: Shape = { cluster: "string", version: "number", leader: "string", members: "array" };
const rowShape: Shape = { id: "string", role: "string", url: "string", peer: "string" };
const identityShape: Shape = { scheme: "string", id: "string" };

/** A peer has proved who it is, not that its build is sound. @throws Error where apply could not read the txn */
function checkShape(txn: Record<string, unknown>): void {
  const shape = Object.hasOwn(shapes, String(txn["kind"])) ? shapes[String(txn["kind"])] : undefined;
  if (shape === undefined) throw new Error("an entry holds a txn of an unknown kind");
  expectShape(txn, shape);
  for (const identity of (txn["identities"] ?? []) as unknown[]) expectShape(identity, identityShape);
  checkProofs(txn["proofs"]);
  if (txn["certificate"] !== undefined) checkProofs([txn["certificate"]]);
  if (txn["budget"] !== undefined) expectShape(txn["budget"], { creator: "string" });
  const { wall = 0, retentionMs = 0 } = txn;
  if (typeof wall !== "number" || typeof retentionMs !== "number") throw new Error("an entry holds a txn with an invalid time");
  if (txn["kind"] !== "configure" || txn["config"] !== undefined) return;
  expectShape(txn["table"], tableShape);
  for (const row of (txn["table"] as EnsembleTable).members) expectShape(row, rowShape);
}

function checkProofs(proofs: unknown): void {
  if (proofs === undefined) return;
  if (!Array.isArray(proofs)) throw new Error("an entry holds invalid proofs");
  for (const proof of proofs as Record<string, unknown>[]) {
    expectShape(proof, { identities: "array" });
    for (const identity of proof["identities"] as unknown[]) expectShape(identity, identityShape);
    const { subject = "", issuedAt = 0, expiresAt = 0 } = proof;
    if (typeof subject !== "string" || typeof issuedAt !== "number" || typeof expiresAt !== "number")
      throw new Error("an entry holds invalid proofs");
  }
}

function expectShape(given: unknown, shape: Shape): void {
  const members = (typeof given === "object" && given !== null ? given : {}) as Record<string, unknown>;
  for (const [name, kind] of Object.entries(shape)) {
    const member = members[name];
    const isRight =
      kind === "array" ? Array.isArray(member) : kind === "object" ? typeof member === kind && member !== null : typeof member === kind;
    if (!isRight) throw new Error(`an entry holds a txn with an invalid ${name}`);
  }
}
