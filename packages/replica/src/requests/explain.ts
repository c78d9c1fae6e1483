/**
 * explain: whether a caller may do something at a path, and why.
 *
 * Invariant: it tells nobody what a read would not. Others than admins see an ACL only where `getAcl` shows it, and for a path that is hidden
 * they are told the same as for one that is missing.
 */
import { type Explain, type Explanation, type Fields, type Refusal, refuse } from "@copse/protocol";
import { type Caller, mayDo, passesAll, shownAcl, type Tree, type Znode } from "@copse/tree";
import { mayReadAcl, type Reader } from "./reader.ts";

/** Ops ask the ACL of the parent whether a child may come or go. */
const asksParent: ReadonlySet<string> = new Set(["create", "delete"]);

export function explain(tree: Tree, { path, perm, as }: Explain, reader: Reader): Fields | Refusal {
  if (as !== null && !reader.isAdmin) return refuse("NO_AUTH", "needs the permission to administer the root", "/");
  const caller: Caller = as === null ? reader.caller : { identities: as, address: "" };
  return reader.replies.result("explain", explanation(tree, path, perm, caller, reader));
}

function explanation(tree: Tree, path: string, perm: Explain["perm"], caller: Caller, reader: Reader): Explanation {
  if (passesAll(caller)) return { allowed: true, because: "super and the configured admins may do everything" };
  const { rules } = tree;
  const matched = rules?.explain(path, perm, caller) ?? [];
  const told = rules === null ? {} : { rules: matched };
  if (rules !== null && !rules.grants(path, perm, caller)) {
    const onCondition = matched.some(({ granted }) => granted);
    return {
      allowed: false,
      ...told,
      because: onCondition ? "a rule grants it to ephemerals alone" : whyNot(rules.otherwise, matched.length),
    };
  }
  const asked = asksParent.has(perm) && path !== "/" ? tree.findNearest(path.slice(0, Math.max(1, path.lastIndexOf("/")))).znode : null;
  const znode = tree.find(path);
  const judged = asked ?? znode;
  const mayKnow = reader.isAdmin || (judged !== undefined && mayReadAcl(tree, judged, pathOfJudged(path, judged, asked), reader));
  // A path that is hidden by its ACL and one that is missing look alike.
  if (judged === undefined || !mayKnow) {
    const isAllowed = judged !== undefined && mayDo(judged.acl, perm, caller);
    const because = isAllowed ? "the znode's ACL grants it" : "there is no znode at this path, or its ACL does not grant it";
    return { allowed: isAllowed, ...told, because };
  }
  const isAllowed = mayDo(judged.acl, perm, caller);
  const whose = asked === null ? "the znode's" : "the parent's";
  const because = `${whose} ACL ${isAllowed ? "grants" : "does not grant"} it${rules === null ? "" : isAllowed ? ", and so do the rules" : ", though the rules do"}`;
  return { allowed: isAllowed, ...told, acl: shownAcl(judged.acl, reader.caller).items, because };
}

function whyNot(otherwise: "allow" | "deny", matching: number): string {
  return matching > 0 ? "no rule of those that match grants it" : `no rule matches, and otherwise they ${otherwise}`;
}

function pathOfJudged(path: string, judged: Znode, asked: Znode | null): string {
  if (asked === null) return path;
  return judged.parent === null ? "/" : path.slice(0, Math.max(1, path.lastIndexOf("/")));
}
