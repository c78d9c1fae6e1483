/**
 * What a test may do with this machine: as root on Linux nearly all, elsewhere less, and then it says so loudly.
 */
import { spawnSync } from "node:child_process";

/** Runs a program. @throws Error with what it printed, where it fails */
export function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

function has(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** True if the test can go on: as root, with these programs, installed from Debian's packages where they are missing. */
export function mayUse(what: string, ...programs: readonly (readonly [program: string, debianPackage: string])[]): boolean {
  const isRoot = process.getuid?.() === 0 && process.platform === "linux";
  for (const [program, debianPackage] of programs) {
    if (!has(program) && isRoot) spawnSync("apt-get", ["install", "-y", "-q", debianPackage], { stdio: "ignore" });
  }
  const missing = programs.filter(([program]) => !has(program)).map(([program]) => program);
  if (isRoot && missing.length === 0) return true;
  console.warn(`SKIPPED: ${what} needs root on Linux${missing.length > 0 ? ` and ${missing.join(", ")}` : ""}`);
  return false;
}
