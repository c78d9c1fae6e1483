/**
 * A user's atomic batch: each op sees those before it; all share one zxid; if one fails, none has happened.
 */
import { isRefusal, type Multi, type Refusal, type WriteResult } from "@copse/protocol";
import type { Caller } from "../access/acl.ts";
import { operate, type Work } from "./operation.ts";

/** @returns the results, or the refusal of the first op that failed, with its index */
export function operateAll(work: Work, multi: Multi, caller: Caller, session: string): WriteResult | Refusal {
  const results: WriteResult[] = [];
  let refusal: Refusal | null = null;
  work.tree.atomically(() => {
    for (const [index, op] of multi.ops.entries()) {
      const result = operate(work, op, caller, session);
      if (isRefusal(result)) {
        refusal = { ...result, index };
        return false;
      }
      results.push(result);
    }
    return true;
  });
  return refusal ?? { results };
}
