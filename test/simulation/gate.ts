/**
 * The gate for each change: so many seeds without a failure. `pnpm simulate` runs any others, `pnpm test:full` more.
 */
import { describe, expect, it } from "vitest";
import { runSeed } from "./run.ts";

const seedsMax = process.env["COPSE_FULL"] === "1" ? 2_000 : 300;
/** Seeds of one test: a failure names its seed, and the report stays short. */
const batch = 25;
const firstSeed = 10_000;
/** Seeds that are others each day: what is rare is met sooner, and the test's name says which to run again. */
const seedsOfDay = 10;

export async function expectNoFailure(seeds: readonly number[]): Promise<void> {
  for (const seed of seeds) {
    const { failure } = await runSeed(seed);
    expect([seed, failure]).toEqual([seed, null]);
  }
}

/** Seeds of today, in UTC. */
export function gateOfDay(): void {
  const first = 1_000_000 + Math.floor(Date.now() / 86_400_000) * 100;
  describe("simulated ensembles of today", () => {
    const seeds = Array.from({ length: seedsOfDay }, (_, step) => first + step);
    const last = first + seedsOfDay - 1;
    it(`keep every invariant under faults: seeds ${first} to ${last} (pnpm simulate --seed N)`, async () => {
      console.log(`seeds of today: ${first} to ${last}`);
      await expectNoFailure(seeds);
    });
  });
}

/** One half of the gate. */
export function gate(half: 0 | 1): void {
  describe("simulated ensembles", () => {
    for (let at = half * batch; at < seedsMax; at += 2 * batch) {
      const first = firstSeed + at;
      const seeds = Array.from({ length: batch }, (_, step) => first + step);
      it(`keep every invariant under faults: seeds ${first} to ${first + batch - 1}`, () => expectNoFailure(seeds));
    }
  });
}
