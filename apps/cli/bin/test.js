/**
 * `npm test`: everything, from a fresh clone. `--full` runs the sizes named in the issues. Other arguments go to vitest.
 *
 * Its last line is `N passed, N failed`; formatting, types and the page's types count as one test each.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { prepare, root } from "./bootstrap.js";
import { findChromium } from "./chromium.js";

prepare();
const given = process.argv.slice(2).filter((argument) => argument !== "--full");
const isFull = process.argv.includes("--full");
const isPart = given.length > 0;
let passed = 0;
let failed = 0;

function check(name, program, args) {
  const { status } = spawnSync(join(root, program), args, { cwd: root, stdio: "inherit" });
  console.log(`${status === 0 ? "✓" : "✗"} ${name}`);
  if (status === 0) passed++;
  else failed++;
}

if (!isPart) {
  check("format and lint", "node_modules/.bin/biome", ["check", "."]);
  check("types of the tests", "node_modules/.bin/tsc", ["-p", "test"]);
  check("types of the inspector", "node_modules/.bin/tsc", ["-p", "apps/inspector"]);
}
const artifacts = join(root, "test/.artifacts");
const report = join(artifacts, "report.json");
mkdirSync(artifacts, { recursive: true });
rmSync(report, { force: true });
const { status } = spawnSync(
  join(root, "node_modules/.bin/vitest"),
  ["run", "--config", "test/vitest.config.ts", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...given],
  { cwd: root, stdio: "inherit", env: { ...process.env, COPSE_CHROMIUM: findChromium(), ...(isFull ? { COPSE_FULL: "1" } : {}) } },
);
try {
  const { numPassedTests, numFailedTests, numTotalTests, numFailedTestSuites } = JSON.parse(readFileSync(report, "utf8"));
  passed += numPassedTests;
  // A file that does not load, and a test that did not run, have failed too.
  failed += Math.max(numTotalTests - numPassedTests, numFailedTests, numFailedTestSuites > 0 ? 1 : 0);
} catch {
  console.error("copse: the tests did not report");
  failed++;
}
if (status !== 0 && failed === 0) failed++;
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
