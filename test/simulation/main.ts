/** What the tools run: the simulator and the checkers, over the product's sources. */
import { runRecipes } from "./recipes.ts";
import { runSeed } from "./run.ts";

export { parseJepsenHistory } from "./checkers/jepsen-history.ts";
export { isRegisterLinearizable } from "./checkers/linearizability.ts";
export { runRecipes } from "./recipes.ts";
export { runRenewals } from "./renewals.ts";
export { type RunReport, runSeed } from "./run.ts";

/** Runs seeds and prints what they did. Gives true if none failed. */
export async function simulate(options: { seeds: number; seed?: number; isVerbose?: boolean; areRecipes?: boolean }): Promise<boolean> {
  const { seeds, seed: first = Date.now() % 1_000_000_000, isVerbose = false, areRecipes = false } = options;
  const faults: Record<string, number> = {};
  const failed: number[] = [];
  const sums = { simulatedMs: 0, operations: 0, entries: 0, terms: 0 };
  const startedAt = performance.now();
  for (let seed = first; seed < first + seeds; seed++) {
    const report = await (areRecipes ? runRecipes(seed) : runSeed(seed));
    for (const [name, count] of Object.entries(report.faults)) faults[name] = (faults[name] ?? 0) + count;
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += report[name];
    if (isVerbose) console.log(JSON.stringify(report));
    if (report.failure === null) continue;
    failed.push(seed);
    console.log(`seed ${seed} failed: ${report.failure}`);
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(
    `${seeds} seeds from ${first}: ${Math.round(sums.simulatedMs / 1_000)} s simulated in ${seconds} s, ` +
      `${sums.operations} operations, ${sums.entries} entries, ${sums.terms} terms`,
  );
  console.log(
    `faults: ${Object.entries(faults)
      .map(([name, count]) => `${count} ${name}`)
      .join(" · ")}`,
  );
  console.log(
    failed.length === 0
      ? "no failure"
      : `${failed.length} failed; again with: pnpm simulate ${areRecipes ? "--recipes " : ""}--seed ${failed[0]} --seeds 1`,
  );
  return failed.length === 0;
}
