/** The house is tidy; and the rules notice when it is not. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { arrowsOf, findFaults, missingFiles, readSources, type SourceFile } from "./tidy.ts";

const root = join(import.meta.dirname, "..");
const arrows = arrowsOf(readFileSync(join(root, "ARCHITECTURE.md"), "utf8"));
const head = "/** A file. */\n";

function faultsWith(...added: SourceFile[]): string[] {
  return findFaults([...readSources(root), ...added], arrows);
}

describe("the sources", () => {
  it("keep the rules", () => {
    expect(findFaults(readSources(root), arrows)).toEqual([]);
  });
});

describe("the map", () => {
  const words = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    ...readdirSync(join(root, "apps/docs/decisions")).map((name) => `apps/docs/decisions/${name}`),
  ];
  const sources = readSources(root, ["packages", "apps"]);

  it.each(words)("names files that are there: %s", (page) => {
    expect(missingFiles(readFileSync(join(root, page), "utf8"), sources)).toEqual([]);
  });

  it("would notice one that is not", () => {
    expect(missingFiles("see `tree/apply`, `tree/operations` and `tree/gone`", sources)).toEqual(["tree/gone"]);
  });
});

describe("the specification", () => {
  it("has a test for each of its rules, and no test cites a rule that is not there", () => {
    const specs = ["protocol", "raft"].map((name) => readFileSync(join(root, `packages/${name}/SPEC.md`), "utf8")).join("\n");
    const rules = [...specs.matchAll(/^- \*\*([A-Z]\d+)\*\*/gm)].map((found) => found[1]);
    const tests = readSources(root).filter(({ path }) => path.endsWith(".test.ts") && !path.startsWith("test/tidy"));
    const cited = new Set(tests.flatMap(({ text }) => [...text.matchAll(/\[([A-Z]\d+)\]/g)].map((found) => found[1])));
    expect(rules.length).toBeGreaterThan(60);
    expect(rules.filter((rule) => !cited.has(rule))).toEqual([]);
    expect([...cited].filter((rule) => !rules.includes(rule ?? ""))).toEqual([]);
  });
});

describe("the rules notice", () => {
  it("an import that points up", () => {
    const bad = { path: "packages/tree/src/bad.ts", text: `${head}import { Replica } from "@copse/replica";\n` };
    expect(faultsWith(bad)).toEqual(["packages/tree/src/bad.ts imports @copse/replica: tree may not know replica"]);
  });

  it("an arrow that nothing needs, and a folder without rooms", () => {
    const listed = new Map([...arrows, ["protocol", ["raft"]]]);
    expect(findFaults(readSources(root), listed)).toEqual(["ARCHITECTURE.md lists protocol → raft, and nothing imports along it"]);
    const many = Array.from({ length: 15 }, (_, at) => ({ path: `packages/log/src/more/file-${at}.ts`, text: head }));
    expect(faultsWith(...many)).toEqual(["packages/log/src/more holds 15 files: make folders that say where one is"]);
  });

  it("a type import and a dynamic one that point up", () => {
    const types = { path: "packages/protocol/src/a.ts", text: `${head}import type { Tree } from "@copse/tree";\n` };
    const dynamic = { path: "packages/client/src/b.ts", text: `${head}const x = import("@copse/server");\n` };
    expect(faultsWith(types, dynamic)).toHaveLength(2);
  });

  it("Date.now(), Math.random(), async and timers in the core, but not in comments or strings", () => {
    const bad = { path: "packages/replica/src/bad.ts", text: `${head}export const now = (): number => Date.now();\n` };
    const worse = {
      path: "packages/tree/src/worse.ts",
      text: `${head}export async function f(): Promise<void> {}\nsetTimeout(f, Math.random());\n`,
    };
    const fine = { path: "packages/tree/src/fine.ts", text: `${head}// no Date here\nexport const name = "Promise";\n` };
    expect(faultsWith(bad)).toEqual(["packages/replica/src/bad.ts uses Date: the core is pure"]);
    expect(faultsWith(worse)).toHaveLength(4);
    expect(faultsWith(fine)).toEqual([]);
  });

  it("a cycle", () => {
    const a = { path: "packages/log/src/a.ts", text: `${head}import { b } from "./b.ts";\nexport const a = b;\n` };
    const b = { path: "packages/log/src/b.ts", text: `${head}import { a } from "./a.ts";\nexport const b = a;\n` };
    expect(faultsWith(a, b)).toEqual(["a cycle of imports: packages/log/src/a.ts → packages/log/src/b.ts → packages/log/src/a.ts"]);
  });

  it("a file too long, one without a head, a default export, a junk drawer, a skipped test", () => {
    const long = { path: "packages/log/src/long.ts", text: head + "\n".repeat(400) };
    const headless = { path: "packages/log/src/headless.ts", text: "export const a = 1;\n" };
    const fallback = { path: "packages/log/src/fallback.ts", text: `${head}export default 1;\n` };
    const junk = { path: "packages/log/src/utils.ts", text: head };
    const skipping = { path: "packages/log/test/x.test.ts", text: `it.${"skip"}("x", () => {});\n` };
    expect(faultsWith(long, headless, fallback, junk, skipping)).toHaveLength(5);
  });
});
