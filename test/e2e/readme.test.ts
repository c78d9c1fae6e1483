/** The README does what it says: its tour is typed, its code is run. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { temporaryFolder } from "../support/hub.ts";
import { freePort, killAll, Process, root, serve } from "../support/processes.ts";

afterEach(killAll);

const readme = readFileSync(join(root, "README.md"), "utf8");

function block(heading: string, language: string): string {
  const section = readme.slice(readme.indexOf(`## ${heading}`));
  const found = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(section);
  expect(found).not.toBeNull();
  return found![1]!;
}

it("the tour works, line by line", async () => {
  const hub = await serve(temporaryFolder("tour"), await freePort());
  const lines = block("A tour in 60 seconds", "sh").trim().split("\n");
  expect(lines.length).toBeGreaterThan(5);
  const printed: string[] = [];
  for (const line of lines) {
    const typed = new Process("sh", ["-c", line], { cwd: root, env: { ...process.env, COPSE_URL: hub.url } });
    expect([line, await typed.exited, typed.err.replace(/npm warn.*\n/g, "")]).toEqual([line, 0, ""]);
    printed.push(typed.out);
  }
  expect(printed.join("")).toContain('{"theme":"dark"}\n/jobs/job-0000000000\n');
  expect(printed.join("")).toContain("only one of us at a time\n");
});

it("the code runs", async () => {
  const hub = await serve(temporaryFolder("code"), await freePort());
  const code = block("In code", "js").replace("ws://127.0.0.1:7181", hub.url);
  const folder = join(root, "test/.artifacts");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "readme.mjs"), code);
  const run = new Process(process.execPath, [join(folder, "readme.mjs")]);
  expect([await run.exited, run.err]).toEqual([0, ""]);
  expect(run.out).toMatch(/limit: 20[\s\S]*limit: 30[\s\S]*leading with token \d+/);
});
