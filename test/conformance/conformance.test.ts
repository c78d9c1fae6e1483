/**
 * Random scripts, played on ZooKeeper 3.8 and on copse: every reply, error, stat and event has to agree.
 *
 * COPSE_SEED replays a run; what differs is made smaller until nothing can be left away.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killAll } from "../support/processes.ts";
import { CopseStore } from "./copse-store.ts";
import { play } from "./play.ts";
import { scriptsOf } from "./script.ts";
import type { Store } from "./store.ts";
import { hasZooKeeper, startZooKeeper } from "./zookeeper-server.ts";
import { ZooKeeperStore } from "./zookeeper-store.ts";

const operationsMin = process.env["COPSE_FULL"] === "1" ? 200_000 : 20_000;
const stepsMin = 150;
/** What cannot be made smaller in this time is shown as it is. */
const shrinkMs = 60_000;
/** Longer than any run: what goes by time has tests of its own. */
const reapMs = 3_600_000;
const isHere = hasZooKeeper();
let stores: readonly [Store, Store];

beforeAll(async () => {
  if (isHere) stores = [new ZooKeeperStore(await startZooKeeper(reapMs)), await CopseStore.start(reapMs)];
});
afterAll(async () => {
  for (const store of stores ?? []) await store.stop();
  killAll();
});

describe("copse answers as ZooKeeper does", () => {
  for (const about of ["watches", "access"] as const) {
    it(`in random scripts about ${about}`, { timeout: 3_600_000 }, async () => {
      if (!isHere) return;
      const seed = Number(process.env["COPSE_SEED"] ?? Date.now() % 1_000_000_000);
      let operations = 0;
      let failedAt: number | null = null;
      const property = fc.asyncProperty(scriptsOf(about), async (steps) => {
        if (failedAt !== null && performance.now() - failedAt > shrinkMs) return;
        try {
          operations += await play(steps, stores);
        } catch (error) {
          failedAt ??= performance.now();
          throw error;
        }
      });
      await fc.assert(property, { seed, numRuns: Math.ceil(operationsMin / 2 / stepsMin) });
      console.log(`conformance: ${operations} operations about ${about} agree; seed ${seed} (again with COPSE_SEED=${seed})`);
      expect(operations).toBeGreaterThanOrEqual(operationsMin / 2);
    });
  }
});
