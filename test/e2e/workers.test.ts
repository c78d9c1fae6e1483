/** The lock worker of the examples: three processes, one file, one lock. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/hub.ts";
import { freePort, killAll, Process, root, serve } from "../support/processes.ts";

afterEach(killAll);

interface Turn {
  readonly name: string;
  readonly token: number;
  readonly count: number;
}

function start(url: string, file: string, name: string, ...flags: string[]): Process {
  return new Process(process.execPath, [
    join(root, "apps/examples/dist/lock-worker.js"),
    "--url",
    url,
    "--file",
    file,
    "--name",
    name,
    ...flags,
  ]);
}

function journal(file: string): Turn[] {
  const lines = readFileSync(`${file}.journal`, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Turn);
}

/** Each turn has a greater token and counts one on: had two workers been in at once, one count would be there twice. */
function expectOneAtATime(turns: readonly Turn[], total: number): void {
  expect(turns.map(({ count }) => count)).toEqual(Array.from({ length: total }, (_, at) => at + 1));
  for (const [at, turn] of turns.entries()) if (at > 0) expect(turn.token).toBeGreaterThan(turns[at - 1]!.token);
}

describe("three workers under one lock", () => {
  it("take 50 turns each, never two at once", async () => {
    const folder = temporaryFolder("workers");
    const hub = await serve(join(folder, "data"), await freePort());
    const file = join(folder, "counter.json");
    const workers = ["ash", "birch", "cedar"].map((name) => start(hub.url, file, name));
    expect(await Promise.all(workers.map((worker) => worker.exited))).toEqual([0, 0, 0]);
    const turns = journal(file);
    expectOneAtATime(turns, 150);
    for (const name of ["ash", "birch", "cedar"]) expect(turns.filter((turn) => turn.name === name)).toHaveLength(50);
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ count: 150 });
  });

  it("go on when one is killed with -9 while it holds the lock", async () => {
    const folder = temporaryFolder("killed");
    const hub = await serve(join(folder, "data"), await freePort());
    const file = join(folder, "counter.json");
    const doomed = start(hub.url, file, "doomed", "--hold-at", "11");
    const others = ["birch", "cedar"].map((name) => start(hub.url, file, name));
    await doomed.printed(/doomed holds the lock/);
    await doomed.kill9();
    const heir = start(hub.url, file, "heir", "--turns", "40");
    expect(await Promise.all([...others, heir].map((worker) => worker.exited))).toEqual([0, 0, 0]);
    const turns = journal(file);
    expectOneAtATime(turns, 150);
    expect(turns.filter((turn) => turn.name === "doomed")).toHaveLength(10);
  });
});
