/**
 * Members restarted one after the other under one session that holds one lock, writes and is subscribed to.
 */
import { type Change, connect } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import { expect } from "vitest";
import type { EnsembleProcesses } from "./ensemble.ts";
import { until } from "./processes.ts";

const writesEach = 20;

/** Restarts every member, and expects that the session, its lock and a subscriber live through it and miss nothing. */
export async function expectRollingRestart(ensemble: EnsembleProcesses): Promise<void> {
  const holder = await connect(ensemble.urls);
  const held = await lock(holder, "/lock");
  const session = holder.sessionId;
  const follower = await connect(ensemble.urls);
  await holder.create("/n", "0", { ephemeral: true });
  await follower.sync();
  const seen: string[] = [];
  const broken: Change[] = [];
  (async () => {
    for await (const change of follower.changes("/n")) {
      if (change.kind === "changed") seen.push(change.data ?? "");
      else if (change.kind === "resync") broken.push(change);
    }
  })().catch((error: unknown) => seen.push(String(error)));
  await follower.sync();
  let count = 0;
  for (const member of ensemble.members) {
    member.process.child.kill("SIGTERM");
    for (let write = 0; write < writesEach; write++) await holder.set("/n", String(++count), { guard: held.guard });
    expect(await member.process.exited).toBe(0);
    await ensemble.restart(member);
    for (let write = 0; write < writesEach; write++) await holder.set("/n", String(++count), { guard: held.guard });
  }
  await until(async () => seen.length >= count);
  expect(seen).toEqual(Array.from({ length: count }, (_, at) => String(at + 1)));
  expect(broken).toEqual([]);
  expect([holder.sessionId, held.signal.aborted]).toEqual([session, false]);
  await held.close();
  await holder.close();
  await follower.close();
}
