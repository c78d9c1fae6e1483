/** Known ways to be wrong. */
export interface Mutation {
  readonly name: string;
  readonly what: string;
  /** One that caught it, or null where none has yet. */
  readonly seed: number | null;
  /** What of the bundle runs a seed; `runSeed` where it is absent. */
  readonly runs?: string;
  readonly patches: readonly { readonly file: string; readonly from: string; readonly to: string }[];
}

export const mutations: readonly Mutation[];
