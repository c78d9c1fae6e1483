/**
 * Clients who take and leave the same thing again and again, on clocks of different speed, while connections are cut,
 * sessions are lost and the member restarts.
 */
import type { Copse } from "@copse/client";
import { TestEnsemble } from "@copse/testing";
import { settled } from "./settled.ts";

export interface Holder {
  readonly token: number;
  readonly signal: AbortSignal;
  close(): Promise<void>;
}

export interface Contention {
  readonly hub: TestEnsemble;
  /** How many held it at once with their signals unaborted, as each that came saw it. */
  readonly mostAtOnce: number;
  /** Of all holders, in the order in which they came. */
  readonly tokens: readonly number[];
}

/** Everybody has left, and closed, when it resolves. */
export async function contend(options: {
  /** Speeds of the clients' clocks, one client for each. */
  readonly speeds: readonly number[];
  readonly rounds: number;
  /** How long each holds, in milliseconds. */
  readonly holdMs: number;
  readonly take: (copse: Copse) => Promise<Holder>;
}): Promise<Contention> {
  const { speeds, rounds, holdMs, take } = options;
  const hub = new TestEnsemble();
  const clients = await Promise.all(speeds.map((speed) => hub.connect({ sessionTimeoutMs: 3_000, speed })));
  const holders = new Set<AbortSignal>();
  const tokens: number[] = [];
  let mostAtOnce = 0;
  let isOver = false;
  const work = clients.map(async (copse) => {
    while (!isOver) {
      try {
        const held = await take(copse);
        holders.add(held.signal);
        mostAtOnce = Math.max(mostAtOnce, [...holders].filter(({ aborted }) => !aborted).length);
        tokens.push(held.token);
        await new Promise<void>((resolve) => void hub.after(holdMs, resolve));
        holders.delete(held.signal);
        await held.close();
      } catch {
        // The session was lost while waiting or releasing: the next round is in a new one.
        await copse.connected().catch(() => {});
      }
      await settled();
    }
  });
  for (let round = 0; round < rounds; round++) {
    await hub.advance(300);
    if (round % 5 === 1) hub.dropConnections();
    if (round % 7 === 3) hub.cutOff();
    if (round % 7 === 3 + (round % 3)) {
      await hub.advance(round % 2 === 0 ? 1_000 : 6_000);
      hub.heal();
    }
    if (round % 20 === 19) hub.restart();
  }
  hub.heal();
  isOver = true;
  await hub.advance(30_000);
  await Promise.all(work);
  for (const copse of clients) await copse.close();
  await hub.advance(10_000);
  return { hub, mostAtOnce, tokens };
}
