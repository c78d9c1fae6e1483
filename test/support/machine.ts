/**
 * What a test may do with this machine: as root on Linux nearly all, elsewhere less, and then it says so loudly.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Runs a program. @throws Error with what it printed, where it fails */
export function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

function has(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** Installs one of Debian's packages; whoever installs another at the same time is waited for. */
function install(debianPackage: string): void {
  spawnSync("apt-get", ["-o", "DPkg::Lock::Timeout=300", "install", "-y", "-q", debianPackage], { stdio: "ignore" });
}

/** True if these files are there, or come with one of Debian's packages, where that may be installed. */
export function mayInstall(what: string, files: readonly string[], debianPackage: string): boolean {
  const isHere = (): boolean => files.every((file) => existsSync(file));
  const isDebian = process.getuid?.() === 0 && has("apt-get");
  if (!isHere() && isDebian) install(debianPackage);
  if (!isHere() && isDebian) {
    // On a machine whose lists of packages are old, or were never fetched.
    spawnSync("apt-get", ["update", "-q"], { stdio: "ignore" });
    install(debianPackage);
  }
  if (isHere()) return true;
  console.warn(`SKIPPED: ${what} needs Debian's package ${debianPackage}`);
  return false;
}

/** True if the test can go on: as root, with these programs, installed from Debian's packages where they are missing. */
export function mayUse(what: string, ...programs: readonly (readonly [program: string, debianPackage: string])[]): boolean {
  const isRoot = process.getuid?.() === 0 && process.platform === "linux";
  for (const [program, debianPackage] of programs) {
    if (!has(program) && isRoot) install(debianPackage);
  }
  const missing = programs.filter(([program]) => !has(program)).map(([program]) => program);
  if (isRoot && missing.length === 0) return true;
  console.warn(`SKIPPED: ${what} needs root on Linux${missing.length > 0 ? ` and ${missing.join(", ")}` : ""}`);
  return false;
}
