/**
 * Each mutation on the seed that caught it. A change of the product's timing deals every seed anew, so a seed that catches nothing any more
 * is no failure until its neighbours catch nothing either: `pnpm mutations` finds the next one to write down.
 */
import { describe, expect, it } from "vitest";
import { mutations } from "./list.js";
import { tryMutation } from "./run.js";

const neighbours = 70;

describe("the simulator", () => {
  for (const mutation of mutations) {
    const { name, what, seed } = mutation;
    if (seed === null) continue;
    it(`notices ${name}: ${what}`, async () => {
      const caught = (await tryMutation(mutation, seed, 1)) ?? (await tryMutation(mutation, 1, neighbours));
      expect(caught).toMatchObject({ seed: expect.any(Number), failure: expect.any(String) });
    });
  }
});
