/**
 * A subtree on its way: out as text, in from text, or to another place of the tree. The form is the command line's: a line of JSON for each
 * znode, parents first, paths relative to the top.
 *
 * Invariants: what is read is one moment; what is written is written in batches, each whole or not at all, parents before children, so a
 * transfer that was stopped left whole znodes behind and nothing without its parent. Ephemerals belong to sessions and stay.
 */
import { type Copse, CopseError, type CreateKind, type Data, isCopseError, isMasked, type LiveZnode, type MultiOp } from "@copse/client";

export interface Carried {
  /** Relative to the top; "." is the top itself. */
  readonly path: string;
  readonly data: Data;
  /** How it came to be, where it comes from the tree and not from text. */
  readonly kind?: Pick<CreateKind, "acl" | "ttl" | "container">;
  /** What it was when it was read: its czxid and version. */
  readonly read?: string;
}

/** What becomes of a znode that is there already. */
export type Conflict = "stop" | "skip" | "overwrite";

export interface Plan {
  readonly created: number;
  /** Paths that exist already; the first of them, and how many they are. */
  readonly present: readonly string[];
  readonly presentCount: number;
}

const batchOps = 500;
/** Units of data in one batch: well below the frame limit. */
const batchUnits = 262_144;
const presentShown = 5;

/** The znodes at and below a path as of one moment, and how many ephemerals were left out. */
export function subtreeOf(
  copse: Copse,
  path: string,
): Promise<{ readonly znodes: readonly Carried[]; readonly ephemerals: readonly string[] }> {
  return new Promise((resolve, reject) => {
    const stop = copse.observe(
      path,
      { scope: "tree" },
      {
        state: (live) => {
          stop();
          try {
            const all = [...live.values()].filter(({ path: at }) => at !== "/copse" && !at.startsWith("/copse/"));
            const ephemerals = all.filter(({ stat }) => stat.ephemeralOwner !== null).map(({ path: at }) => at);
            const kept = all.filter(({ stat }) => stat.ephemeralOwner === null);
            if (all.length === 0) throw new CopseError("NO_NODE", "the znode does not exist", { path });
            resolve({ znodes: kept.map((znode) => carriedOf(path, znode)), ephemerals });
          } catch (error) {
            reject(error);
          }
        },
        changes: () => {},
        failed: reject,
      },
    );
  });
}

/** The same with their ACLs. @throws CopseError NO_AUTH where one may not be read whole */
export async function withAcls(copse: Copse, top: string, znodes: readonly Carried[]): Promise<readonly Carried[]> {
  const carried: Carried[] = [];
  for (let at = 0; at < znodes.length; at += batchOps) {
    const batch = znodes.slice(at, at + batchOps);
    const acls = await Promise.all(batch.map(({ path }) => copse.getAcl(absolute(top, path))));
    for (const [index, { acl }] of acls.entries()) {
      const znode = batch[index]!;
      // Who may not administer it is shown no hashes, and would write an ACL that nobody fits.
      if (acl.some(isMasked)) throw new CopseError("NO_AUTH", "its ACL may not be read whole", { path: absolute(top, znode.path) });
      carried.push({ ...znode, kind: { ...znode.kind, acl } });
    }
  }
  return carried;
}

/** True if nothing came, went or was written in between. */
export function areSame(one: readonly Carried[], other: readonly Carried[]): boolean {
  return one.length === other.length && one.every(({ path, read }, at) => path === other[at]!.path && read === other[at]!.read);
}

/** One line of JSON for each znode. */
export function textOf(znodes: readonly Carried[]): string {
  return znodes.map(({ path, data }) => `${JSON.stringify({ path, ...encoded(data) })}\n`).join("");
}

/** @throws Error that names the line */
export function carriedFrom(text: string): Carried[] {
  const carried: Carried[] = [];
  for (const [at, whole] of text.split(/\r?\n/).entries()) {
    // An array with a znode on each line is read too.
    const line = whole.trim().replace(/,$/, "");
    if (line === "" || line === "[" || line === "]") continue;
    const { path, data, data64 } = parsed(line, at + 1);
    if (typeof path !== "string") throw new Error(`Line ${at + 1} has no path.`);
    if (data !== undefined && typeof data !== "string") throw new Error(`Line ${at + 1}: data is text.`);
    if (data64 !== undefined && typeof data64 !== "string") throw new Error(`Line ${at + 1}: data64 is text.`);
    carried.push({ path, data: data64 === undefined ? (data ?? null) : Uint8Array.from(atob(data64), (unit) => unit.charCodeAt(0)) });
  }
  return carried;
}

/** What carrying these to `top` would do. Nothing is written. */
export async function planOf(copse: Copse, top: string, znodes: readonly Carried[]): Promise<Plan> {
  const present = await presentOf(
    copse,
    znodes.map(({ path }) => absolute(top, path)),
  );
  return { created: znodes.length - present.size, present: [...present].slice(0, presentShown), presentCount: present.size };
}

/** Writes them below `top`. Gives how many were written. @throws CopseError; the signal's reason, between two batches */
export async function carry(
  copse: Copse,
  top: string,
  znodes: readonly Carried[],
  options: { readonly conflict: Conflict; readonly signal: AbortSignal; readonly onProgress: (done: number) => void },
): Promise<number> {
  const { conflict, signal, onProgress } = options;
  let written = 0;
  const parent = top.slice(0, top.lastIndexOf("/"));
  if (parent !== "" && (await copse.exists(parent)) === null) await copse.create(parent, null, { parents: true }).catch(unlessThere);
  for (let at = 0; at < znodes.length; ) {
    signal.throwIfAborted();
    const batch = batchFrom(znodes, at);
    at += batch.length;
    const present = await presentOf(
      copse,
      batch.map(({ path }) => absolute(top, path)),
    );
    const ops: MultiOp[] = [];
    for (const { path, data, kind } of batch) {
      const to = absolute(top, path);
      if (!present.has(to)) ops.push({ op: "create", path: to, data, ...kind });
      else if (conflict === "stop" && to !== "/") throw new CopseError("NODE_EXISTS", "it exists already", { path: to });
      else if (conflict === "overwrite" && to !== "/") ops.push({ op: "set", path: to, data });
    }
    if (ops.length > 0) await copse.multi(ops);
    written += ops.length;
    onProgress(at);
  }
  return written;
}

export function absolute(top: string, path: string): string {
  if (path === "." || path === "") return top;
  return top === "/" ? `/${path}` : `${top}/${path}`;
}

function relative(top: string, path: string): string {
  return path === top ? "." : path.slice(top === "/" ? 1 : top.length + 1);
}

async function presentOf(copse: Copse, paths: readonly string[]): Promise<Set<string>> {
  const present = new Set<string>();
  for (let at = 0; at < paths.length; at += batchOps) {
    const asked = paths.slice(at, at + batchOps);
    const seen = await copse.read(asked.map((path) => ({ op: "exists", path }) as const));
    for (const [index, one] of seen.entries()) {
      if (isCopseError(one)) throw one;
      if (one.stat !== null) present.add(asked[index]!);
    }
  }
  return present;
}

function batchFrom(znodes: readonly Carried[], from: number): readonly Carried[] {
  let units = 0;
  let to = from;
  while (to < znodes.length && to - from < batchOps && (to === from || units < batchUnits)) units += znodes[to++]!.data?.length ?? 0;
  return znodes.slice(from, to);
}

function carriedOf(top: string, { path, data, bytes, isDenied, stat }: LiveZnode): Carried {
  if (isDenied) throw new CopseError("NO_AUTH", "its data may not be read", { path });
  const kind = { ...(stat.ttl === undefined ? {} : { ttl: stat.ttl }), ...(stat.container === true ? { container: true } : {}) };
  return { path: relative(top, path), data: bytes ?? data, kind, read: `${stat.czxid} ${stat.version}` };
}

function encoded(data: Data): { data?: string; data64?: string } {
  if (data === null) return {};
  if (typeof data === "string") return { data };
  let text = "";
  for (let at = 0; at < data.length; at += 8_192) text += String.fromCharCode(...data.subarray(at, at + 8_192));
  return { data64: btoa(text) };
}

function parsed(line: string, number: number): { path?: unknown; data?: unknown; data64?: unknown } {
  try {
    return JSON.parse(line) as object;
  } catch {
    throw new Error(`Line ${number} is not JSON.`);
  }
}

function unlessThere(error: unknown): void {
  if (!isCopseError(error, "NODE_EXISTS")) throw error;
}
