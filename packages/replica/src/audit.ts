/**
 * What an audit log is told: who asked for which change, and what came of it. Never data, secrets or hashes.
 */
import type { ErrorCode, Write } from "@copse/protocol";
import type { Applied, Authenticate } from "@copse/tree";
import type { Connection } from "./connection.ts";

export interface AuditRecord {
  readonly op: string;
  /** What it was about; of a multi the first `pathsMax`. */
  readonly paths: readonly string[];
  readonly outcome: "done" | ErrorCode;
  /** The state's newest zxid behind it; its own, where it was done. */
  readonly zxid: number;
  /** As scheme:user. */
  readonly identities: readonly string[];
  readonly address: string;
}

export type Audit = (record: AuditRecord) => void;

const pathsMax = 100;

/** What a connection's write came to. */
export function auditOf(connection: Connection, write: Write | Authenticate, { code, zxid }: Pick<Applied, "code" | "zxid">): AuditRecord {
  return { op: write.op, paths: pathsOf(write), outcome: code ?? "done", zxid, ...whoIs(connection) };
}

/** A credential that proved nothing. */
export function authFailure(connection: Connection, zxid: number): AuditRecord {
  return { op: "auth", paths: [], outcome: "AUTH_FAILED", zxid, ...whoIs(connection) };
}

/** Who it is, without what proves it. */
function whoIs({ caller, address }: Connection): Pick<AuditRecord, "identities" | "address"> {
  return { identities: caller.identities.map(({ scheme, id }) => `${scheme}:${id.split(":", 1)[0]}`), address };
}

/** The paths that a write names. */
function pathsOf(write: Write | Authenticate): readonly string[] {
  if (write.op === "multi") return write.ops.slice(0, pathsMax).map(({ path }) => path);
  return "path" in write ? [write.path] : [];
}
