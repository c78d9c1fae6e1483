/** The log: what it says of the ensemble, one write followed through all members, and a reader who stops reading. */
import { spawn } from "node:child_process";
import { connect } from "@copse/client";
import { afterEach, expect, it } from "vitest";
import { EnsembleProcesses } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { command, copse, freePort, killAll, until } from "../../support/processes.ts";

afterEach(killAll);

interface Line {
  readonly event?: string;
  readonly member: string;
  readonly cluster?: string;
  readonly term?: number;
  readonly session?: string;
  readonly id?: number;
  readonly msg: string;
}

const linesOf = (text: string): Line[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);

it("follows one write through all members by its name, and says who leads and who is removed", { timeout: 120_000 }, async () => {
  const ensemble = await EnsembleProcesses.start(3, { flags: ["--log-level", "debug"] });
  const client = await connect(ensemble.urls);
  await client.create("/followed", "x");
  const session = client.sessionId!;
  const seen = (kind: string): Line[] =>
    ensemble.members.flatMap(({ process }) => linesOf(process.err)).filter((line) => line.event === kind && line.session === session);
  await until(async () => seen("applied").length >= 3);
  const [proposed] = seen("proposed");
  const applied = seen("applied").filter(({ id }) => id === proposed!.id);
  expect(applied.map(({ member }) => member).sort()).toEqual(["1", "2", "3"]);
  expect(new Set(applied.map(({ cluster }) => cluster)).size).toBe(1);
  expect(applied.every(({ term }) => (term ?? 0) > 0)).toBe(true);
  const leader = await ensemble.leader();
  expect(linesOf(leader.process.err).some(({ event }) => event === "elected")).toBe(true);
  const removed = await ensemble.follower();
  const others = ensemble.members
    .filter((member) => member !== removed)
    .map(({ url }) => url)
    .join(",");
  expect((await copse(others, "member", "remove", removed.id)).code).toBe(0);
  await leader.process.printed(/"event":"member-removed"/);
  await client.close();
});

it("stands still for nobody: a member whose log nobody reads goes on, and ends", { timeout: 120_000 }, async () => {
  const port = await freePort();
  const flags = ["--data", temporaryFolder("stalled"), "--listen", `127.0.0.1:${port}`, "--log-level", "debug"];
  const child = spawn(process.execPath, [command, "serve", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  try {
    const exited = new Promise((resolve) => child.once("exit", resolve));
    // Its standard error is a pipe that is not read: some 64 KiB fit.
    child.stderr.pause();
    await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
    const client = await connect(`ws://127.0.0.1:${port}`);
    for (let count = 0; count < 2_000; count++) await client.set("/", String(count));
    expect((await client.get("/")).data).toBe("1999");
    await client.close();
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
  } finally {
    child.kill("SIGKILL");
  }
});
