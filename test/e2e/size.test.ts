/** A large tree: nobody waits for a snapshot, and a restart has it all. The bench reports the figures. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/hub.ts";
import { command, freePort, root } from "../support/processes.ts";

const znodes = process.env["COPSE_FULL"] === "1" ? 1_000_000 : 100_000;
/** The architecture allows a turn 20 ms; a test on a busy machine allows five times as much. */
const turnMsMax = 100;

it(`holds ${znodes} znodes, snapshots them without holding the loop, and comes back after kill -9`, async () => {
  const settings = { system: "copse", znodes, folder: temporaryFolder("size"), command, port: (await freePort()) - 1 };
  const out = execFileSync(process.execPath, [join(root, "test/bench/size.js"), JSON.stringify(settings)], {
    encoding: "utf8",
    maxBuffer: 1e8,
  });
  const figures = JSON.parse(out) as { znodes: number; longestTurnWhileSnapshotMs: number };
  expect(figures.znodes).toBeGreaterThanOrEqual(znodes);
  expect(figures.longestTurnWhileSnapshotMs).toBeGreaterThan(0);
  expect(figures.longestTurnWhileSnapshotMs).toBeLessThan(turnMsMax);
});
