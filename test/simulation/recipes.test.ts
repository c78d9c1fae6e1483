/** The recipes under faults: `pnpm simulate --recipes --seeds N` runs others. */
import { describe, expect, it } from "vitest";
import { runRecipes } from "./recipes.ts";

const seedsMax = process.env["COPSE_FULL"] === "1" ? 1_000 : 60;
const batch = 20;

describe("recipes under faults", () => {
  for (let first = 1; first <= seedsMax; first += batch) {
    it(`have one holder, growing tokens, no ghost and no sleeper: seeds ${first} to ${first + batch - 1}`, async () => {
      for (let seed = first; seed < first + batch; seed++) {
        const { failure } = await runRecipes(seed);
        expect([seed, failure]).toEqual([seed, null]);
      }
    });
  }

  it("do the same again from the same seed", async () => {
    expect(await runRecipes(7)).toEqual(await runRecipes(7));
  });
});
