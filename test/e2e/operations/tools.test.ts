/** The command as operators and their scripts use it. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import { afterEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/hub.ts";
import { command, copse, freePort, killAll, Process, root, type ServedHub, serve, until } from "../../support/processes.ts";
import { RawClient } from "../../support/raw-client.ts";

afterEach(killAll);

const started = async (...flags: string[]): Promise<ServedHub> =>
  serve(temporaryFolder("tools"), await freePort(), "--log-level", "warn", ...flags);
const ran = async (...args: string[]): Promise<{ code: number | null; out: string; err: string }> => {
  const run = new Process(process.execPath, [command, ...args]);
  run.child.stdin?.end();
  return { code: await run.exited, out: run.out, err: run.err };
};

describe("the command", { timeout: 60_000 }, () => {
  it("says its version, and what is wrong with a file of settings before anything starts", async () => {
    const { version } = JSON.parse(readFileSync(`${root}/packages/server/package.json`, "utf8")) as { version: string };
    expect(await ran("--version")).toMatchObject({ code: 0, out: `${version}\n` });
    const file = `${temporaryFolder("config")}/copse.json`;
    for (const [settings, code, words] of [
      [{ listen: "127.0.0.1:7181", limits: { dataBytes: 2_000_000 } }, 0, ": ok"],
      [{ "trust-proxy": [] }, 2, "trustProxy"],
      [{ segmentBytes: -1 }, 2, "segmentBytes"],
      [{ listen: "0.0.0.0:7181" }, 2, "--insecure"],
      [{ tlsCert: "/none", tlsKey: "/none" }, 2, "can't be read"],
      [{ snapshotEvery: "soon", snapshotTo: "/tmp" }, 2, "such as 6h"],
    ] as const) {
      writeFileSync(file, JSON.stringify(settings));
      const { code: seen, out, err } = await ran("check-config", file);
      expect([settings, seen, out + err]).toEqual([settings, code, expect.stringContaining(words)]);
    }
  });

  it("completes its words in a shell, also those of commands below commands", async () => {
    const completed = (...words: string[]): string[] => {
      const script = `source <(${process.execPath} ${command} completion bash)
COMP_WORDS=(copse ${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=${words.length}; _copse; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return spawnSync("bash", ["-c", script], { encoding: "utf8" }).stdout.trim().split("\n");
    };
    expect(completed("sna")).toEqual(["snapshot"]);
    expect(completed("snapshot", "").sort()).toEqual(expect.arrayContaining(["restore", "save", "status", "verify"]));
    expect(completed("snapshot", "restore", "--d")).toEqual(["--data"]);
    expect(completed("serve", "--snapshot-e")).toEqual(["--snapshot-every"]);
    for (const shell of ["zsh", "fish"]) expect((await ran("completion", shell)).out).toContain("snapshot");
    expect(await ran("completion", "csh")).toMatchObject({ code: 2 });
  });

  it("says errors as JSON where JSON is asked for, and ends quietly where nobody reads on", async () => {
    const hub = await started();
    const { code, err } = await copse(hub.url, "-o", "json", "get", "/missing");
    expect([code, JSON.parse(err)]).toEqual([3, { error: { code: "NO_NODE", path: "/missing", message: expect.any(String) } }]);
    const client = await connect(hub.url);
    for (let at = 0; at < 20; at++) {
      await client.multi(
        Array.from({ length: 500 }, (_, each) => ({ op: "create", path: `/n${at * 500 + each}`, data: "x".repeat(50) }) as const),
      );
    }
    await client.close();
    const piped = `${process.execPath} ${command} --url ${hub.url} export / | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", piped], { encoding: "utf8" });
    expect([stdout.trim().split("\n").at(-1), stderr]).toEqual(["0", ""]);
  });
});

describe("locks and sessions", { timeout: 60_000 }, () => {
  it("are listed and broken, and who held them is told; a busy lock says so by its exit code", async () => {
    const audit = `${temporaryFolder("audit")}/log`;
    const hub = await started("--audit-file", audit);
    const client = await connect(hub.url, { name: "billing worker" });
    const held = await lock(client, "/locks/a");
    const busy = await copse(hub.url, "lock", "/locks/a", "--wait", "200", "true");
    expect([busy.code, busy.err]).toEqual([4, expect.stringContaining("is held")]);
    const shown = JSON.parse((await copse(hub.url, "-o", "json", "locks", "/locks")).out) as {
      path: string;
      places: { czxid: number; session: string }[];
    }[];
    expect(shown).toMatchObject([
      { path: "/locks/a", places: [{ czxid: held.token, session: client.sessionId, client: "billing worker" }] },
    ]);
    expect((await copse(hub.url, "locks")).out).toMatch(/\/locks\/a +lock-\d+ +first +\d+ +billing worker/);
    await until(async () => /"op":"create".*"name":"billing worker"/.test(readFileSync(audit, "utf8")));
    expect(await copse(hub.url, "unlock", "/locks/a", "--token", String(held.token + 1))).toMatchObject({ code: 4 });
    expect(held.signal.aborted).toBe(false);
    expect(await copse(hub.url, "unlock", "/locks/a", "--token", String(held.token))).toMatchObject({ code: 0 });
    await until(async () => held.signal.aborted);
    expect(await copse(hub.url, "lock", "/locks/a", "--wait", "5000", "--", "sh", "-c", "kill -TERM $$")).toMatchObject({ code: 143 });
    const id = client.sessionId!;
    expect((await copse(hub.url, "session", "list")).out).toMatch(new RegExp(`${id}.*billing worker.*127\\.0\\.0\\.1`));
    for (const name of ["x".repeat(129), "red \u001b[31m", "two\nlines", "\ud800"]) {
      const odd = await RawClient.open(`${hub.url}/v1`);
      expect([name, await odd.ask({ op: "connect", name })]).toMatchObject([name, { error: { code: "BAD_ARGUMENTS" } }]);
    }
    expect(await copse(hub.url, "session", "kill", id)).toMatchObject({ code: 0 });
    // An id that begins with a dash is one, and no flag.
    expect(await copse(hub.url, "session", "kill", "-abcdefghijklmnopqrstu")).toMatchObject({
      err: expect.stringContaining("SESSION_EXPIRED"),
    });
    expect((await copse(hub.url, "session", "list")).out).not.toContain(id);
    await client.close().catch(() => {});
  });
});
