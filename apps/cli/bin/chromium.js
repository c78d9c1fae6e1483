/**
 * Finds a Chromium for the browser tests, or installs one: Debian's package when root is on Debian, else Playwright's own.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root, run } from "./bootstrap.js";

const known = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The path of an executable. Ends the process where none can be had: browser tests are never skipped. */
export function findChromium() {
  const named = process.env.COPSE_CHROMIUM;
  if (named !== undefined) return named;
  const require = createRequire(join(root, "test/package.json"));
  const own = require("playwright").chromium.executablePath();
  const found = [...known, own].find((path) => existsSync(path));
  if (found !== undefined) return found;
  console.error("copse: installing Chromium for the browser tests …");
  if (isRootOnDebian()) {
    spawnSync("apt-get", ["update", "-qq"], { stdio: "ignore" });
    run("apt-get", ["install", "-y", "-qq", "chromium"], { quiet: true, env: { DEBIAN_FRONTEND: "noninteractive" } });
    return known[0];
  }
  run(process.execPath, [join(require.resolve("playwright/package.json"), "../cli.js"), "install", "chromium"]);
  return own;
}

function isRootOnDebian() {
  return process.getuid?.() === 0 && existsSync("/etc/os-release") && /^ID(_LIKE)?=.*debian/m.test(readFileSync("/etc/os-release", "utf8"));
}
