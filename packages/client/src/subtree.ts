/**
 * A subtree as one thing: read as of one moment, written back in another place. `subtree-text` has it as text.
 *
 * Invariants: what is read is one moment; what is written is written in batches, each whole or not at all, parents
 * before children, so that a transfer which was stopped leaves whole znodes and nothing without its parent. Ephemerals belong to sessions,
 * and `/copse` to the system: neither is carried.
 */

import type { AclItem } from "./calls/acl.ts";
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
  /** How it is created, as far as it is known. */
  readonly kind?: Pick<CreateKind, "acl" | "ttl" | "container">;
  /** The default ACL of its children. */
  readonly defaultAcl?: readonly AclItem[];
  /** The number that its next sequential child gets. */
  readonly counter?: number;
  /** It belongs to a session: it is shown, and written nowhere. */
  readonly isEphemeral?: boolean;
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
  /** With "overwrite": what is there gets the ACLs, too. */
  readonly overwritesAcls?: boolean;
  /** Sequence numbers go on where they were, too; for admins. */
  readonly counters?: boolean;
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
 * The same with their ACLs, and how far their sequence numbers have come.
 * @throws CopseError NO_AUTH where the ACL of one may not be read whole
 * @example const { znodes } = await carrySubtree(copse, "/app");
 * await writeSubtree(copse, "/app-copy", await withAcls(copse, "/app", znodes), { conflict: "skip" });
 */
export async function withAcls(copse: Copse, top: string, znodes: readonly CarriedZnode[]): Promise<readonly CarriedZnode[]> {
  const carried: CarriedZnode[] = [];
  for (let at = 0; at < znodes.length; at += batchOps) {
    const batch = znodes.slice(at, at + batchOps);
    const acls = await Promise.all(batch.map(({ path }) => copse.getAcl(absolutePath(top, path))));
    for (const [index, { acl, default: defaultAcl, counter }] of acls.entries()) {
      const znode = batch[index]!;
      // A caller who may not administer it is shown no hashes, and would write an ACL that nobody fits.
      if ([...acl, ...(defaultAcl ?? [])].some(isMasked))
        throw new CopseError("NO_AUTH", "its ACL may not be read whole", { path: absolutePath(top, znode.path) });
      const handedOn = defaultAcl === undefined ? {} : { defaultAcl };
      carried.push({ ...znode, kind: { ...znode.kind, acl }, ...handedOn, ...(counter === 0 ? {} : { counter }) });
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
  { conflict = "fail", overwritesAcls = false, counters = false, signal, onProgress }: WriteSubtreeOptions = {},
): Promise<Written> {
  let sofar: Written = { written: 0, skipped: 0 };
  const all: CarriedZnode[] = [];
  for await (const znode of znodes) if (znode.isEphemeral !== true) all.push(znode);
  const begun = counters ? beginnings(all) : new Map<string, number>();
  for (const batch of batchesOf(all)) {
    signal?.throwIfAborted();
    const changes = await changesOf(copse, top, batch, { conflict, overwritesAcls }, begun);
    const first = changes[0]?.[0];
    if (first?.op === "create") await createAncestors(copse, first.path);
    if (changes.length > 0) await copse.multi(changes.flat());
    sofar = { written: sofar.written + changes.length, skipped: sofar.skipped + batch.length - changes.length };
    onProgress?.(sofar);
  }
  return sofar;
}

/**
 * Where each sequence begins so that it stands where it was, once the children that come along are there: the `counter` of a create, by path.
 * @example const counters = beginnings((await carrySubtree(copse, "/app")).znodes);
 */
export function beginnings(znodes: readonly CarriedZnode[]): Map<string, number> {
  const children = new Map<string, number>();
  for (const { path } of znodes) {
    const slash = path.lastIndexOf("/");
    const parent = path === "." ? null : slash < 0 ? "." : path.slice(0, slash);
    if (parent !== null) children.set(parent, (children.get(parent) ?? 0) + 1);
  }
  return new Map(
    znodes.flatMap(({ path, counter = 0 }) => (counter === 0 ? [] : [[path, Math.max(0, counter - (children.get(path) ?? 0))]])),
  );
}

function* batchesOf(znodes: Iterable<CarriedZnode>): Generator<readonly CarriedZnode[]> {
  let batch: CarriedZnode[] = [];
  let ops = 0;
  let units = 0;
  for (const znode of znodes) {
    batch.push(znode);
    // With its own ACL or default one a znode takes two.
    ops += 2;
    units += (znode.data?.length ?? 0) + aclUnits(znode);
    if (ops < batchOps && units < batchUnits) continue;
    yield batch;
    batch = [];
    ops = 0;
    units = 0;
  }
  if (batch.length > 0) yield batch;
}

function aclUnits({ kind, defaultAcl }: CarriedZnode): number {
  return kind?.acl === undefined && defaultAcl === undefined ? 0 : JSON.stringify([kind?.acl, defaultAcl]).length;
}

/** What each znode of a batch takes that is written. */
async function changesOf(
  copse: Copse,
  top: string,
  batch: readonly CarriedZnode[],
  { conflict, overwritesAcls }: Required<Pick<WriteSubtreeOptions, "conflict" | "overwritesAcls">>,
  begun: ReadonlyMap<string, number>,
): Promise<readonly (readonly MultiOp[])[]> {
  const paths = batch.map(({ path }) => absolutePath(top, path));
  const present = await presentOf(copse, paths);
  const changes: (readonly MultiOp[])[] = [];
  for (const [at, { path: own, data, kind, defaultAcl }] of batch.entries()) {
    const path = paths[at]!;
    const counter = begun.get(own);
    const handedOn: MultiOp[] = defaultAcl === undefined ? [] : [{ op: "setAcl", path, default: defaultAcl }];
    if (!present.has(path)) changes.push([{ op: "create", path, data, ...kind, ...(counter ? { counter } : {}) }, ...handedOn]);
    else if (path === "/" || conflict === "skip") continue;
    else if (conflict === "overwrite") {
      const acls = overwritesAcls ? aclChange(path, kind?.acl, defaultAcl) : [];
      changes.push([{ op: "set", path, data }, ...acls]);
    } else throw new CopseError("NODE_EXISTS", "the znode exists", { path });
  }
  return changes;
}

function aclChange(path: string, acl: readonly AclItem[] | undefined, defaultAcl: readonly AclItem[] | undefined): readonly MultiOp[] {
  if (acl === undefined && defaultAcl === undefined) return [];
  return [{ op: "setAcl", path, ...(acl === undefined ? {} : { acl }), ...(defaultAcl === undefined ? {} : { default: defaultAcl }) }];
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
  const own = stat.ephemeralOwner === null ? {} : { isEphemeral: true };
  return { path: relativePath(top, path), data: bytes ?? data, kind, ...own, read: `${stat.czxid} ${stat.version}` };
}
