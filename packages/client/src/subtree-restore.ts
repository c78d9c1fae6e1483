/**
 * A subtree made what it was: in one txn, whole or not at all.
 *
 * Invariants: the txn names the version of each znode that it changes or deletes, so that it is refused where somebody came between; what is
 * as it was is not touched; ephemerals belong to sessions and stay.
 */
import type { AclItem } from "./calls/acl.ts";
import type { MultiOp } from "./calls/call.ts";
import type { Copse } from "./client.ts";
import { CopseError, isCopseError } from "./errors.ts";
import type { LiveZnode } from "./following/subscriptions.ts";
import { absolutePath, parentOf } from "./path.ts";
import { beginnings, type CarriedZnode, readSubtree } from "./subtree.ts";

/** What a restore does, by path; nothing where the subtree is what it was. */
export interface RestorePlan {
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
  readonly ops: readonly MultiOp[];
}

/**
 * What makes the subtree at `top` that of `znodes`, as it is now. Nothing is written.
 * @param options.counters created znodes go on with their sequence numbers; for admins
 * @throws CopseError NO_AUTH where something may not be read; BAD_ARGUMENTS where a znode is of another kind now, or would go and has ephemerals
 * @example
 * const { carrySubtree } = await import("@copse/client/subtree");
 * const { created, changed, deleted } = await planRestore(copse, "/app", (await carrySubtree(copse, "/app")).znodes);
 */
export async function planRestore(
  copse: Copse,
  top: string,
  znodes: readonly CarriedZnode[],
  { counters = false }: { readonly counters?: boolean } = {},
): Promise<RestorePlan> {
  const there = await present(copse, top);
  const wanted = new Map(znodes.filter(({ isEphemeral }) => isEphemeral !== true).map((znode) => [absolutePath(top, znode.path), znode]));
  const begun = counters ? beginnings(znodes) : new Map<string, number>();
  const created: string[] = [];
  const changed: string[] = [];
  const ops: MultiOp[] = [];
  for (const [path, znode] of wanted) {
    const now = there.get(path);
    if (now === undefined) {
      created.push(path);
      const { kind, data, defaultAcl } = znode;
      const counter = begun.get(znode.path) ?? 0;
      ops.push({ op: "create", path, data, ...kind, ...(counter === 0 ? {} : { counter }) });
      if (defaultAcl !== undefined) ops.push({ op: "setAcl", path, default: defaultAcl });
      continue;
    }
    checkKind(path, znode, now);
    const changes = await changesOf(copse, path, znode, now);
    if (changes.length > 0) changed.push(path);
    ops.push(...changes);
  }
  const deleted = [...there]
    .filter(([path, { stat }]) => !wanted.has(path) && stat.ephemeralOwner === null && path !== "/")
    .map(([path]) => path);
  const goes = new Set(deleted);
  for (const [path, { stat }] of there) {
    if (stat.ephemeralOwner === null || !goes.has(parentOf(path))) continue;
    throw new CopseError("BAD_ARGUMENTS", "its parent would be deleted, but this znode is ephemeral: end its session first", { path });
  }
  // Children before their parents.
  const deletions = [...deleted].reverse().map((path) => ({ op: "delete", path, version: there.get(path)!.stat.version }) as const);
  return { created, changed, deleted, ops: [...deletions, ...ops] };
}

/**
 * Does what was planned, all of it or nothing; missing ancestors of the top are created before it.
 * @throws CopseError BAD_VERSION, NO_NODE, NODE_EXISTS or NOT_EMPTY where somebody came between; TOO_LARGE where it is more than one txn may hold
 * @example
 * const { carrySubtree } = await import("@copse/client/subtree");
 * const { znodes } = await carrySubtree(copse, "/app");
 * await copse.set("/app", "by mistake");
 * await restoreSubtree(copse, "/app", await planRestore(copse, "/app", znodes));
 */
export async function restoreSubtree(copse: Copse, top: string, { ops }: RestorePlan): Promise<void> {
  const parent = parentOf(top);
  if (ops.length === 0) return;
  if (parent !== "/" && (await copse.exists(parent)) === null) {
    await copse.create(parent, null, { parents: true }).catch((error: unknown) => {
      if (!isCopseError(error, "NODE_EXISTS")) throw error;
    });
  }
  await copse.multi(ops);
}

/** What is there, by path, parents first. */
async function present(copse: Copse, top: string): Promise<ReadonlyMap<string, LiveZnode>> {
  try {
    const all = await readSubtree(copse, top);
    return new Map(all.filter(({ path }) => path !== "/copse" && !path.startsWith("/copse/")).map((znode) => [znode.path, znode]));
  } catch (error) {
    if (isCopseError(error, "NO_NODE")) return new Map();
    throw error;
  }
}

function checkKind(path: string, { kind = {} }: CarriedZnode, { stat }: LiveZnode): void {
  const isSame = (kind.ttl ?? null) === (stat.ttl ?? null) && (kind.container ?? false) === (stat.container ?? false);
  if (!isSame || stat.ephemeralOwner !== null)
    throw new CopseError("BAD_ARGUMENTS", "a znode of another kind has its place now: delete it first", { path });
}

async function changesOf(copse: Copse, path: string, wanted: CarriedZnode, now: LiveZnode): Promise<readonly MultiOp[]> {
  if (now.isDenied) throw new CopseError("NO_AUTH", "its data may not be read", { path });
  // The root's data is nobody's.
  const isSame = path === "/" || isSameData(wanted.data, now.bytes ?? now.data);
  const set: readonly MultiOp[] = isSame ? [] : [{ op: "set", path, data: wanted.data, version: now.stat.version }];
  if (wanted.kind?.acl === undefined && wanted.defaultAcl === undefined) return set;
  const { acl, default: handedOn, stat } = await copse.getAcl(path);
  const changes = {
    ...(wanted.kind?.acl === undefined || isSameAcl(wanted.kind.acl, acl) ? {} : { acl: wanted.kind.acl }),
    ...(isSameAcl(wanted.defaultAcl ?? [], handedOn ?? []) ? {} : { default: wanted.defaultAcl ?? [] }),
  };
  return Object.keys(changes).length === 0 ? set : [...set, { op: "setAcl", path, ...changes, version: stat.aversion }];
}

function isSameData(one: CarriedZnode["data"], other: CarriedZnode["data"]): boolean {
  if (!(one instanceof Uint8Array) || !(other instanceof Uint8Array)) return (one ?? null) === (other ?? null);
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function isSameAcl(one: readonly AclItem[], other: readonly AclItem[]): boolean {
  const textOf = (items: readonly AclItem[]): string =>
    items
      .map(({ scheme, id, perms }) => `${scheme} ${id} ${[...perms].sort().join()}`)
      .sort()
      .join("\n");
  return textOf(one) === textOf(other);
}
