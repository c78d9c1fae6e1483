/**
 * Set-up on a machine that has only Node, npm and git: installs the pinned pnpm's idea of the dependencies, builds.
 *
 * Plain JavaScript without dependencies, because it runs before there are any. Each step leaves a stamp of what it was
 * done for, so a second start does nothing but look. Linux and macOS.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Runs a command in the root and ends this process if it fails. `quiet` shows its output only then. */
export function run(command, args, { quiet = false, env = {} } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit",
    env: { ...process.env, ...env },
    maxBuffer: 64 * 1_048_576,
  });
  if (result.status === 0) return;
  if (quiet) process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
  console.error(`copse: ${command} ${args.join(" ")} failed${result.error ? ` (${result.error.message})` : ""}`);
  process.exit(result.status ?? 1);
}

/** Runs the pinned pnpm, wherever it has to come from. */
export function pnpm(args, options) {
  run("npx", ["-y", manifest.packageManager, ...args], options);
}

export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`copse needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/** Installs the dependencies where the lockfile asks for others than are there. */
export function install() {
  const wanted = fingerprint([join(root, "pnpm-lock.yaml"), join(root, "package.json")]);
  done("installed", wanted, "node_modules", () => {
    console.error("copse: installing dependencies …");
    pnpm(["install", "--frozen-lockfile"], { quiet: true });
    linkCommand();
  });
}

/** Lets `npx copse` in this folder find the command: the root's manifest has to be one that npm understands too. */
function linkCommand() {
  const link = join(root, "node_modules/.bin/copse");
  rmSync(link, { force: true });
  symlinkSync("../../apps/cli/bin/copse.js", link);
}

/** Builds the packages, the command and the inspector where a source has changed. */
export function build() {
  const sources = ["packages", "apps"].flatMap((folder) => filesBelow(join(root, folder)));
  done("built", fingerprint([join(root, "tsconfig.json"), ...sources]), "apps/cli/dist/inspector", () => {
    console.error("copse: building …");
    run(join(root, "node_modules/.bin/tsc"), ["-b", "--force"], { quiet: true });
    // The help of an error leads to the page that its package ships.
    copyFileSync(join(root, "apps/docs/errors.md"), join(root, "packages/client/dist/errors.md"));
    run(join(root, "apps/inspector/node_modules/.bin/vite"), ["build", "--config", "apps/inspector/vite.config.ts"], { quiet: true });
    run(join(root, "apps/examples/node_modules/.bin/vite"), ["build", "--config", "apps/examples/vite.config.ts"], { quiet: true });
  });
}

/** Node is right, dependencies are there, everything is built. */
export function prepare() {
  checkNode();
  install();
  build();
}

function done(step, wanted, result, work) {
  const stamp = join(root, "node_modules", `.copse-${step}`);
  if (existsSync(join(root, result)) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

/** A fingerprint of names, sizes and times of change. */
function fingerprint(files) {
  const hash = createHash("sha256").update(process.version);
  for (const file of files) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (["node_modules", "dist", "test"].includes(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}
