/**
 * Immer drafts for `update`: `copse.update(Web, edit((draft) => { draft.limit += 1; }))`.
 */
import { type Draft, produce } from "immer";
import { CopseError } from "./errors.ts";

/**
 * Turns a recipe that changes a draft into one that gives the next value.
 * @throws CopseError NO_NODE, when it is called, where there is no znode and `update` has no `initial` value
 * @example await copse.update(Web, edit((draft) => { draft.limit += 1; }), { initial: { limit: 0 } });
 */
export function edit<T>(recipe: (draft: Draft<T>) => void): (value: T | undefined) => T {
  return (value) => {
    if (value === undefined) throw new CopseError("NO_NODE", "there is nothing to edit: give update an initial value");
    return produce(value, recipe);
  };
}
