/**
 * time: the state's time against a member's wall clock, and the step that brings it there.
 */
import { print, type Shared, withClient } from "../terminal.ts";

export async function showTime(shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (client) => {
    const { member, time, wallOffsetMs } = await client.stats();
    if (shared.output === "json") return print(JSON.stringify({ member, time, wallOffsetMs }));
    print(`state           ${instant(time)}`);
    print(`clock of ${member.padEnd(6)} ${instant(time + wallOffsetMs)} (${distance(wallOffsetMs)})`);
  });
}

export async function stepTime(shared: Shared): Promise<void> {
  await withClient(shared, {}, async (client) => {
    const before = (await client.stats()).time;
    const time = await client.stepTime();
    const { wallOffsetMs } = await client.stats();
    if (shared.output === "json") return print(JSON.stringify({ before, time, wallOffsetMs }));
    print(`state           ${instant(before)} → ${instant(time)} (the clock is ${distance(wallOffsetMs)})`);
    if (wallOffsetMs < -secondMs) print("The state's time never goes back: it runs a tenth slower until the clock has caught up.");
  });
}

const secondMs = 1_000;

function instant(time: number): string {
  return new Date(time).toISOString();
}

function distance(offsetMs: number): string {
  const seconds = Math.round(Math.abs(offsetMs) / secondMs);
  return seconds === 0 ? "with it" : `${seconds} s ${offsetMs > 0 ? "ahead" : "behind"}`;
}
