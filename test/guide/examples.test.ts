/**
 * The examples in the comments of the public API: every public function has one, its types are right, and it runs.
 *
 * An example is the code after `@example`, up to the next tag or the end of the comment. It finds `copse` and `other`, two clients; `url`;
 * `signal`, which aborts soon; `Web`, a definition; and, for tests of users, `ensemble`. All that the package exports is imported.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHub } from "../support/hub.ts";
import { root } from "../support/processes.ts";

const generated = join(root, "test/.artifacts/examples");

interface Example {
  /** What it is an example of. */
  readonly name: string;
  readonly code: string;
}

interface Source {
  /** The specifier under which a user imports it. */
  readonly module: string;
  readonly file: string;
}

function sourcesOf(name: string): Source[] {
  const folder = join(root, "packages", name);
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { exports: object };
  const own = Object.keys(exports)
    .filter((path) => path !== ".")
    .map((path) => basename(path));
  return readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => {
      const path = own.includes(file.replace(".ts", "")) ? `/${file.replace(".ts", "")}` : "";
      return { module: `@copse/${name}${path}`, file: join(folder, "src", file) };
    });
}

const sources = ["client", "recipes", "testing"].flatMap(sourcesOf);

/** Doc comments with an example, and the name that is declared after each. */
function examplesOf({ file }: Source): Example[] {
  const examples: Example[] = [];
  const declaration = /^ *(?:export )?(?:async )?(?:function\*? )?(\w+)/;
  for (const [, comment = "", after = ""] of readFileSync(file, "utf8").matchAll(/\/\*\*([\s\S]*?)\*\/\n(.*)/g)) {
    const lines = comment.split("\n").map((line) => line.replace(/^ *\* ?/, "").trimEnd());
    const [, example] = lines.join("\n").split(/@example\s/);
    const name = declaration.exec(after)?.[1];
    if (example === undefined || name === undefined) continue;
    examples.push({ name, code: example.split(/^@/m)[0]!.trim() });
  }
  return examples;
}

const tested = sources.map((source) => ({ ...source, examples: examplesOf(source) })).filter(({ examples }) => examples.length > 0);

function moduleOf({ module, examples }: (typeof tested)[number], url: string): string {
  const imports = ['import * as client from "@copse/client";', `import * as own from ${JSON.stringify(module)};`];
  const isTesting = module === "@copse/testing";
  const names = new Set(examples.map(({ name }) => name));
  const words = new Set(examples.flatMap(({ code }) => code.match(/\w+/g) ?? []));
  const taken = (source: string, list: readonly string[]): string => {
    const used = list.filter((name) => words.has(name));
    return used.length === 0 ? "" : `const { ${used.join(", ")} } = ${source};`;
  };
  const ownNames = module === "@copse/client" ? [] : [...new Set([...names, "testEnsemble"])].filter((name) => isExported(module, name));
  const clients = isTesting
    ? ["const ensemble = await own.testEnsemble({ members: 3 });", "const copse = await ensemble.connect();", "void copse;"]
    : [
        `const url = ${JSON.stringify(url)};`,
        "const copse = await client.connect(url);",
        "const other = await client.connect(url);",
        'const Web = client.defineNode<{ limit: number }>("/app/web");',
        'await copse.create("/app/title", "Hello", { parents: true }).catch(() => {});',
        'await copse.create("/app/web", JSON.stringify({ limit: 20 })).catch(() => {});',
        "void other; void Web;",
      ];
  return [
    ...imports,
    "void client; void own;",
    "const unlessOver = (error: unknown): void => { if (!(error instanceof DOMException)) throw error; };",
    taken("client", clientNames),
    taken("own", ownNames),
    ...clients,
    ...examples.map(
      ({ name, code }) =>
        `await (async () => { // ${name}\nconst signal = AbortSignal.timeout(200); void signal;\n${code}\n})().catch(unlessOver);`,
    ),
    isTesting ? "await ensemble.close();" : "await copse.close(); await other.close();",
    "export {};",
  ].join("\n");
}

let clientNames: readonly string[] = [];
const exported = new Map<string, ReadonlySet<string>>();

function isExported(module: string, name: string): boolean {
  return exported.get(module)!.has(name);
}

function fileOf({ file }: Source): string {
  return join(
    generated,
    file
      .slice(join(root, "packages").length + 1)
      .replace(/\/src\//, "-")
      .replaceAll("/", "-"),
  );
}

beforeAll(async () => {
  rmSync(generated, { recursive: true, force: true });
  mkdirSync(generated, { recursive: true });
  clientNames = Object.keys(await import("@copse/client"));
  for (const { module, file } of tested) {
    const path = module.split("/").length === 2 ? file.replace(/\/src\/.*$/, "/src/index.ts") : file;
    exported.set(module, new Set(module === "@copse/recipes" ? [] : Object.keys((await import(path)) as object)));
  }
});
afterAll(() => rmSync(generated, { recursive: true, force: true }));

describe("the examples in the comments", () => {
  it("are there for every public function and method", async () => {
    const shown = new Set(tested.flatMap(({ examples }) => examples.map(({ name }) => name)));
    const isName = (name: string): boolean => name !== "constructor" && !/^[A-Z]/.test(name);
    const functionsOf = (of: object): string[] => {
      const entries = Object.entries(of) as [string, unknown][];
      return entries.filter(([name, value]) => typeof value === "function" && isName(name)).map(([name]) => name);
    };
    const methodsOf = (of: object): string[] => {
      const entries = Object.entries(Object.getOwnPropertyDescriptors(of));
      return entries.filter(([name, { value }]) => typeof value === "function" && isName(name)).map(([name]) => name);
    };
    const client = await import("@copse/client");
    const testing = await import("@copse/testing");
    const subpaths = await Promise.all(
      sources.filter(({ module }) => module.split("/").length === 3).map(({ file }) => import(file) as Promise<object>),
    );
    const classes: object[] = [testing.TestEnsemble.prototype];
    for (let one = client.Copse.prototype as object; one !== EventTarget.prototype; one = Object.getPrototypeOf(one) as object)
      classes.push(one);
    const names = [...[client, testing, ...subpaths].flatMap(functionsOf), ...classes.flatMap(methodsOf)];
    expect(names.length).toBeGreaterThan(70);
    expect(names.filter((name) => !shown.has(name))).toEqual([]);
  });

  it("have types that are right", () => {
    for (const source of tested) writeFileSync(fileOf(source), moduleOf(source, "ws://127.0.0.1:7181"));
    const settings = {
      extends: join(root, "test/tsconfig.json"),
      compilerOptions: { noUnusedLocals: false, rootDir: root, types: ["node"], typeRoots: [join(root, "test/node_modules/@types")] },
      include: ["*.ts"],
    };
    writeFileSync(join(generated, "tsconfig.json"), JSON.stringify(settings));
    const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", generated], { encoding: "utf8" });
    expect([status, stdout]).toEqual([0, ""]);
  });

  it.each(tested.map((source) => [source.file.slice(root.length + 1), source] as const))("of %s run", async (_, source) => {
    const hub = await startHub();
    const file = fileOf(source).replace(".ts", ".run.ts");
    writeFileSync(file, moduleOf(source, hub.url));
    await import(/* @vite-ignore */ pathToFileURL(file).href);
    await hub.destroy();
  });
});
