/**
 * The packages as they are published: packed, looked at by those who know what goes wrong with packages, installed in an empty folder, and
 * used there by Node of each version and by a page without a bundler.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { CopseError } from "@copse/client";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectNoComplaints, launch, openPage } from "../support/chromium.ts";
import { temporaryFolder } from "../support/hub.ts";
import { serveFolder, serveModulePage } from "../support/module-page.ts";
import { freePort, killAll, Process, root, type ServedHub } from "../support/processes.ts";

const names = ["protocol", "raft", "tree", "log", "client", "replica", "recipes", "server", "testing"];
const folders = [...names.map((name) => join(root, "packages", name)), join(root, "apps/cli")];
const checksInSuite = 13;

const folder = temporaryFolder("packaging");
const packs = join(folder, "packs");
const installed = join(folder, "installed");
const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { packageManager: string };

beforeAll(() => {
  mkdirSync(packs);
  for (const cwd of folders) execFileSync("npx", ["-y", packageManager, "pack", "--pack-destination", packs], { cwd, stdio: "pipe" });
});
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

describe("each public package", () => {
  it.each(folders)("%s is as publint would have it, and its types resolve where its code does", async (pkgDir) => {
    const { name, sideEffects } = JSON.parse(readFileSync(join(pkgDir, "package.json"), "utf8")) as { name: string; sideEffects?: boolean };
    const tarball = new Uint8Array(readFileSync(join(packs, `${name.slice(1).replace("/", "-")}-0.1.0.tgz`)));
    const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer }, level: "warning" });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
    if (name === "@copse/cli") return;
    expect(sideEffects).toBe(false);
    const result = await checkPackage(createPackageFromTarballData(tarball));
    // Only ECMAScript modules are published: who requires them needs a Node that can.
    const problems = result.types === false ? ["no types"] : result.problems;
    const ours = problems.filter(
      (problem) =>
        typeof problem === "string" ||
        (problem.kind !== "CJSResolvesToESM" &&
          !("resolutionKind" in problem && ["node10", "node16-cjs"].includes(problem.resolutionKind))),
    );
    expect(ours).toEqual([]);
  });
});

describe("installed in an empty folder", () => {
  let hub: ServedHub;

  beforeAll(async () => {
    mkdirSync(installed);
    writeFileSync(join(installed, "package.json"), '{ "name": "somebody", "private": true, "type": "module" }\n');
    const tarballs = readdirSync(packs).map((name) => join(packs, name));
    const options = { cwd: installed, encoding: "utf8" as const };
    const { status, stderr } = spawnSync(
      "npm",
      ["install", "--no-audit", "--no-fund", "--ignore-scripts", "immer@11", "@opentelemetry/api@1", ...tarballs],
      options,
    );
    expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
    cpSync(join(import.meta.dirname, "suite.js"), join(installed, "suite.js"));
    writeFileSync(
      join(installed, "run.js"),
      'import { runSuite } from "./suite.js";\nconsole.log((await runSuite(process.argv[2])).length, process.version);\n',
    );
    const port = await freePort();
    // A group of its own, because npx leaves the server behind when it is killed alone.
    const ownGroup = { cwd: installed, detached: true };
    const served = new Process("npx", ["copse", "serve", "--listen", `127.0.0.1:${port}`, "--data", "data"], ownGroup);
    await served.printed(/ws:\/\/\S+/);
    hub = { process: served, url: `ws://127.0.0.1:${port}`, page: `http://127.0.0.1:${port}` } as ServedHub;
  });

  afterAll(() => void process.kill(-hub.process.child.pid!, "SIGKILL"));

  it("the command serves, its page included, and answers", async () => {
    expect((await fetch(hub.page)).headers.get("content-type")).toMatch("text/html");
    const got = new Process("npx", ["copse", "--url", hub.url, "create", "/here", "1"], { cwd: installed });
    expect([await got.exited, got.out.trim()]).toEqual([0, "/here"]);
  });

  it("carries clients by ws where uWebSockets.js is not installed, and says so where it was asked for", async () => {
    expect(await (await fetch(`${hub.page}/metrics`)).text()).toContain('copse_transport{transport="ws"} 1');
    const asked = new Process("npx", ["copse", "serve", "--transport", "uws", "--listen", "127.0.0.1:0", "--data", "other"], {
      cwd: installed,
    });
    expect(await asked.exited).toBe(2);
    expect(asked.err).toContain("uWebSockets.js is not installed; auto and ws use ws");
    for (const pack of folders) expect(readFileSync(join(pack, "package.json"), "utf8")).not.toContain("uWebSockets");
  });

  it("compiles where every declaration is checked, with the library of ES2023", () => {
    const options = {
      target: "es2022",
      lib: ["ES2023", "DOM"],
      module: "nodenext",
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      types: [],
    };
    writeFileSync(join(installed, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["all.mts"] }));
    const paths = [
      "client",
      "client/immer",
      "client/opentelemetry",
      "client/path",
      "client/subtree",
      "client/subtree-restore",
      "client/subtree-text",
      "testing",
    ].concat(
      Object.keys((JSON.parse(readFileSync(join(root, "packages/recipes/package.json"), "utf8")) as { exports: object }).exports).map(
        (path) => `recipes/${path.slice(2)}`,
      ),
    );
    writeFileSync(join(installed, "all.mts"), paths.map((path) => `export type * from "@copse/${path}";\n`).join(""));
    const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", "."], { cwd: installed, encoding: "utf8" });
    expect([status, stdout]).toEqual([0, ""]);
  });

  it("holds no file of the build's own, and its maps lead to sources that are there", () => {
    const packages = join(installed, "node_modules/@copse");
    const files = readdirSync(packages, { recursive: true, encoding: "utf8" }).filter((file) => !file.includes("node_modules"));
    expect(files.filter((file) => file.endsWith(".tsbuildinfo"))).toEqual([]);
    const maps = files.filter((file) => /^(client|recipes|server)\/dist\/.*\.map$/.test(file));
    expect(maps.length).toBeGreaterThan(40);
    for (const map of maps) {
      const { sources } = JSON.parse(readFileSync(join(packages, map), "utf8")) as { sources: string[] };
      for (const source of sources) expect(existsSync(join(packages, map, "..", source)), `${map}: ${source}`).toBe(true);
    }
  });

  it("ships the page to which the help of an error leads", () => {
    const { help } = new CopseError("NO_NODE", "x");
    expect(help).toMatch(/^https:\/\/unpkg\.com\/@copse\/client\//);
    const file = join(installed, "node_modules/@copse/client", new URL(help).pathname.replace("/@copse/client/", ""));
    expect(readFileSync(file, "utf8")).toContain("### NO_NODE");
  });

  it.each([null, 22, 24])("client and recipes do all of the suite in Node (this one, or %s)", async (version) => {
    const [program, ...args] = version === null ? [process.execPath] : ["npx", "-y", `node@${version}`];
    const run = new Process(program!, [...args, "run.js", hub.url], { cwd: installed });
    expect([await run.exited, run.out.trim(), run.err.replace(/npm warn.*\n?/g, "")]).toEqual([
      0,
      expect.stringMatching(new RegExp(`^${checksInSuite} v${version ?? process.versions.node}`)),
      "",
    ]);
  });

  it("and in a page, unbundled, through an import map", async () => {
    const script = 'import { runSuite } from "/suite/suite.js"; window.suite = () => runSuite(new URL(location).searchParams.get("hub"));';
    const page = await serveModulePage(script, installed);
    const browser = await launch();
    const opened = await openPage(browser, `${page.url}/page?hub=${encodeURIComponent(hub.url)}`);
    await opened.page.waitForFunction("window.suite !== undefined");
    const done = await opened.page.evaluate("window.suite()");
    expect(done).toHaveLength(checksInSuite);
    expectNoComplaints(opened);
    await browser.close();
    await page.close();
  });

  it("and in a page with the import map that the guide shows", async () => {
    const guide = readFileSync(join(root, "apps/docs/frameworks.md"), "utf8");
    const map = /```html\n([\s\S]*?)```/.exec(guide)?.[1] ?? "";
    const script = `import { connect } from "@copse/client"; import { withLock } from "@copse/recipes/lock.js"; import { group } from "@copse/recipes/group.js";
      const copse = await connect(new URL(location).searchParams.get("hub"));
      const member = await group(copse, "/guide").join();
      document.body.textContent = await withLock(copse, "/guide-lock", {}, async () => "locked");
      await member.close(); await copse.close();`;
    const page = await serveFolder(
      installed,
      `<!doctype html><link rel="icon" href="data:,">${map}<body><script type="module">${script}</script>`,
    );
    const browser = await launch();
    const opened = await openPage(browser, `${page.url}/?hub=${encodeURIComponent(hub.url)}`);
    await opened.page.getByText("locked", { exact: true }).waitFor();
    expectNoComplaints(opened);
    await browser.close();
    await page.close();
  });

  it("a test of one's own runs on @copse/testing, in milliseconds", async () => {
    const script = `
      import { lock } from "@copse/recipes/lock";
      import { testEnsemble } from "@copse/testing";
      const ensemble = await testEnsemble({ members: 3 });
      const [a, b] = [await ensemble.connect(), await ensemble.connect()];
      const from = performance.now();
      const held = await lock(a, "/lock");
      const next = lock(b, "/lock");
      await ensemble.expireSession(a);
      console.log(held.signal.aborted, (await next).token > held.token, performance.now() - from < 2_000);
      await ensemble.close();
    `;
    writeFileSync(join(installed, "own.js"), script);
    const run = new Process(process.execPath, ["own.js"], { cwd: installed });
    expect([await run.exited, run.out, run.err]).toEqual([0, "true true true\n", ""]);
  });
});

describe("the size, minified and gzipped, in bytes", () => {
  const recipes = Object.keys(
    (JSON.parse(readFileSync(join(root, "packages/recipes/package.json"), "utf8")) as { exports: object }).exports,
  );
  const lines = recipes.map((path, at) => `export * as r${at} from "@copse/recipes/${path.slice(2)}";`);
  const sizes: readonly (readonly [what: string, code: string, external: string[], budget: number])[] = [
    ["the client", 'export * from "@copse/client";', [], 13_550],
    ["lock and election", 'export * from "@copse/recipes/lock";\nexport * from "@copse/recipes/election";', ["@copse/client"], 2_700],
    ["everything, immer apart", `export * from "@copse/client";\n${lines.join("\n")}`, ["immer"], 20_800],
  ];
  it.each(sizes)("of %s is within its budget", async (what, code, external, budget) => {
    const bytes = await bundledBytes(code, external);
    console.log(`${what}: ${bytes} of ${budget} bytes`);
    expect(bytes).toBeLessThanOrEqual(budget);
    // The figure would be small where nothing was bundled.
    expect(bytes).toBeGreaterThan(500);
  });
});

async function bundledBytes(code: string, external: readonly string[]): Promise<number> {
  // Below the packages, so that their names are found.
  const entry = join(root, "test/.artifacts", `size-${Math.random().toString(36).slice(2)}.js`);
  mkdirSync(join(root, "test/.artifacts"), { recursive: true });
  writeFileSync(entry, code);
  try {
    const result = await build({
      root,
      configFile: false,
      logLevel: "error",
      build: {
        write: false,
        target: "es2022",
        minify: true,
        modulePreload: false,
        rollupOptions: { input: entry, preserveEntrySignatures: "strict", external: (id: string) => external.includes(id) },
      },
    });
    const [output] = Array.isArray(result) ? result : [result];
    if (output === undefined || !("output" in output)) throw new Error("nothing was bundled");
    return gzipSync(output.output.map((chunk) => ("code" in chunk ? chunk.code : "")).join("")).length;
  } finally {
    rmSync(entry);
  }
}
