/**
 * `pnpm bench --bare`: copse beside servers that only move the same frames, in one run, so that each figure is also a ratio to what its
 * carrier can do at all.
 */
import { startBare } from "./systems.js";

const rows = [
  { name: "get 100 B, 10 × 20", work: "get", connections: 10, outstanding: 20, goal: { "uws-publish": 0.66 } },
  { name: "1 KiB to 1 000", work: "fan-out", connections: 1_000, bytes: 1_024, goal: { "uws-publish": 0.95, "uws-send": 1 } },
];

/** @param begin starts copse; `run` loads a system; `isWs`: ws carries copse */
export async function runBare({ begin, load, isWs, port, seconds }) {
  const kinds = isWs ? ["uws-publish", "ws", "net"] : ["uws-publish", "uws-send", "net"];
  const copse = await begin("copse", 1);
  const bare = await Promise.all(kinds.map(async (kind, at) => [kind, await startBare(kind, port + at * 10)]));
  const figures = {};
  for (const { name, goal, ...row } of rows) {
    const measured = { copse: await copse.run(row) };
    for (const [kind, { ports, pids }] of bare) measured[kind] = await load({ seconds, ...row, system: "copse", ports, pids });
    for (const [kind, { opsPerSecond, serverCpuUs }] of Object.entries(measured)) {
      figures[`${name}: ${kind}`] = `${opsPerSecond.toLocaleString("en")}/s, ${serverCpuUs} µs`;
    }
    for (const kind of kinds) {
      const ratio = measured.copse.opsPerSecond / measured[kind].opsPerSecond;
      const wanted = isWs ? goal[kind] && 0.75 : goal[kind];
      const mark = wanted === undefined ? "" : ratio >= wanted ? " ✓" : ` ✗ (${wanted})`;
      figures[`${name}: copse over ${kind}`] = `${ratio.toFixed(2)} ×${mark}`;
    }
  }
  await copse.end();
  for (const [, { stop }] of bare) await stop();
  return figures;
}
