/**
 * A rolling upgrade: members of the commit before, replaced one at a time by what is checked out.
 */
import { connect } from "@copse/client";
import { afterEach, expect, it } from "vitest";
import { EnsembleProcesses } from "../support/ensemble.ts";
import { buildCommit, previousCommit } from "../support/older-build.ts";
import { command, killAll } from "../support/processes.ts";
import { expectRollingRestart } from "../support/rolling-restart.ts";

afterEach(killAll);

it("[F1] upgrades an ensemble of the previous build member by member, and takes it back, under a session with a lock and a subscriber", async () => {
  const commit = previousCommit();
  if (commit === null) return console.warn("SKIPPED: a rolling upgrade needs the commit before; this clone is shallow");
  const ensemble = await EnsembleProcesses.start(3, { command: buildCommit(commit) });
  const client = await connect(ensemble.urls);
  await client.create("/written-before", "kept");
  ensemble.command = command;
  await expectRollingRestart(ensemble);
  expect((await client.get("/written-before", { linearizable: true })).data).toBe("kept");
  // And back, as long as nothing was used that only the newer one reads.
  await client.set("/written-before", "and changed");
  ensemble.command = buildCommit(commit);
  await expectRollingRestart(ensemble);
  expect((await client.get("/written-before", { linearizable: true })).data).toBe("and changed");
  await client.close();
});
