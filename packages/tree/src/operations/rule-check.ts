/**
 * What rules have against an operation on znodes, before the tree is looked at: NO_AUTH, whether or not there is a znode.
 *
 * Rules are asked for each path that the operation would make or remove: a sequential create with its suffix, the ancestors that `parents`
 * makes, all that a recursive delete takes. What a session's end, its expiry or the reaper removes is never asked.
 */
import {
  type Create,
  type Delete,
  isReserved,
  joinPath,
  type Permission,
  parentOf,
  type Refusal,
  refuse,
  type SingleWrite,
  sequenceSuffix,
  type Value,
} from "@copse/protocol";
import type { Caller } from "../access/acl.ts";
import type { Rules } from "../access/rules.ts";
import type { Tree } from "../tree.ts";
import { pathOf, type Znode } from "../znode.ts";
import { isQuotaPath } from "./quota.ts";

/** The permission that each op asks for on its own path. */
const asked: Readonly<Record<SingleWrite["op"], Permission>> = {
  create: "create",
  set: "write",
  delete: "delete",
  setAcl: "admin",
  check: "read",
};

/** Why the rules refuse the operation, or null where they do not, or there are none. */
export function ruleRefusal(tree: Tree, write: SingleWrite, caller: Caller): Refusal | null {
  const { rules } = tree;
  if (rules === null) return null;
  if (write.op === "create") return createRefusal(tree, rules, write, caller);
  if (!rules.grants(write.path, asked[write.op], caller)) return noAuth(asked[write.op], write.path);
  return write.op === "delete" && write.isRecursive ? recursiveRefusal(tree, rules, write, caller) : null;
}

function createRefusal(tree: Tree, rules: Rules, write: Create, caller: Caller): Refusal | null {
  const path = madePath(tree, write);
  if (!rules.grants(path, "create", caller, { isEphemeral: write.isEphemeral })) return noAuth("create", write.path);
  if (!write.parents || isReserved(path)) return null;
  const { znode, missing } = tree.findNearest(parentOf(path));
  let above = missing.length === 0 ? "" : pathOf(znode);
  for (const name of missing) {
    above = joinPath(above, name);
    if (!rules.grants(above, "create", caller)) return noAuth("create", write.path);
  }
  return null;
}

/** The path that a create makes. */
function madePath(tree: Tree, { path, isSequential }: Create): string {
  if (!isSequential) return path;
  const parent = tree.find(parentOf(`${path}0`));
  return path + sequenceSuffix(parent?.creations ?? 0);
}

/** As many as one recursive delete may take are asked; where there are more, it is refused for that. */
function recursiveRefusal(tree: Tree, rules: Rules, { path }: Delete, caller: Caller): Refusal | null {
  const top = tree.find(path);
  if (top === undefined || top.descendants >= tree.limits.recursiveDeletes || isReserved(path)) return null;
  const stack: { readonly path: string; readonly znode: Znode }[] = [{ path, znode: top }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    for (const child of next.znode.children?.after(null) ?? []) {
      const below = joinPath(next.path, child.name);
      // What is hidden has no name here either.
      if (!rules.grants(below, "delete", caller)) return noAuth("delete", path);
      if (child.numChildren > 0) stack.push({ path: below, znode: child });
    }
  }
  return null;
}

/** QUOTA_EXCEEDED where no rule that grants the write takes so many bytes of data, and there were fewer before. */
export function dataRefusal(
  { rules }: Tree,
  path: string,
  permission: "create" | "write",
  caller: Caller,
  brought: { readonly isEphemeral: boolean; readonly value: Value | null; readonly before: Value | null },
): Refusal | null {
  const bytes = brought.value?.bytes ?? 0;
  if (rules === null || bytes <= (brought.before?.bytes ?? 0) || isQuotaPath(path)) return null;
  return rules.isTooMuchData(path, permission, caller, brought, bytes)
    ? refuse("QUOTA_EXCEEDED", "the rules allow less data here", path)
    : null;
}

function noAuth(permission: Permission, path: string): Refusal {
  return refuse("NO_AUTH", `needs the permission to ${permission}`, path);
}
