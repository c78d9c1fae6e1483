/**
 * The rules of the house, as a function over files, so that the rules themselves can be tested.
 *
 * Levels and cycles of imports, purity of the core, the length and head of files, no default exports, no silent tests.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const skipped = ["node_modules", "dist", ".git", ".copse", ".build", ".artifacts"];

export function readSources(root: string, folders: readonly string[] = ["packages", "apps", "test"]): SourceFile[] {
  const walk = (folder: string): SourceFile[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (skipped.includes(entry.name)) return [];
      if (entry.isDirectory()) return walk(path);
      return /\.(ts|js)$/.test(entry.name) ? [{ path, text: readFileSync(join(root, path), "utf8") }] : [];
    });
  return folders.flatMap(walk);
}

/** What each part may import of the others: an arrow of ARCHITECTURE.md is a code span that reads `part → one, another`. */
export function arrowsOf(architecture: string): ReadonlyMap<string, readonly string[]> {
  const arrows = [...architecture.matchAll(/`([a-z]+) → ([a-z, ]+)`/g)];
  return new Map(arrows.map(([, from = "", to = ""]) => [from, to.split(", ")]));
}

/** Parts whose code may know neither time nor chance nor the host. */
const pure = ["protocol", "raft", "tree", "log", "replica"];
const forbiddenInPure: readonly (readonly [RegExp, string])[] = [
  [/\bDate\b/, "Date"],
  [/\bMath\.random\b/, "Math.random"],
  [/\basync\b|\bawait\b/, "async"],
  [/\bPromise\b/, "Promise"],
  [/\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b|\bqueueMicrotask\b/, "timers"],
  [/\bprocess\./, "process"],
  [/from "node:/, "node:"],
];
const lengthMax = 400;
/** Files in one folder of sources; past it, folders say where one is. */
const folderFilesMax = 14;
const junkNames = ["utils", "util", "common", "shared", "helpers", "misc"];

export function findFaults(files: readonly SourceFile[], arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const sources = files.filter(({ path }) => /^(packages|apps)\/[^/]+\/src\//.test(path));
  return [
    ...sources.flatMap((file) => levelFaults(file, arrows)),
    ...idleArrowFaults(sources, arrows),
    ...folderFaults(sources),
    ...cycleFaults(sources),
    ...sources.flatMap(purityFaults),
    ...sources.flatMap(fileFaults),
    ...files.flatMap(testFaults),
  ];
}

function partOf(path: string): string {
  return path.split("/")[1] ?? "";
}

/** Text without comments and without the insides of strings and templates. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`/g, (found) =>
    found.startsWith("/") ? "" : '""',
  );
}

function importsOf({ text }: SourceFile): string[] {
  const withoutComments = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/[^\n]*/gm, "");
  return [...withoutComments.matchAll(/(?:^|\n)\s*(?:import|export)\b[^"'`;]*?\bfrom\s*"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"/g)].map(
    (found) => found[1] ?? found[2] ?? "",
  );
}

/** The other parts that a file imports, each with the specifier. */
function partsOf(file: SourceFile): (readonly [part: string, specifier: string])[] {
  return importsOf(file).flatMap((imported) => {
    const part = /^@copse\/([a-z]+)/.exec(imported)?.[1];
    return part === undefined || part === partOf(file.path) ? [] : [[part, imported] as const];
  });
}

function levelFaults(file: SourceFile, arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const own = partOf(file.path);
  const tests = importsOf(file).filter((imported) => imported.includes("/test/"));
  return [
    ...tests.map((imported) => `${file.path} imports a test: ${imported}`),
    ...partsOf(file)
      .filter(([part]) => arrows.get(own)?.includes(part) !== true)
      .map(([part, imported]) => `${file.path} imports ${imported}: ${own} may not know ${part}`),
  ];
}

function idleArrowFaults(files: readonly SourceFile[], arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const used = new Set(files.flatMap((file) => partsOf(file).map(([part]) => `${partOf(file.path)} → ${part}`)));
  const listed = [...arrows].flatMap(([from, parts]) => parts.map((to) => `${from} → ${to}`));
  return listed.filter((arrow) => !used.has(arrow)).map((arrow) => `ARCHITECTURE.md lists ${arrow}, and nothing imports along it`);
}

/** Files that a page of words names, as `part/folder/file`, and that are not there. */
export function missingFiles(page: string, files: readonly SourceFile[]): string[] {
  const known = new Set(files.map(({ path }) => path.replace(/^(?:packages|apps)\/([^/]+)\/src\//, "$1/").replace(/\.ts$/, "")));
  const parts = new Set(files.map(({ path }) => partOf(path)));
  const named = [...page.matchAll(/`([a-z]+(?:\/[a-z-]+)+)`/g)]
    .map(([, name = ""]) => name)
    .filter((name) => parts.has(name.split("/")[0]!));
  return [...new Set(named)].filter((name) => !known.has(name) && ![...known].some((path) => path.startsWith(`${name}/`)));
}

function folderFaults(files: readonly SourceFile[]): string[] {
  const counts = new Map<string, number>();
  for (const { path } of files) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (path !== `${folder}/index.ts`) counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > folderFilesMax)
    .map(([folder, count]) => `${folder} holds ${count} files: make folders that say where one is`);
}

function cycleFaults(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.map((file) => [
      file.path,
      importsOf(file)
        .filter((imported) => imported.startsWith("."))
        .map((imported) => join(file.path, "..", imported).replaceAll("\\", "/")),
    ]),
  );
  const faults: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) faults.push(`a cycle of imports: ${[...trail.slice(at), path].join(" → ")}`);
    if (at >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return faults;
}

function purityFaults({ path, text }: SourceFile): string[] {
  if (!pure.includes(partOf(path)) || !path.startsWith("packages/")) return [];
  const code = codeOf(text);
  const faults = forbiddenInPure.filter(([pattern]) => pattern.test(code)).map(([, what]) => `${path} uses ${what}: the core is pure`);
  return /from "node:/.test(text) ? [...faults, `${path} imports node: the core is pure`] : faults;
}

function fileFaults({ path, text }: SourceFile): string[] {
  const faults: string[] = [];
  const name = path.split("/").pop() ?? "";
  const lines = text.split("\n").length - 1;
  if (lines > lengthMax) faults.push(`${path} has ${lines} lines: split it by role and invariant`);
  if (name !== "index.ts" && !text.startsWith("/**")) faults.push(`${path} does not open with what it is`);
  if (/^export default/m.test(text)) faults.push(`${path} has a default export`);
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.(ts|js)$/.test(name)) faults.push(`${path} is not named in kebab-case`);
  if (junkNames.some((junk) => path.split("/").some((segment) => segment.replace(/\.ts$/, "") === junk)))
    faults.push(`${path} is a junk drawer by its name`);
  if (
    name === "index.ts" &&
    codeOf(text)
      .replace(/\bexport\b[^;]*;/g, "")
      .trim() !== ""
  )
    faults.push(`${path} is more than a list of exports`);
  return faults;
}

function testFaults({ path, text }: SourceFile): string[] {
  if (!path.endsWith(".test.ts")) return [];
  const silent = /\b(?:it|test|describe)\.(?:skip|todo|only|fails)\b/.exec(codeOf(text));
  return silent === null ? [] : [`${path} has ${silent[0]}: no test is skipped silently`];
}
