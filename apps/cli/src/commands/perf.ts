/**
 * perf: how fast the hub answers this machine, by a load of its own on znodes of its own, which go afterwards.
 */
import { randomBytes } from "node:crypto";
import { print, printTable, type Shared, withClient } from "../terminal.ts";

export interface PerfFlags {
  readonly seconds: number;
  readonly outstanding: number;
  readonly bytes: number;
}

interface Measured {
  readonly work: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function measure({ seconds, outstanding, bytes }: PerfFlags, shared: Shared): Promise<void> {
  await withClient(shared, {}, async (client) => {
    const { path } = await client.create("/perf-", "", { sequential: true, ephemeral: true });
    const node = `${path}-n`;
    await client.create(node, "", { ephemeral: true });
    const data = randomBytes(Math.ceil(bytes * 0.75))
      .toString("base64")
      .slice(0, bytes);
    const ms = (seconds * 1_000) / 3;
    const measured = [
      await run("set, one outstanding", 1, ms, () => client.set(node, data)),
      await run(`set, ${outstanding} outstanding`, outstanding, ms, () => client.set(node, data)),
      await run(`get, ${outstanding} outstanding`, outstanding, ms, () => client.get(node)),
    ];
    await client.delete(node);
    await client.delete(path);
    if (shared.output === "json") return print(JSON.stringify(measured));
    const rows = measured.map(({ work, perSecond, p50Ms, p99Ms }) => [
      work,
      perSecond.toFixed(0),
      `${p50Ms.toFixed(2)} ms`,
      `${p99Ms.toFixed(2)} ms`,
    ]);
    printTable([[`${bytes} bytes`, "a second", "p50", "p99"], ...rows]);
    print("\nThis is one client on one connection; pnpm bench in the repository measures the hub's maximum.");
  });
}

async function run(work: string, outstanding: number, ms: number, ask: () => Promise<unknown>): Promise<Measured> {
  const took: number[] = [];
  const from = performance.now();
  const loop = async (): Promise<void> => {
    while (performance.now() - from < ms) {
      const askedAt = performance.now();
      await ask();
      took.push(performance.now() - askedAt);
    }
  };
  await Promise.all(Array.from({ length: outstanding }, loop));
  const perSecond = (took.length * 1_000) / (performance.now() - from);
  took.sort((a, b) => a - b);
  const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
  return { work, perSecond, p50Ms: at(0.5), p99Ms: at(0.99) };
}
