/**
 * Immer drafts for `update`: `copse.update(Web, edit((draft) => { draft.limit += 1; }))`.
 */
import { type Draft, produce } from "immer";

/** Turns a recipe that changes a draft into one that gives the next value. */
export function edit<T>(recipe: (draft: Draft<T>) => void): (value: T) => T {
  return (value) => produce(value, recipe);
}
