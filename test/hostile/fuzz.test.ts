/**
 * Rubbish in numbers: frames from a seed at a hub that runs, bytes from a seed in its files.
 */
import { afterEach, describe, expect, it } from "vitest";
import { killAll } from "../support/processes.ts";
import { fuzz } from "./fuzz.ts";

afterEach(killAll);

const frames = process.env["COPSE_FULL"] === "1" ? 1_000_000 : 100_000;
/** The goal is twice; a test allows five times as much. */
const slowerMax = 10;
/** Below so many milliseconds a p99 is what other tests on the same cores make of it. */
const busyMs = 20;
const growthBytesMax = 16_000_000;

describe("rubbish", () => {
  it(`of ${frames} frames ends no server, grows no memory, and slows nobody else`, { timeout: 1_800_000 }, async () => {
    const seed = Number(process.env["COPSE_SEED"] ?? Date.now() % 1_000_000_000);
    const report = await fuzz(frames, seed);
    console.log(`fuzz: ${JSON.stringify(report)} (again with COPSE_SEED=${seed})`);
    expect(report.frames).toBeGreaterThanOrEqual(frames);
    expect(report.errors["INTERNAL"]).toBeUndefined();
    // That it reached the checks, and came by all of them.
    for (const code of ["BAD_ARGUMENTS", "NO_NODE", "UNIMPLEMENTED", "BAD_VERSION", "GUARD_FAILED"])
      expect(report.errors[code]).toBeGreaterThan(0);
    for (const code of ["4400", "1003"]) expect(report.closed[code]).toBeGreaterThan(0);
    for (const kind of ["held", "deaf", "networks", "subscriber"] as const) expect(report.strangers[kind]).toBeGreaterThan(0);
    expect(report.p99Ms.rubbish).toBeLessThan(slowerMax * Math.max(report.p99Ms.good, busyMs));
    expect(report.heapBytes.late - report.heapBytes.early).toBeLessThan(growthBytesMax);
  });
});
