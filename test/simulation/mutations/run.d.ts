/** Mutations against the simulator. */
import type { Mutation } from "./list.js";

export interface Caught {
  readonly seed: number;
  readonly failure: string;
}

export function tryMutation(mutation: Mutation | null, first: number, count: number): Promise<Caught | null>;
