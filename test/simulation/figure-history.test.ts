/** A member remembers the last hour of its figures, and no more. */
import { TestEnsemble } from "@copse/testing";
import { expect, it } from "vitest";

it("[I5] holds a sample for each ten seconds of the last hour", { timeout: 120_000 }, async () => {
  const ensemble = new TestEnsemble();
  await ensemble.elected();
  const copse = await ensemble.connect();
  await ensemble.advance(10_000);
  for (let at = 0; at < 100; at++) await ensemble.until(copse.set("/", String(at)));
  await ensemble.advance(10_100);
  const { history } = await ensemble.until(copse.recent({ history: 0 }));
  const newest = history!.samples[history!.samples.length - 1]!;
  expect(newest).toMatchObject({ sessions: 1, connections: 1 });
  expect(newest.txns * 10).toBeCloseTo(100, 0);
  expect(newest.requests * 10).toBeGreaterThanOrEqual(100);
  expect((await ensemble.until(copse.recent({ history: newest.time }))).history!.samples).toEqual([]);
  await ensemble.advance(3_700_000);
  const { samples } = (await ensemble.until(copse.recent({ history: 0 }))).history!;
  expect(samples).toHaveLength(360);
  expect(samples[359]!.time - samples[0]!.time).toBeGreaterThan(3_580_000);
  expect(samples[0]!.txns).toBe(0);
  await ensemble.close();
});
