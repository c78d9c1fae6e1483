/**
 * The guide tells the truth: it builds, its links lead somewhere, its code is type-checked and run against a real hub, its commands are
 * typed, every error and every recipe has its place.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CopseError } from "@copse/client";
import { errorCodes } from "@copse/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHub, temporaryFolder } from "../support/hub.ts";
import { copse, copseWith, freePort, killAll, Process, root, serve } from "../support/processes.ts";

const docs = join(root, "apps/docs");
const pages = readdirSync(docs, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".md") && !/node_modules|^\.vitepress|^reference/.test(name))
  .sort();
const generated = join(root, "test/.artifacts/guide");
/** Codes that only a client knows. */
const clientCodes = ["TIMEOUT", "CLOSED", "SCHEMA", "OVERLOADED"];

interface Block {
  readonly language: string;
  readonly code: string;
}

function textOf(page: string): string {
  return readFileSync(join(docs, page), "utf8");
}

function blocksOf(page: string): Block[] {
  return [...textOf(page).matchAll(/^```(\S*)\n([\s\S]*?)^```/gm)].map((found) => ({ language: found[1] ?? "", code: found[2] ?? "" }));
}

/** All of a page's code as one module; what it takes for granted is connected before it. */
function moduleOf(page: string, url: string): string | null {
  const code = blocksOf(page)
    .filter(({ language }) => language === "ts")
    .map((block) => block.code);
  if (code.length === 0) return null;
  const imports = code.flatMap((block) => block.match(/^import .*$/gm) ?? []);
  const body = code.map((block) => block.replace(/^import .*$/gm, "")).join("\n");
  const isConnecting = /const copse = await connect/.test(body);
  return [
    ...new Set(imports),
    'import { connect as connectGuide, type Copse as GuideCopse } from "@copse/client";',
    `const url = ${JSON.stringify(url)};`,
    "const other: GuideCopse = await connectGuide(url);",
    isConnecting ? "" : "const copse: GuideCopse = await connectGuide(url);",
    body,
    "await other.close();",
    isConnecting ? "void url;" : "await copse.close();",
    "export {};",
  ].join("\n");
}

function fileOf(page: string): string {
  return join(generated, `${page.replaceAll("/", "-").replace(".md", "")}.ts`);
}

beforeAll(() => {
  rmSync(generated, { recursive: true, force: true });
  mkdirSync(generated, { recursive: true });
});
afterAll(killAll);

describe("the guide", () => {
  it("builds, and no link leads to a page that is not there", () => {
    const out = temporaryFolder("guide");
    const { status, stderr } = spawnSync(join(docs, "node_modules/.bin/vitepress"), ["build", docs, "--outDir", out], { encoding: "utf8" });
    expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
    const built = (page: string): string => readFileSync(join(out, page.replace(".md", ".html")), "utf8");
    for (const page of pages) {
      for (const [, to = "", anchor = ""] of textOf(page).matchAll(/\]\((\.[^)#\s]*)?#([^)\s]+)\)/g)) {
        const target = to === "" ? page : join(page, "..", `${to.replace(/\.md$/, "")}.md`);
        expect([page, target, built(target).includes(`id="${anchor}"`)]).toEqual([page, target, true]);
      }
    }
    for (const code of [...errorCodes, ...clientCodes]) {
      const { help } = new CopseError(code as "CLOSED", "x");
      expect([code, built("errors.md").includes(`id="${new URL(help).hash.slice(1)}"`)]).toEqual([code, true]);
    }
    rmSync(out, { recursive: true, force: true });
  });

  it("has a reference of every public name, made from the types", async () => {
    const out = temporaryFolder("reference");
    const { status, stderr } = spawnSync(join(docs, "node_modules/.bin/typedoc"), ["--options", join(docs, "typedoc.json"), "--out", out], {
      cwd: docs,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
    const reference = readdirSync(out, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => readFileSync(join(out, name), "utf8"))
      .join("\n");
    const client = await import("@copse/client");
    const testing = await import("@copse/testing");
    const names = [...Object.keys(client), ...Object.keys(testing), ...Object.getOwnPropertyNames(client.Copse.prototype)];
    expect(names.filter((name) => name !== "constructor" && !reference.includes(name))).toEqual([]);
    rmSync(out, { recursive: true, force: true });
  });

  it("has pictures that are drawn from their texts", async () => {
    const { draw } = (await import(join(docs, "pictures/draw.js"))) as { draw: (source: string) => string };
    const names = readdirSync(join(docs, "pictures")).filter((name) => name.endsWith(".txt"));
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) {
      const drawn = readFileSync(join(docs, "public/pictures", name.replace(".txt", ".svg")), "utf8");
      expect([name, drawn === draw(readFileSync(join(docs, "pictures", name), "utf8"))]).toEqual([name, true]);
    }
  });

  it("has a page for each recipe, with what it promises, what happens when it fails, and its token", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "packages/recipes/package.json"), "utf8")) as { exports: object };
    for (const path of Object.keys(exports)) {
      const text = textOf(`recipes/${path.slice(2)}.md`);
      for (const heading of ["## When it fails", "oken", "## What it promises", `"@copse/recipes/${path.slice(2)}"`]) {
        expect([path, heading, text.includes(heading)]).toEqual([path, heading, true]);
      }
    }
  });

  it("shows every public function, class and method in code that runs", async () => {
    const code = pages
      .flatMap((page) => blocksOf(page))
      .filter(({ language }) => language === "ts")
      .map((block) => block.code)
      .join("\n");
    const shown = new Set(code.match(/[A-Za-z]+/g));
    const client = await import("@copse/client");
    const testing = await import("@copse/testing");
    const { exports } = JSON.parse(readFileSync(join(root, "packages/recipes/package.json"), "utf8")) as { exports: object };
    const recipes = await Promise.all(
      Object.keys(exports).map((path) => import(join(root, "packages/recipes/src", `${path.slice(2)}.ts`))),
    );
    const methodsOf = ({ prototype }: { prototype: object }): string[] => Object.getOwnPropertyNames(prototype);
    const names = [
      ...Object.keys(client),
      ...methodsOf(client.Copse),
      ...methodsOf(Object.getPrototypeOf(client.Copse) as { prototype: object }),
      ...recipes.flatMap((recipe) => Object.keys(recipe as object)),
      ...methodsOf(testing.TestEnsemble),
      "testEnsemble",
    ].filter((name) => name !== "constructor");
    expect(names.length).toBeGreaterThan(80);
    expect(names.filter((name) => !shown.has(name))).toEqual([]);
  });

  it("has no code that nobody runs or reads", () => {
    // text: for reading, such as what is typed on several machines. html: the import map, which test/packaging puts into a page.
    const languages = new Set(pages.flatMap((page) => blocksOf(page).map(({ language }) => language)));
    expect([...languages].sort()).toEqual(["html", "sh", "text", "ts"]);
  });

  it("names no flag in what is only read that the command does not have", () => {
    const { stdout } = spawnSync(process.execPath, [join(root, "apps/cli/bin/copse.js"), "serve", "--help"], { encoding: "utf8" });
    const texts = pages.flatMap((page) => blocksOf(page)).filter(({ language }) => language === "text");
    const lines = texts.flatMap(({ code }) => code.replace(/\\\n\s*/g, "").split("\n"));
    // Of a command that starts another one, what comes after the name of ours.
    const flags = lines.flatMap((line) => /\bcopse serve .*/.exec(line)?.[0].match(/--[a-z-]+/g) ?? []);
    expect(flags.length).toBeGreaterThan(5);
    expect(flags.filter((flag) => !stdout.includes(`${flag} `))).toEqual([]);
  });

  it("has code whose types are right", () => {
    for (const page of pages) {
      const code = moduleOf(page, "ws://127.0.0.1:7181");
      if (code !== null) writeFileSync(fileOf(page), code);
    }
    const settings = {
      extends: join(root, "test/tsconfig.json"),
      compilerOptions: { noUnusedLocals: false, rootDir: root, types: ["node"], typeRoots: [join(root, "test/node_modules/@types")] },
      include: ["*.ts"],
    };
    writeFileSync(join(generated, "tsconfig.json"), JSON.stringify(settings));
    for (const project of [generated, docs]) {
      const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", project], { encoding: "utf8" });
      expect([status, stdout]).toEqual([0, ""]);
    }
  });
});

/** An issuer that signs with a secret, for the page on tokens. */
function identityFile(): string {
  const folder = temporaryFolder("guide");
  const secret = "a secret of the guide, of over 32 bytes";
  process.env["COPSE_SECRET"] = secret;
  writeFileSync(join(folder, "secret"), secret);
  const keys = { secretFiles: [join(folder, "secret")] };
  const issuers = [{ name: "app", issuer: "https://app.example.com", audience: "copse", keys, claims: { tenant: "/tenant" } }];
  writeFileSync(join(folder, "identity.json"), JSON.stringify({ issuers, anonymous: "session" }));
  return join(folder, "identity.json");
}

describe("the files that the page on tokens shows", () => {
  it("are taken by a hub: the identities, the rules, and the cases that check them", async () => {
    const folder = temporaryFolder("guide");
    const snippet = (name: string): string => join(docs, "snippets", name);
    writeFileSync(join(folder, "super"), (await copseWith("a super password", "ws://127.0.0.1:9", "hash-password")).out);
    const flags = ["--log-level", "error", "--identity", snippet("identity.json"), "--super-file", join(folder, "super")];
    const hub = await serve(join(folder, "data"), await freePort(), ...flags);
    const run = (...args: string[]): ReturnType<typeof copse> => copse(hub.url, "--super", "a super password", ...args);
    expect(await run("create", "/users/ada/theme", "dark", "--parents")).toMatchObject({ code: 0, err: "" });
    expect(await run("rules", "set", snippet("rules.json"))).toMatchObject({ code: 0, err: "" });
    expect(await run("rules", "check", snippet("cases.json"))).toMatchObject({ code: 0, out: "2 of 2 cases are as expected\n" });
  });
});

describe("the code of", () => {
  it.each(pages.filter((page) => moduleOf(page, "") !== null))("%s runs", async (page) => {
    const fresh = await startHub({ identityFile: identityFile() });
    const file = fileOf(page).replace(".ts", ".run.ts");
    writeFileSync(file, moduleOf(page, fresh.url)!);
    await import(/* @vite-ignore */ pathToFileURL(file).href);
    await fresh.destroy();
  });
});

describe("the commands of", () => {
  it.each(pages.filter((page) => blocksOf(page).some(({ language }) => language === "sh")))("%s work", async (page) => {
    const hub = await serve(temporaryFolder("guide"), await freePort(), "--log-level", "error");
    const lines = blocksOf(page)
      .filter(({ language }) => language === "sh")
      .flatMap(({ code }) => code.trim().split("\n"));
    for (const line of lines) {
      const typed = new Process("sh", ["-c", line], { cwd: root, env: { ...process.env, COPSE_URL: hub.url } });
      expect([line, await typed.exited, typed.err.replace(/npm warn.*\n/g, "")]).toEqual([line, 0, ""]);
    }
  });
});
