import { join } from "node:path";
import { defineConfig } from "vitest/config";

const root = join(import.meta.dirname, "..");
/** Tests read the sources, so that a failure names the line that is wrong; processes and pages run what is built. */
const alias = [
  { find: /^@copse\/([a-z]+)$/, replacement: join(root, "packages/$1/src/index.ts") },
  { find: /^@copse\/([a-z]+)\/([a-z-]+)$/, replacement: join(root, "packages/$1/src/$2.ts") },
  { find: /^#web-socket$/, replacement: join(root, "packages/client/src/web-socket-node.ts") },
];

/** A million simulated browsers take 10 GB. */
const execArgv = process.env["COPSE_FULL"] === undefined ? [] : ["--max-old-space-size=16384"];

function project(name: string, include: string[], testTimeout: number): object {
  return {
    resolve: { alias },
    test: { name, root, include, testTimeout, hookTimeout: testTimeout, execArgv, server: { deps: { inline: [/@copse/] } } },
  };
}

export default defineConfig({
  test: {
    // Two cores: more workers only make real processes wait for each other.
    maxWorkers: 2,
    projects: [
      project("unit", ["packages/*/test/**/*.test.ts"], 20_000),
      project("shape", ["test/*.test.ts", "test/contracts/**/*.test.ts"], 60_000),
      project("simulation", ["test/simulation/**/*.test.ts"], 300_000),
      project("protocol", ["test/protocol/**/*.test.ts"], 60_000),
      project("exactly-once", ["test/exactly-once/**/*.test.ts"], 60_000),
      project("hostile", ["test/hostile/**/*.test.ts"], 300_000),
      project("conformance", ["test/conformance/**/*.test.ts"], 60_000),
      project("packaging", ["test/packaging/**/*.test.ts"], 180_000),
      project("guide", ["test/guide/**/*.test.ts"], 120_000),
      project("e2e", ["test/e2e/**/*.test.ts"], 180_000),
      project("browser", ["test/browser/**/*.test.ts"], 180_000),
    ],
  },
});
