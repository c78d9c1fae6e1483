/**
 * Three members under all the load that two cores give, for minutes: how often they elected a leader without need, and whether
 * sessions were lost.
 *
 *   node soak.js '{"folder":"/tmp/x","command":"…/copse.js","port":7451,"minutes":10}'
 */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startCopse } from "./systems.js";

const here = dirname(fileURLToPath(import.meta.url));
const { folder, command, port, minutes } = JSON.parse(process.argv[2] ?? "{}");
const { ports, pids, stop } = await startCopse(command, 3, folder, port);

/** A figure of each member. */
async function figures(name) {
  const texts = await Promise.all(ports.map(async (at) => (await fetch(`http://127.0.0.1:${at}/metrics`)).text()));
  return texts.map((text) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]));
}

const task = { system: "copse", work: "set", ports, pids, connections: 99, outstanding: 10, seconds: minutes * 60 };
const load = spawn(process.execPath, [join(here, "load.js"), JSON.stringify(task)], { stdio: ["ignore", "pipe", "inherit"] });
let text = "";
load.stdout.on("data", (chunk) => {
  text += chunk;
});
const ended = new Promise((resolve) => load.once("exit", resolve));
const before = Math.max(...(await figures("copse_term")));
let isOver = false;
void ended.then(() => {
  isOver = true;
});
let longestScrapeMs = 0;
let turnMs = 0;
while (!isOver) {
  const from = performance.now();
  turnMs = Math.max(turnMs, ...(await figures("copse_turn_max_seconds")).map((seconds) => seconds * 1_000));
  longestScrapeMs = Math.max(longestScrapeMs, performance.now() - from);
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2_000))]);
}
const falseElections = Math.max(...(await figures("copse_term"))) - before;
await stop();
const { opsPerSecond, p99Ms, serverCpuUs } = JSON.parse(text);
console.log(
  JSON.stringify({
    minutes,
    falseElections,
    setsPerSecond: opsPerSecond,
    p99Ms,
    serversCores: Math.round(opsPerSecond * serverCpuUs) / 1e6,
    longestTurnMs: Math.round(turnMs * 10) / 10,
    longestScrapeMs: Math.round(longestScrapeMs),
  }),
);
process.exit(0);
