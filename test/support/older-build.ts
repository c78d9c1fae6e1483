/**
 * The product as it was at an older commit, built in a folder of its own.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { temporaryFolder } from "./hub.ts";
import { run } from "./machine.ts";
import { root } from "./processes.ts";

const productFolders = ["packages", "apps/cli", "apps/inspector"];

/** The last commit whose product differs from what is checked out, or null where history does not go back so far. */
export function previousCommit(): string | null {
  const commits = run("git", "-C", root, "rev-list", "--max-count=50", "HEAD").trim().split("\n");
  const differs = (commit: string): boolean =>
    spawnSync("git", ["-C", root, "diff", "--quiet", commit, "--", ...productFolders]).status === 1;
  return commits.find(differs) ?? null;
}

/** Builds a commit as a user would who cloned it. Resolves with the path of its command. */
export function buildCommit(commit: string): string {
  const folder = temporaryFolder("older-build");
  run("sh", "-c", `git -C '${root}' archive ${commit} | tar -x -C '${folder}'`);
  run(process.execPath, join(folder, "apps/cli/bin/build.js"));
  return join(folder, "apps/cli/bin/copse.js");
}
