/**
 * What an audit log is told: who asked for which change, and what came of it. Never data, secrets or hashes.
 *
 * A session may have proved many identities. Invariant: a line names the one that the change was granted to; where nobody in particular
 * was granted it, the user who was proved last.
 */
import { type ErrorCode, type Identity, identityText, type Permission, parentOf, type SingleWrite, type Write } from "@copse/protocol";
import { type Applied, type Authenticate, type Caller, grantee, type Rules, type Tree } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";

export interface AuditRecord {
  readonly op: string;
  /** What it was about; of a multi the first `pathsMax`. */
  readonly paths: readonly string[];
  readonly outcome: "done" | ErrorCode;
  /** The state's newest zxid after it; its own, where it was done. */
  readonly zxid: number;
  /** As scheme:user. */
  readonly identities: readonly string[];
  readonly address: string;
  /** What the client calls itself, where it says so: its word alone. */
  readonly name?: string;
}

export type Audit = (record: AuditRecord) => void;

/** A request that was refused for want of a permission, with the rules that match its path. */
export interface Denial extends AuditRecord {
  /** False for a read, which the audit log does not hold unless it is told to. */
  readonly isWrite: boolean;
  readonly rules: ReturnType<Rules["explain"]>;
}

/** Is told of what was refused; what is known of it is worked out only where it is asked for. */
export type Denied = (denial: () => Denial) => void;

/** What was refused at a path, after which the state is that of `tree`. */
export function denialOf(connection: Connection, op: string, path: string, permission: Permission, isWrite: boolean, tree: Tree): Denial {
  const { caller, address } = connection;
  const identities = namesOf(newestUser(caller));
  const rules = tree.rules?.explain(path, permission, caller) ?? [];
  return { op, paths: [path], outcome: "NO_AUTH", zxid: tree.zxid, identities, address, ...nameOf(connection), isWrite, rules };
}

const pathsMax = 100;

/** What a connection's write came to, after which the state is that of `tree`. */
export function auditOf(
  connection: Connection,
  write: Write | Authenticate,
  { code, zxid }: Pick<Applied, "code" | "zxid">,
  tree: Tree,
): AuditRecord {
  const { caller, address } = connection;
  const granted = code === null ? grantedTo(write, caller, tree) : null;
  const identities = granted === null ? namesOf(newestUser(caller)) : namesOf([granted]);
  return { op: write.op, paths: pathsOf(write), outcome: code ?? "done", zxid, identities, address, ...nameOf(connection) };
}

/** A credential that proved nothing. */
export function authFailure(connection: Connection, zxid: number): AuditRecord {
  const { caller, address } = connection;
  return { op: "auth", paths: [], outcome: "AUTH_FAILED", zxid, identities: namesOf(newestUser(caller)), address, ...nameOf(connection) };
}

function nameOf({ name }: Connection): Pick<AuditRecord, "name"> {
  return name === "" ? {} : { name };
}

/** Without what proves them. */
function namesOf(identities: readonly Identity[]): readonly string[] {
  return identities.map((identity) => {
    const { scheme, id } = identity;
    return scheme === "digest" || scheme === "scrypt" || scheme === "super" ? `${scheme}:${id.split(":", 1)[0]}` : identityText(identity);
  });
}

/** The identities of the user who was proved last. */
function newestUser({ identities }: Caller): readonly Identity[] {
  const vouched = identities.filter(({ scheme }) => scheme === "token" || scheme === "x509");
  if (vouched.length > 0) return vouched;
  const newest = identities[identities.length - 1];
  return newest === undefined ? [] : identities.filter(({ id }) => id.split(":", 1)[0] === newest.id.split(":", 1)[0]);
}

/** The permission that each op asks for, and of which znode: that of the path, or its parent's. */
const asked: Readonly<Record<SingleWrite["op"], readonly [Permission, "own" | "parent"]>> = {
  create: ["create", "parent"],
  delete: ["delete", "parent"],
  set: ["write", "own"],
  setAcl: ["admin", "own"],
  check: ["read", "own"],
};

/** The permission that a write asks for on its own path. */
export function permissionOf({ op }: Write | Authenticate): Permission {
  return op === "create" || op === "set" || op === "delete" || op === "setAcl" ? asked[op][0] : "admin";
}

/** The identity that an ACL names for this write; of a multi's, that of the first op for which one does. */
function grantedTo(write: Write | Authenticate, caller: Caller, tree: Tree): Identity | null {
  if (write.op === "auth") return write.proofs?.[0]?.identities[0] ?? write.identities[0] ?? null;
  if (write.op === "logout") return null;
  if (!("path" in write) && write.op !== "multi") return grantee(tree.root.acl, "admin", caller);
  for (const op of write.op === "multi" ? write.ops.slice(0, pathsMax) : [write]) {
    const [permission, whose] = asked[op.op];
    const znode = tree.find(whose === "own" || op.path === "/" ? op.path : parentOf(op.path));
    const granted = znode === undefined ? null : grantee(znode.acl, permission, caller);
    if (granted !== null) return granted;
  }
  return null;
}

/** The paths that a write names. */
function pathsOf(write: Write | Authenticate): readonly string[] {
  if (write.op === "multi") return write.ops.slice(0, pathsMax).map(({ path }) => path);
  return "path" in write ? [write.path] : [];
}
