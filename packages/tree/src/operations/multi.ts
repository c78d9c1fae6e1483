/**
 * A user's atomic batch: each op sees those before it; all share one zxid; if one fails, none has happened.
 */
import type { Multi, Refusal } from "@copse/protocol";
import type { Caller } from "../access/acl.ts";
import { isMembers, type Members, operate, type Work } from "./operation.ts";

/** @returns the results, or the refusal of the first op that failed, with its index */
export function operateAll(work: Work, multi: Multi, caller: Caller, session: string): Members | Refusal {
  const results: string[] = [];
  let refusal: Refusal | null = null;
  work.tree.atomically(() => {
    for (const [index, op] of multi.ops.entries()) {
      const result = operate(work, op, caller, session);
      if (!isMembers(result)) {
        refusal = { ...result, index };
        return false;
      }
      const members = typeof result === "string" ? result : result.members;
      results.push(`{${members.slice(1)}}`);
    }
    return true;
  });
  return refusal ?? `,"results":[${results.join(",")}]`;
}
