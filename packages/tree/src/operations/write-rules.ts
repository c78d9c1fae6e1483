/**
 * Writing the document of rules: a plain znode that admins alone create, set and delete, and never inside a multi.
 */
import {
  type Create,
  type Delete,
  type Refusal,
  refuse,
  rulesPath,
  type SetValue,
  StatReply,
  type Write,
  type WriteResult,
} from "@copse/protocol";
import { type Caller, open } from "../access/acl.ts";
import { isAdmin } from "../access/permission.ts";
import { Rules } from "../access/rules.ts";
import { documentOf } from "../access/rules-document.ts";
import { persistent, statOf } from "../znode.ts";
import type { Work } from "./operation.ts";

export type RulesWrite = Create | SetValue | Delete;

/** True for a write of the rules; a sequential create makes another znode. */
export function isRulesWrite(write: Write): write is RulesWrite {
  if (write.op === "create") return write.path === rulesPath && !write.isSequential;
  return (write.op === "set" || write.op === "delete") && write.path === rulesPath;
}

export function writeRules(work: Work, write: RulesWrite, caller: Caller, isWorldAdmin: boolean): WriteResult | Refusal {
  const { tree } = work;
  if (!isAdmin(tree, caller, isWorldAdmin)) return refuse("NO_AUTH", "needs the permission to administer the root", rulesPath);
  const znode = tree.find(rulesPath);
  if (write.op === "create") {
    if (write.isEphemeral || write.isContainer || write.ttl !== null || write.acl !== null)
      return refuse("BAD_ARGUMENTS", "the rules are a plain znode, and only admins see it", rulesPath);
    if (znode !== undefined) return refuse("NODE_EXISTS", "the znode exists", rulesPath);
  } else {
    if (znode === undefined) return refuse("NO_NODE", "the znode does not exist", rulesPath);
    if (write.version !== -1 && write.version !== znode.version)
      return { ...refuse("BAD_VERSION", "the znode has another version", rulesPath), stat: statOf(znode) };
  }
  if (write.op === "delete") {
    work.remove(rulesPath, znode!);
    return {};
  }
  const document = documentOf(write.value);
  if (typeof document === "string") return refuse("BAD_ARGUMENTS", document, rulesPath);
  const rules = document === null ? null : new Rules(document);
  if (!isAdmin({ rules, root: tree.root }, caller, isWorldAdmin))
    return refuse("BAD_ARGUMENTS", "rules: the caller would no longer be an admin", rulesPath);
  if (write.op === "set") return new StatReply(work.zxid, null, work.setValue(rulesPath, znode!, write.value));
  const parent = tree.find(rulesPath.slice(0, rulesPath.lastIndexOf("/")))!;
  const born = { value: write.value, acl: open, kind: persistent };
  return new StatReply(work.zxid, rulesPath, work.create(rulesPath, parent, born));
}
