/** Each mutation on the seed that caught it: `pnpm mutations` looks for others. */
import { describe, expect, it } from "vitest";
import { mutations } from "./list.js";
import { tryMutation } from "./run.js";

describe("the simulator", () => {
  for (const mutation of mutations) {
    const { name, what, seed } = mutation;
    if (seed === null) continue;
    it(`notices ${name}: ${what}`, async () => {
      expect(await tryMutation(mutation, seed, 1)).toMatchObject({ seed, failure: expect.any(String) });
    });
  }
});
