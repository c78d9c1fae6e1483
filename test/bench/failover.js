/**
 * How long writes stall when the leader of three members is killed with -9, under serial writers on every member.
 *
 * Argument: JSON with folder, command, firstPort, rounds. Prints JSON. Times are milliseconds.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { connect } from "@copse/client";

const { folder, command, firstPort, rounds } = JSON.parse(process.argv[2]);
const writers = 6;
const ids = [1, 2, 3];
const peers = ids.map((id) => `${id}=127.0.0.1:${firstPort + 100 + id}`).join(",");
const urls = ids.map((id) => `ws://127.0.0.1:${firstPort + id}`);
const members = new Map();

async function start(id) {
  const addresses = ["--listen", `127.0.0.1:${firstPort + id}`, "--peer-listen", `127.0.0.1:${firstPort + 100 + id}`];
  const flags = ["serve", "--id", String(id), ...addresses, "--peers", peers, "--data", join(folder, String(id)), "--log-level", "error"];
  const child = spawn(process.execPath, [command, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  members.set(String(id), child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
await Promise.all(ids.map(start));
const clients = await Promise.all(Array.from({ length: writers }, (_, at) => connect([urls[at % 3], ...urls])));
await clients[0].create("/failover", "");
let writes = 0;
let answeredAt = performance.now();
let stallMs = 0;
let isOver = false;
const writing = clients.map(async (client) => {
  while (!isOver) {
    await client.set("/failover", `${++writes}`);
    const now = performance.now();
    stallMs = Math.max(stallMs, now - answeredAt);
    answeredAt = now;
  }
});
const stalls = [];
for (let round = 0; round < rounds; round++) {
  await pause(2_000);
  const { leader } = await clients[0].ensemble();
  stallMs = 0;
  answeredAt = performance.now();
  const exited = new Promise((resolve) => members.get(leader).once("exit", resolve));
  members.get(leader).kill("SIGKILL");
  await exited;
  await pause(2_000);
  stalls.push(Math.round(stallMs));
  await start(Number(leader));
}
isOver = true;
await Promise.all(writing);
for (const client of clients) await client.close();
for (const child of members.values()) child.kill("SIGKILL");
stalls.sort((a, b) => a - b);
console.log(JSON.stringify({ rounds, writes, stallMsMedian: stalls[stalls.length >> 1], stallMsMax: stalls[stalls.length - 1] }));
