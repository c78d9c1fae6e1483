/**
 * The operations on znodes: first every check, in ZooKeeper's order (SPEC.md), then the change.
 *
 * Invariant: an operation that refuses has changed nothing. It speaks to one `Work`: the zxid and time that its changes
 * will carry, and the list of changes that watches and subscriptions will hear of.
 */
import {
  type Check,
  type Create,
  type Delete,
  isRefusal,
  isReserved,
  joinPath,
  nameOf,
  parentOf,
  quotaRoot,
  type Refusal,
  refuse,
  type SetAcl,
  type SetValue,
  type SingleWrite,
  type Stat,
  StatReply,
  sequenceSuffix,
  type Value,
  type WriteResult,
} from "@copse/protocol";
import { type Acl, type Caller, expandAcl, mayDo } from "../access/acl.ts";
import { isAdmin, permits } from "../access/permission.ts";
import type { CreatorBudget } from "../creators.ts";
import type { Tree } from "../tree.ts";
import { type Kind, kindOf, pathOf, persistent, statOf, Znode } from "../znode.ts";
import type { Change } from "./change.ts";
import { governedBy, isQuotaPath, quotaOf, quotasMax } from "./quota.ts";
import { dataRefusal, ruleRefusal } from "./rule-check.ts";

/** An op that answers nothing but that it was done. */
const done: WriteResult = {};

/** The changes of one txn while it is being applied. */
export class Work {
  readonly tree: Tree;
  /** The zxid that this txn takes if it succeeds. */
  readonly zxid: number;
  #changes: Change[] = [];
  /** Parents whose child list changed, by path. */
  #parents: Map<string, Znode> | null = null;
  /** The format of the txn: by which rules it is judged. */
  readonly format: number;
  /** Ancestors that `parents` has created in this txn. */
  ancestors = 0;
  /** Whose what it creates is, and how much of that they may have. */
  readonly budget: CreatorBudget | null;
  /** Whether what the root's ACL grants to everyone makes an admin. */
  readonly isWorldAdmin: boolean;

  constructor(tree: Tree, format = 1, budget: CreatorBudget | null = null, isWorldAdmin = false) {
    this.budget = budget;
    this.isWorldAdmin = isWorldAdmin;
    this.tree = tree;
    this.zxid = tree.zxid + 1;
    this.format = format;
  }

  create(path: string, parent: Znode, born: { value: Value | null; acl: Acl; kind: Kind }, counter = 0): Stat {
    const { tree, zxid } = this;
    const creator = this.budget === null ? null : tree.creators.of(this.budget.creator);
    const znode = new Znode({ name: nameOf(path), parent, zxid, time: tree.time, creator, ...born });
    if (counter > 0) znode.becomeParent().creations = counter;
    tree.attach(znode, path, zxid);
    this.#touched(path, parent);
    return this.#note("created", path, znode);
  }

  remove(path: string, znode: Znode): void {
    const parent = znode.parent!;
    this.tree.detach(znode, path, this.zxid);
    this.#parents?.delete(path);
    this.#touched(path, parent);
    this.#add({ kind: "deleted", path, value: null, stat: null, acl: znode.acl, before: null, parentAcl: parent.acl });
  }

  setValue(path: string, znode: Znode, value: Value | null): Stat {
    this.tree.setValue(znode, path, value, this.zxid);
    return this.#note("changed", path, znode);
  }

  setAcl(path: string, znode: Znode, acl: Acl): Stat {
    const before = znode.acl;
    this.tree.setAcl(znode, path, acl);
    return this.#note("acl", path, znode, before);
  }

  /** Adds, after the changes of the ops, the new stat of each parent whose child list changed and that is still there. */
  finish(): readonly Change[] {
    if (this.#parents !== null) for (const [path, parent] of this.#parents) this.#note("children", path, parent);
    return this.#changes;
  }

  #touched(path: string, parent: Znode): void {
    this.#parents ??= new Map();
    this.#parents.set(parentOf(path), parent);
  }

  #note(kind: Change["kind"], path: string, znode: Znode, before: Acl | null = null): Stat {
    const stat = statOf(znode);
    this.#add({ kind, path, value: znode.value, stat, acl: znode.acl, before, parentAcl: znode.parent?.acl ?? null });
    return stat;
  }

  /** Most txns have one change, the history keeps it, and a push into an empty array makes room for seventeen. */
  #add(change: Change): void {
    if (this.#changes.length === 0) this.#changes = [change];
    else this.#changes.push(change);
  }
}

/** Runs one operation for a caller whose session is `session`. */
export function operate(work: Work, write: SingleWrite, caller: Caller, session: string): WriteResult | Refusal {
  const refusal = ruleRefusal(work.tree, write, caller);
  if (refusal !== null) return refusal;
  switch (write.op) {
    case "create":
      return create(work, write, caller, session);
    case "set":
      return set(work, write, caller);
    case "delete":
      return write.isRecursive ? deleteRecursively(work, write, caller) : remove(work, write, caller);
    case "setAcl":
      return setAcl(work, write, caller);
    case "check":
      return check(work, write, caller);
  }
}

/** Ancestors that one txn may create on the way to its znodes. */
const ancestorsMax = 10_000;

function create(work: Work, write: Create, caller: Caller, session: string): WriteResult | Refusal {
  const { tree } = work;
  const pathAsked = write.isSequential ? `${write.path}0` : write.path;
  const isQuota = isQuotaPath(pathAsked);
  if (isReserved(pathAsked) && !isQuota) return reserved(write.path);
  const fault = isQuota ? quotaFault(write) : null;
  if (fault !== null) return refuse("BAD_ARGUMENTS", fault, write.path);
  const given = write.acl === null ? null : expandAcl(write.acl, caller, write.path, work.format);
  if (given !== null && isRefusal(given)) return given;
  const parentPath = parentOf(pathAsked);
  const { znode: nearest, missing } = tree.findNearest(parentPath);
  let parent = nearest;
  if (missing.length > 0 && !write.parents) return refuse("NO_NODE", "the parent does not exist", parentPath);
  if (!mayDo(parent.acl, "create", caller)) return noAuth("create", write.path);
  const path = write.isSequential ? write.path + sequenceSuffix(missing.length > 0 ? 0 : parent.creations) : write.path;
  if (path === "/" || (missing.length === 0 && parent.child(nameOf(path)) !== undefined))
    return refuse("NODE_EXISTS", "the znode exists", path);
  if (parent.kind.owner !== null) return refuse("NO_CHILDREN_FOR_EPHEMERALS", "an ephemeral has no children", path);
  if (write.counter !== undefined && !isAdmin(tree, caller, work.isWorldAdmin)) {
    return refuse("NO_AUTH", "counter is for those who may administer the root", path);
  }
  const ephemerals = tree.sessions.get(session)?.ephemerals.size ?? 0;
  if (write.isEphemeral && ephemerals >= tree.limits.ephemerals) {
    return refuse("QUOTA_EXCEEDED", `a session has at most ${tree.limits.ephemerals} ephemerals`, path);
  }
  if (work.ancestors + missing.length > ancestorsMax) {
    return refuse("TOO_LARGE", `parents creates at most ${ancestorsMax} ancestors in one txn`, path);
  }
  const full = isQuota
    ? quotaRefusal(work, path, write.value, caller)
    : tree.quotas.exceeded(path, missing.length + 1, write.value?.bytes ?? 0);
  if (full !== null) return typeof full === "string" ? quotaExceeded(path, full) : full;
  const dataFault = dataRefusal(tree, path, "create", caller, { ...write, before: null });
  if (dataFault !== null) return dataFault;
  const more = { znodes: missing.length + 1, bytes: write.value?.bytes ?? 0, ephemerals: write.isEphemeral ? 1 : 0 };
  const beyond = work.budget === null ? null : tree.creators.exceeded(work.budget, more);
  if (beyond !== null) return refuse("QUOTA_EXCEEDED", `whoever creates here has ${beyond}`, path);
  work.ancestors += missing.length;
  const inherited = tree.acls.inherited(parent.acl);
  if (missing.length > 0) {
    let above = pathOf(parent);
    for (const name of missing) {
      above = joinPath(above, name);
      work.create(above, parent, { value: null, acl: inherited, kind: persistent });
      parent = parent.child(name)!;
    }
  }
  const acl = given === null ? inherited : tree.acls.of(given, null);
  const { value, isEphemeral, isContainer, ttl } = write;
  const kind = kindOf(isEphemeral ? session : null, ttl ?? 0, isContainer);
  return new StatReply(work.zxid, path, work.create(path, parent, { value, acl, kind }, write.counter));
}

function set(work: Work, write: SetValue, caller: Caller): WriteResult | Refusal {
  const { path, version, value } = write;
  if (isReserved(path) && !isQuotaPath(path)) return reserved(path);
  const quota = isQuotaPath(path) ? quotaOf(value) : null;
  if (typeof quota === "string") return refuse("BAD_ARGUMENTS", quota, path);
  const znode = work.tree.find(path);
  if (znode === undefined) return noNode(path);
  if (!mayDo(znode.acl, "write", caller)) return noAuth("write", path);
  if (version !== -1 && version !== znode.version) return badVersion(work, path, znode, caller);
  const longer = (value?.bytes ?? 0) - (znode.value?.bytes ?? 0);
  const full = isQuotaPath(path) ? quotaRefusal(work, path, value, caller) : work.tree.quotas.exceeded(path, 0, longer);
  if (full !== null) return typeof full === "string" ? quotaExceeded(path, full) : full;
  const dataFault = dataRefusal(work.tree, path, "write", caller, { isEphemeral: false, value, before: znode.value });
  if (dataFault !== null) return dataFault;
  const isOwn = work.budget !== null && znode.creator?.key === work.budget.creator;
  const beyond = isOwn ? work.tree.creators.exceeded(work.budget, { znodes: 0, bytes: longer, ephemerals: 0 }) : null;
  if (beyond !== null) return refuse("QUOTA_EXCEEDED", `whoever created it has ${beyond}`, path);
  return new StatReply(work.zxid, null, work.setValue(path, znode, write.value));
}

function setAcl(work: Work, write: SetAcl, caller: Caller): WriteResult | Refusal {
  const { path, version } = write;
  if (isReserved(path) && !isQuotaPath(path)) return reserved(path);
  const { acls } = work.tree;
  const items = write.acl === null ? null : expandAcl(write.acl, caller, path, work.format);
  if (items !== null && isRefusal(items)) return items;
  const given = write.defaultAcl ?? null;
  const defaults = given === null || given.length === 0 ? null : expandAcl(given, caller, path, Math.max(work.format, 3));
  if (defaults !== null && isRefusal(defaults)) return defaults;
  const znode = work.tree.find(path);
  if (znode === undefined) return noNode(path);
  if (!mayDo(znode.acl, "admin", caller)) return noAuth("admin", path);
  if (version !== -1 && version !== znode.aversion) return badVersion(work, path, znode, caller);
  const acl = acls.of(items ?? znode.acl.items, given === null ? znode.acl.defaultItems : defaults);
  if (path === "/" && work.format >= 3 && !mayDo(acl, "admin", caller)) {
    return refuse("BAD_ARGUMENTS", "acl: the caller would lose admin on the root", path);
  }
  return new StatReply(work.zxid, null, work.setAcl(path, znode, acl));
}

function check(work: Work, write: Check, caller: Caller): WriteResult | Refusal {
  const { path, version } = write;
  const znode = work.tree.find(path);
  if (znode === undefined) return noNode(path);
  if (!mayDo(znode.acl, "read", caller)) return noAuth("read", path);
  return version !== -1 && version !== znode.version ? badVersion(work, path, znode, caller) : done;
}

/** The checks of a delete up to and including the version. */
function deletable(work: Work, write: Delete, caller: Caller): Znode | Refusal {
  const { path, version } = write;
  // The quotas' own root stays: what is above it is not for clients to change.
  if (path === "/" || (isReserved(path) && (!isQuotaPath(path) || path === quotaRoot))) return reserved(path);
  const parent = work.tree.find(parentOf(path));
  if (parent === undefined) return noNode(path);
  if (!mayDo(parent.acl, "delete", caller)) return noAuth("delete", path);
  const znode = parent.child(nameOf(path));
  if (znode === undefined) return noNode(path);
  if (isQuotaPath(path) && !mayGovern(work, path, caller)) return noAuth("admin", governedBy(path));
  return version !== -1 && version !== znode.version ? badVersion(work, path, znode, caller) : znode;
}

function remove(work: Work, write: Delete, caller: Caller): WriteResult | Refusal {
  const znode = deletable(work, write, caller);
  if (isRefusal(znode)) return znode;
  if (znode.numChildren > 0) return refuse("NOT_EMPTY", "the znode has children", write.path);
  work.remove(write.path, znode);
  return done;
}

function deleteRecursively(work: Work, write: Delete, caller: Caller): WriteResult | Refusal {
  const { path } = write;
  const top = deletable(work, write, caller);
  if (isRefusal(top)) return top;
  const count = top.descendants + 1;
  const max = work.tree.limits.recursiveDeletes;
  if (count > max) return refuse("TOO_LARGE", `a recursive delete removes at most ${max} znodes; this one would delete ${count}`, path);
  const doomed: Znode[] = [];
  const stack: { readonly znode: Znode; readonly items: Iterator<Znode, undefined> | null }[] = [unvisited(top)];
  while (stack.length > 0) {
    const { znode, items } = stack[stack.length - 1]!;
    const next = items?.next();
    if (next !== undefined && !next.done) {
      stack.push(unvisited(next.value));
      continue;
    }
    if (znode.numChildren > 0 && !mayDo(znode.acl, "delete", caller)) {
      return noAuth("delete", work.format >= 3 ? visiblePath(work, znode, top, path, caller) : pathOf(znode));
    }
    doomed.push(znode);
    stack.pop();
  }
  const paths = doomed.map(pathOf);
  const kept = isQuotaPath(path) ? paths.find((at) => !mayGovern(work, at, caller)) : undefined;
  if (kept !== undefined) return noAuth("admin", governedBy(kept));
  for (const [at, znode] of doomed.entries()) work.remove(paths[at]!, znode);
  return { deleted: count };
}

/** The path of a znode below `top`, as far down as the caller may list. */
function visiblePath({ tree }: Work, znode: Znode, top: Znode, path: string, caller: Caller): string {
  let visible = znode;
  for (let at = znode; at !== top; at = at.parent!) {
    const isListed = mayDo(at.parent!.acl, "read", caller) && tree.rules?.grants(pathOf(at), "read", caller) !== false;
    if (!isListed) visible = at.parent!;
  }
  return visible === top ? path : pathOf(visible);
}

function unvisited(znode: Znode): { readonly znode: Znode; readonly items: Iterator<Znode, undefined> | null } {
  return { znode, items: znode.children === null ? null : znode.children.after(null) };
}

/** A quota is a plain znode, of a path that is not reserved itself. */
function quotaFault(write: Create): string | null {
  const { path, value, isEphemeral, isSequential, isContainer, ttl } = write;
  if (isEphemeral || isSequential || isContainer || ttl !== null) return "a quota is a plain znode";
  if (isReserved(path.slice(quotaRoot.length))) return "what is reserved has no quota";
  const quota = quotaOf(value);
  return typeof quota === "string" ? quota : null;
}

/** Quotas are made by whoever is admin of what they bound, or of the nearest znode above it. They are not bounded themselves. */
function mayGovern({ tree }: Work, path: string, caller: Caller): boolean {
  const governed = governedBy(path);
  return permits(tree, "admin", governed, tree.findNearest(governed).znode.acl, caller);
}

function quotaRefusal(work: Work, path: string, value: Value | null, caller: Caller): Refusal | null {
  if (!mayGovern(work, path, caller)) return noAuth("admin", governedBy(path));
  const { quotas } = work.tree;
  const isNew = value !== null && !quotas.has(governedBy(path));
  return isNew && quotas.size >= quotasMax ? refuse("QUOTA_EXCEEDED", `there are at most ${quotasMax} quotas`, path) : null;
}

function quotaExceeded(path: string, full: string): Refusal {
  return refuse("QUOTA_EXCEEDED", `the quota of ${full} is used up`, path);
}

function noNode(path: string): Refusal {
  return refuse("NO_NODE", "the znode does not exist", path);
}

function noAuth(permission: string, path: string): Refusal {
  return refuse("NO_AUTH", `needs the permission to ${permission}`, path);
}

function reserved(path: string): Refusal {
  return refuse("BAD_ARGUMENTS", "the path is reserved", path);
}

/** Carries the present stat where the caller may read the znode. */
function badVersion({ tree }: Work, path: string, znode: Znode, caller: Caller): Refusal {
  const refusal = refuse("BAD_VERSION", "the znode has another version", path);
  return permits(tree, "read", path, znode.acl, caller) ? { ...refusal, stat: statOf(znode) } : refusal;
}

/** Removes the ephemerals of a session that ends, in path order. */
export function removeEphemerals(work: Work, paths: Iterable<string>): void {
  for (const path of [...paths]) {
    const znode = work.tree.find(path);
    if (znode !== undefined) work.remove(path, znode);
  }
}
