/**
 * A subtree as one thing: read as of one moment, written as text, written back in another place.
 *
 * The text has a line of JSON for each znode, parents first, paths relative to the top: `{"path":"web","data":"x"}`, with `data64` for bytes
 * and neither for no data. Invariants: what is read is one moment; what is written is written in batches, each whole or not at all, parents
 * before children, so that a transfer which was stopped leaves whole znodes and nothing without its parent. Ephemerals belong to sessions,
 * and `/copse` to the system: neither is carried.
 */

import { decodeBase64, encodeBase64 } from "./base64.ts";
import type { CreateKind, Data, MultiOp } from "./calls/call.ts";
import { isMasked } from "./calls/masked.ts";
import type { Copse } from "./client.ts";
import { CopseError, isCopseError } from "./errors.ts";
import type { LiveZnode } from "./following/subscriptions.ts";
import { absolutePath, parentOf, relativePath } from "./path.ts";

/** A znode on its way from one place to another. */
export interface CarriedZnode {
  /** Relative to the top; "." is the top itself. */
  readonly path: string;
  readonly data: Data;
  /** How it is created, where it comes from the tree and not from text. */
  readonly kind?: Pick<CreateKind, "acl" | "ttl" | "container">;
  /** What it was when it was read: its czxid and version. */
  readonly read?: string;
}

/** What becomes of a znode that is there already. The root is left as it is in any case. */
export type Conflict = "fail" | "skip" | "overwrite";

export interface Carried {
  readonly znodes: readonly CarriedZnode[];
  /** Paths of the ephemerals that were left out. */
  readonly ephemerals: readonly string[];
}

export interface SubtreePlan {
  readonly created: number;
  /** Paths that exist already: the first five, and how many there are. */
  readonly present: readonly string[];
  readonly presentCount: number;
}

export interface WriteSubtreeOptions {
  /** Default "fail": NODE_EXISTS at the first that is there. */
  readonly conflict?: Conflict;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onProgress?: (sofar: Written) => void;
}

/** How many znodes were created or overwritten, and how many were left as they were. */
export interface Written {
  readonly written: number;
  readonly skipped: number;
}

const batchOps = 500;
/** UTF-16 units or bytes of data in one batch: well below the frame limit. */
const batchUnits = 262_144;
const presentShown = 5;

/**
 * The znodes at and below a path as of one moment, parents first.
 * @param options `data: false` reads names and stats alone
 * @throws CopseError NO_NODE
 * @example const znodes = await readSubtree(copse, "/app", { data: false });
 */
export function readSubtree(copse: Copse, path: string, options: { readonly data?: boolean } = {}): Promise<readonly LiveZnode[]> {
  return new Promise((resolve, reject) => {
    const stop = copse.observe(
      path,
      { scope: "tree", ...options },
      {
        state: (znodes) => {
          stop();
          if (znodes.size > 0) resolve([...znodes.values()]);
          else reject(new CopseError("NO_NODE", "the znode does not exist", { path }));
        },
        changes: () => {},
        failed: reject,
      },
    );
  });
}

/**
 * What of a subtree can be carried elsewhere: no ephemerals unless they are asked for, and nothing of the system's.
 * @throws CopseError NO_NODE; NO_AUTH where the data of one may not be read
 * @example const { znodes, ephemerals } = await carrySubtree(copse, "/app");
 */
export async function carrySubtree(copse: Copse, path: string, options: { readonly ephemerals?: boolean } = {}): Promise<Carried> {
  const own = (await readSubtree(copse, path)).filter(({ path: at }) => at !== "/copse" && !at.startsWith("/copse/"));
  const isLeftOut = ({ stat }: LiveZnode): boolean => options.ephemerals !== true && stat.ephemeralOwner !== null;
  const znodes = own.filter((znode) => !isLeftOut(znode)).map((znode) => carriedOf(path, znode));
  return { znodes, ephemerals: own.filter(isLeftOut).map(({ path: at }) => at) };
}

/**
 * The same with their ACLs.
 * @throws CopseError NO_AUTH where the ACL of one may not be read whole
 * @example const { znodes } = await carrySubtree(copse, "/app");
 * await writeSubtree(copse, "/app-copy", await withAcls(copse, "/app", znodes), { conflict: "skip" });
 */
export async function withAcls(copse: Copse, top: string, znodes: readonly CarriedZnode[]): Promise<readonly CarriedZnode[]> {
  const carried: CarriedZnode[] = [];
  for (let at = 0; at < znodes.length; at += batchOps) {
    const batch = znodes.slice(at, at + batchOps);
    const acls = await Promise.all(batch.map(({ path }) => copse.getAcl(absolutePath(top, path))));
    for (const [index, { acl }] of acls.entries()) {
      const znode = batch[index]!;
      // A caller who may not administer it is shown no hashes, and would write an ACL that nobody fits.
      if (acl.some(isMasked)) throw new CopseError("NO_AUTH", "its ACL may not be read whole", { path: absolutePath(top, znode.path) });
      carried.push({ ...znode, kind: { ...znode.kind, acl } });
    }
  }
  return carried;
}

/**
 * True if nothing was created, deleted or written between two readings.
 * @example const isUnchanged = isSameSubtree((await carrySubtree(copse, "/app")).znodes, (await carrySubtree(copse, "/app")).znodes);
 */
export function isSameSubtree(one: readonly CarriedZnode[], other: readonly CarriedZnode[]): boolean {
  return one.length === other.length && one.every(({ path, read }, at) => path === other[at]!.path && read === other[at]!.read);
}

/**
 * One znode as a line of text, without the line's end.
 * @example const text = (await carrySubtree(copse, "/app")).znodes.map(formatZnode).join("\n");
 */
export function formatZnode({ path, data }: CarriedZnode): string {
  if (data === null) return JSON.stringify({ path });
  return JSON.stringify(typeof data === "string" ? { path, data } : { path, data64: encodeBase64(data) });
}

/**
 * Reads one line. An array with a znode on each line is read too: its brackets are no znode.
 * @param number of the line, for errors
 * @returns null where the line holds no znode
 * @throws Error that names the line
 * @example const znode = parseZnode('{"path":"web","data":"x"}', 1);
 */
export function parseZnode(line: string, number: number): CarriedZnode | null {
  const text = line.trim().replace(/,$/, "");
  if (text === "" || text === "[" || text === "]") return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error(`line ${number} is not JSON`);
  }
  const { path, data, data64 } = (parsed ?? {}) as Record<string, unknown>;
  if (typeof path !== "string") throw new Error(`line ${number} has no path`);
  if (data !== undefined && typeof data !== "string") throw new Error(`line ${number}: data is not text`);
  if (data64 !== undefined && typeof data64 !== "string") throw new Error(`line ${number}: data64 is not text`);
  if (data64 === undefined) return { path, data: data ?? null };
  try {
    return { path, data: decodeBase64(data64) };
  } catch {
    throw new Error(`line ${number}: data64 is not base64`);
  }
}

/**
 * What writing these to `top` would do. Nothing is written.
 * @example const { created, presentCount } = await planSubtree(copse, "/app-copy", (await carrySubtree(copse, "/app")).znodes);
 */
export async function planSubtree(copse: Copse, top: string, znodes: readonly CarriedZnode[]): Promise<SubtreePlan> {
  const present = await presentOf(
    copse,
    znodes.map(({ path }) => absolutePath(top, path)),
  );
  return { created: znodes.length - present.size, present: [...present].slice(0, presentShown), presentCount: present.size };
}

/**
 * Writes znodes below `top`, in batches; missing ancestors of the first of a batch are created.
 * @throws CopseError NODE_EXISTS where one is there and `conflict` is "fail", and whatever the server refuses; the signal's reason
 * @example await writeSubtree(copse, "/app-copy", (await carrySubtree(copse, "/app")).znodes, { conflict: "overwrite" });
 */
export async function writeSubtree(
  copse: Copse,
  top: string,
  znodes: Iterable<CarriedZnode> | AsyncIterable<CarriedZnode>,
  { conflict = "fail", signal, onProgress }: WriteSubtreeOptions = {},
): Promise<Written> {
  let sofar: Written = { written: 0, skipped: 0 };
  for await (const batch of batchesOf(znodes)) {
    signal?.throwIfAborted();
    const ops = await opsOf(copse, top, batch, conflict);
    const first = ops[0];
    if (first?.op === "create") await createAncestors(copse, first.path);
    if (ops.length > 0) await copse.multi(ops);
    sofar = { written: sofar.written + ops.length, skipped: sofar.skipped + batch.length - ops.length };
    onProgress?.(sofar);
  }
  return sofar;
}

async function* batchesOf(znodes: Iterable<CarriedZnode> | AsyncIterable<CarriedZnode>): AsyncGenerator<readonly CarriedZnode[]> {
  let batch: CarriedZnode[] = [];
  let units = 0;
  for await (const znode of znodes) {
    batch.push(znode);
    units += znode.data?.length ?? 0;
    if (batch.length < batchOps && units < batchUnits) continue;
    yield batch;
    batch = [];
    units = 0;
  }
  if (batch.length > 0) yield batch;
}

async function opsOf(copse: Copse, top: string, batch: readonly CarriedZnode[], conflict: Conflict): Promise<readonly MultiOp[]> {
  const paths = batch.map(({ path }) => absolutePath(top, path));
  const present = await presentOf(copse, paths);
  const ops: MultiOp[] = [];
  for (const [at, { data, kind }] of batch.entries()) {
    const path = paths[at]!;
    if (!present.has(path)) ops.push({ op: "create", path, data, ...kind });
    else if (path === "/" || conflict === "skip") continue;
    else if (conflict === "overwrite") ops.push({ op: "set", path, data });
    else throw new CopseError("NODE_EXISTS", "the znode exists", { path });
  }
  return ops;
}

async function createAncestors(copse: Copse, path: string): Promise<void> {
  const parent = parentOf(path);
  if (parent === "/" || (await copse.exists(parent)) !== null) return;
  await copse.create(parent, null, { parents: true }).catch((error: unknown) => {
    if (!isCopseError(error, "NODE_EXISTS")) throw error;
  });
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

function carriedOf(top: string, { path, data, bytes, isDenied, stat }: LiveZnode): CarriedZnode {
  if (isDenied) throw new CopseError("NO_AUTH", "its data may not be read", { path });
  const kind = { ...(stat.ttl === undefined ? {} : { ttl: stat.ttl }), ...(stat.container === true ? { container: true } : {}) };
  return { path: relativePath(top, path), data: bytes ?? data, kind, read: `${stat.czxid} ${stat.version}` };
}
