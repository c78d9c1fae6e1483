/** The command line, as a newcomer meets it: what it prints, and what its exit codes say. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/hub.ts";
import { command, copse, copseWith, freePort, killAll, Process, root, type ServedHub, serve } from "../support/processes.ts";

let hub: ServedHub;
const folder = temporaryFolder("command");

beforeAll(async () => {
  hub = await serve(join(folder, "data"), await freePort());
});
afterAll(killAll);

async function run(...args: string[]): Promise<string> {
  const { code, out, err } = await copse(hub.url, ...args);
  expect(err).toBe("");
  expect(code).toBe(0);
  return out;
}

describe("znodes", () => {
  it("are created, read, changed, listed and deleted", async () => {
    expect(await run("create", "/cli", "one")).toBe("/cli\n");
    expect(await run("get", "/cli")).toBe("one\n");
    expect(await run("set", "/cli", "two", "--version", "0")).toBe("/cli has version 1\n");
    expect(await run("create", "/cli/q-", "--sequential")).toBe("/cli/q-0000000000\n");
    expect(await run("create", "/cli/a/b/c", "deep", "--parents")).toBe("/cli/a/b/c\n");
    expect(await run("ls", "/cli")).toBe("a\nq-0000000000\n");
    expect(await run("ls", "-l", "/cli")).toMatch(/1 children +0 B +v0 +20.*Z {2}a\n/);
    expect(await run("tree", "/cli", "--data")).toBe('/cli  = "two"\n  a\n    b\n      c  = "deep"\n  q-0000000000\n');
    expect(await run("stat", "/cli")).toMatch(/^version +1$/m);
    expect(await run("rm", "-r", "/cli/a")).toBe("deleted /cli/a and 2 below\n");
    expect(await run("rm", "/cli/q-0000000000")).toBe("deleted /cli/q-0000000000\n");
  });

  it("are bounded by quotas, which show what is used", async () => {
    expect(await run("quota", "list")).toMatch(/^no quotas; /);
    await run("create", "/bounded", "12345");
    await run("quota", "set", "/bounded", "--count", "2", "--soft-bytes", "4");
    await run("create", "/bounded/a");
    expect(await copse(hub.url, "create", "/bounded/b")).toMatchObject({
      code: 1,
      err: expect.stringContaining("the quota of /bounded is used up"),
    });
    expect(await run("quota", "list")).toMatch(/^\/bounded +2 of – \/ 2 +5 of 4 \/ –, over$/m);
    await run("quota", "set", "/bounded", "--count", "3");
    await run("create", "/bounded/b");
    await run("quota", "remove", "/bounded");
    await run("create", "/bounded/c");
    expect((await copse(hub.url, "quota", "set", "/bounded")).code).toBe(2);
  });

  it("with options before or after the subcommand", async () => {
    const { code, out } = await copse("ws://127.0.0.1:9", "get", "/copse/config", "-o", "json", "--url", hub.url);
    expect([code, JSON.parse(out).path]).toEqual([0, "/copse/config"]);
  });

  it("as JSON, one object a line", async () => {
    await run("create", "/json", "x");
    expect(JSON.parse(await run("-o", "json", "get", "/json"))).toMatchObject({ path: "/json", data: "x", stat: { version: 0 } });
    expect(JSON.parse(await run("-o", "json", "set", "/json", "y"))).toMatchObject({ path: "/json", stat: { version: 1 } });
    expect(JSON.parse(await run("-o", "json", "stat", "/json"))).toMatchObject({ version: 1 });
  });

  it("take data from files and standard input, bytes too", async () => {
    const file = join(folder, "bytes");
    writeFileSync(file, Buffer.from([0xff, 0x00, 0x41]));
    await run("create", "/bytes", "--file", file);
    expect(JSON.parse(await run("-o", "json", "get", "/bytes"))).toMatchObject({ data64: "/wBB" });
    expect((await copseWith("from stdin", hub.url, "set", "/new/znode", "-", "--create")).code).toBe(0);
    expect(await run("get", "/new/znode")).toBe("from stdin\n");
  });

  it("say who may do what with them, and what their children get", async () => {
    await run("create", "/acl");
    expect(await run("getacl", "/acl")).toBe("world:anyone:read,write,create,delete,admin\n");
    await run("setacl", "/acl", "--default", "world:anyone:rc");
    await run("setacl", "/acl", "world:anyone:read,create,admin", "ip:10.0.0.0/8:rwcda");
    await run("create", "/acl/child");
    expect(await run("getacl", "/acl/child")).toBe("world:anyone:read,create\ndefault world:anyone:read,create\n");
    await run("setacl", "/acl", "--no-default");
    expect(await run("getacl", "/acl")).toBe("world:anyone:read,create,admin\nip:10.0.0.0/8:read,write,create,delete,admin\n");
    expect(await copse(hub.url, "setacl", "/acl", "world:anyone")).toMatchObject({
      code: 2,
      err: expect.stringContaining("scheme:id:permissions"),
    });
  });

  it("are watched", async () => {
    const watch = new Process(process.execPath, [
      command,
      "--url",
      hub.url,
      "-o",
      "json",
      "watch",
      "/watched",
      "--scope",
      "tree",
      "-n",
      "3",
    ]);
    // The command says nothing until something happens: changes are made until it has seen one.
    const pulse = setInterval(() => void copse(hub.url, "set", "/watched", "x", "--create"), 300);
    expect(await watch.exited).toBe(0);
    clearInterval(pulse);
    const kinds = watch.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).kind);
    expect(kinds).toHaveLength(3);
  });
});

describe("errors", () => {
  it.each([
    [["get", "/none"], 3, "NO_NODE: the znode does not exist (/none)"],
    [["stat", "/none"], 3, "NO_NODE"],
    [["create", "/copse"], 2, "reserved"],
    [["create", "/errors"], 4, "NODE_EXISTS"],
    [["set", "/errors", "x", "--version", "7"], 4, "it has version 0"],
    [["rm", "/"], 2, "reserved"],
    [["set", "/errors"], 2, "give the data, or --file"],
    [["get", "no-slash"], 2, "path: a path starts with /"],
    [["create", "/no/parent"], 3, "--parents creates it"],
    [["set", "/none", "x"], 3, "--create creates it"],
    [["--url", "127.0.0.1:7181", "get", "/"], 2, "is not an address such as ws://127.0.0.1:7181"],
    [["lock", "/locks/e", "--", "no-such-program"], 2, "no-such-program: no such command"],
    [["frob"], 2, "unknown command 'frob'"],
    [["get"], 2, "missing required argument 'path'"],
    [["set", "/errors", "x", "--version", "x"], 2, "not an integer"],
    [["watch", "/", "--scope", "all"], 2, "--scope is node, children or tree"],
  ])("%j end with %i and say why", async (args, code, words) => {
    await copse(hub.url, "create", "/errors");
    const result = await copse(hub.url, ...args);
    expect([result.code, result.out]).toEqual([code, ""]);
    expect(result.err).toContain(words);
  });

  it("say what to do where nobody answers", async () => {
    const { code, err } = await copse("ws://127.0.0.1:9", "--timeout", "300", "get", "/");
    expect(code).toBe(5);
    expect(err).toContain("Start one with: copse serve");
  });

  it("of settings name the setting", async () => {
    for (const [flags, words] of [
      [["--listen", "0.0.0.0:0"], "--insecure"],
      [["--listen", "nonsense"], "HOST:PORT"],
      [["--listen", `127.0.0.1:${hub.port}`], "is in use"],
      [["--id", "x"], "positive integer"],
      [["--transport", "pigeon"], "auto, ws, uws"],
      [["--peers", "2=127.0.0.1:1,3=127.0.0.1:2"], "--join"],
      [["--peers", "1=127.0.0.1"], "ID=HOST:PORT"],
      [["--peer-listen", "0.0.0.0:7291"], "--peer-secret-file"],
      [["--peer-secret-file", "/none"], "can't be read"],
      [["--tls-cert", "x"], "given together"],
      [["--config", "/none.json"], "there is no"],
    ] as const) {
      const refused = new Process(process.execPath, [
        command,
        "serve",
        "--data",
        join(folder, "refused"),
        "--listen",
        "127.0.0.1:0",
        ...flags,
      ]);
      expect([flags, await refused.exited]).toEqual([flags, 2]);
      expect(refused.err).toContain(words);
    }
  });

  it("help lists the commands and the exit codes", async () => {
    const help = await run("--help");
    for (const word of [
      "serve",
      "get",
      "set",
      "create",
      "rm",
      "ls",
      "stat",
      "tree",
      "watch",
      "import",
      "export",
      "lock",
      "elect",
      "Exit codes",
    ])
      expect(help).toContain(word);
  });
});

describe("import and export", () => {
  it("carry a subtree over, in both forms, and leave alone what is there unless told", async () => {
    await run("create", "/from/a/b", "deep", "--parents");
    await run("set", "/from", 'with "quotes" and\nlines');
    const bytes = join(folder, "bytes2");
    writeFileSync(bytes, Buffer.from([0xfe]));
    await run("create", "/from/bin", "--file", bytes);
    const lines = await run("export", "/from");
    expect(lines.split("\n")[0]).toMatch(/^\{"copse":"subtree","format":2,"salt":"[^"]+"\}$/);
    expect(lines.split("\n")[1]).toContain('{"path":".","data":"with \\"quotes\\" and\\nlines","acl":[{');
    const array = await run("-o", "json", "export", "/from");
    expect(JSON.parse(array)).toHaveLength(6);
    for (const [to, text] of [
      ["/to/lines", lines],
      ["/to/array", array],
    ] as const) {
      expect((await copseWith(text, hub.url, "import", to)).code).toBe(0);
      expect(await run("export", to)).toBe(lines);
    }
    const conflict = await copseWith(lines, hub.url, "import", "/to/lines");
    expect([conflict.code, conflict.err]).toEqual([4, expect.stringContaining("--conflict")]);
    await run("set", "/to/lines/a/b", "mine");
    expect((await copseWith(lines, hub.url, "import", "/to/lines", "--conflict", "skip")).err).toContain("left 4 as they were");
    expect(await run("get", "/to/lines/a/b")).toBe("mine\n");
    await copseWith(lines, hub.url, "import", "/to/lines", "--conflict", "overwrite");
    expect(await run("get", "/to/lines/a/b")).toBe("deep\n");
    const bad = await copseWith('{"path":"x"}\nnonsense', hub.url, "import", "/to/bad", "--unchecked");
    expect([bad.code, bad.err]).toEqual([2, expect.stringContaining("line 2 is not JSON")]);
    const odd = await copseWith('{"path":"x","data64":"!"}', hub.url, "import", "/to/bad", "--unchecked");
    expect([odd.code, odd.err]).toEqual([2, expect.stringContaining("line 1: data64 is not base64")]);
  });

  it("prints nothing where something may not be read: what is missing in a file looks like what never was", async () => {
    await run("create", "/partly", "seen");
    await run("create", "/partly/hidden", "a secret");
    await run("setacl", "/partly/hidden", "digest:owner:28CharactersOfSomething=:read,admin");
    expect(await copse(hub.url, "export", "/partly")).toMatchObject({ out: "", err: expect.stringContaining("NO_AUTH") });
    expect(await copse(hub.url, "export", "/partly", "--file", join(folder, "partly"))).not.toMatchObject({ code: 0 });
    await run("rm", "-r", "/partly");
  });

  it("of a real file and of the whole tree, which leaves the system's own out", async () => {
    await run("set", "/config/web", "--file", join(root, "apps/examples/config.json"), "--create");
    expect(await run("get", "/config/web")).toBe(`${readFileSync(join(root, "apps/examples/config.json"), "utf8")}\n`);
    const all = (await run("export", "/"))
      .trim()
      .split("\n")
      .slice(1, -1)
      .map((line) => JSON.parse(line).path);
    expect(all).toContain("config/web");
    expect(all.filter((path) => path.startsWith("copse"))).toEqual([]);
  });
});

describe("lock and elect", () => {
  it("run a command while holding, with the token in its environment and its exit code as theirs", async () => {
    const { code, out } = await copse(hub.url, "lock", "/locks/cli", "--", "sh", "-c", "echo $COPSE_TOKEN $COPSE_ZNODE; exit 7");
    expect(code).toBe(7);
    expect(out).toMatch(/^\d+ \/locks\/cli\/lock-0000000000\n$/);
    expect((await copse(hub.url, "elect", "/election/cli", "--", "echo", "led")).out).toBe("led\n");
    expect(await run("ls", "/locks/cli")).toBe("");
  });

  it("exclude each other, and a wait ends", async () => {
    const holder = new Process(process.execPath, [command, "--url", hub.url, "lock", "/locks/held"]);
    await holder.printed(/locked: \/locks\/held\/lock-0000000000, token \d+/);
    const waiter = await copse(hub.url, "lock", "/locks/held", "--wait", "300", "--", "echo", "never");
    expect([waiter.code, waiter.out]).toEqual([4, ""]);
    expect(await run("ls", "/locks/held")).toBe("lock-0000000000\n");
    holder.child.kill("SIGINT");
    expect(await holder.exited).toBe(0);
    expect((await copse(hub.url, "lock", "/locks/held", "--", "echo", "now")).out).toBe("now\n");
  });
});

describe("npm start", () => {
  it("starts again quickly, says what to open and what to try, and what it says holds", async () => {
    const port = await freePort();
    const from = performance.now();
    const start = new Process(process.execPath, [
      join(root, "apps/cli/bin/start.js"),
      "--data",
      join(folder, "start"),
      "--listen",
      `127.0.0.1:${port}`,
    ]);
    const [, page] = await start.printed(/Open\s+(http:\S+)/);
    expect(performance.now() - from).toBeLessThan(15_000);
    const response = await fetch(page!);
    expect(response.headers.get("content-type")).toContain("text/html");
    const tries = [...start.out.matchAll(/npx copse (.+)/g)].map((found) => found[1]!).filter((line) => !line.startsWith("watch"));
    expect(tries.length).toBeGreaterThan(1);
    for (const line of tries) {
      const tried = new Process("npx", ["copse", ...line.match(/"[^"]*"|\S+/g)!.map((word) => word.replaceAll('"', ""))], {
        cwd: root,
        env: { ...process.env, COPSE_URL: `ws://127.0.0.1:${port}` },
      });
      expect([line, await tried.exited]).toEqual([line, 0]);
    }
    start.child.kill("SIGTERM");
    expect(await start.exited).toBe(0);
  });
});
