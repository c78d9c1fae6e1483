/**
 * `pnpm bench --edges`: what edges on one machine carry: very many sessions, a change to all of them, and all of them coming back at once.
 *
 *   node edges.js '{"folder":"/tmp/x","command":"…/copse.js","port":7299,"connections":10000,"edges":2,"transport":"auto"}'
 *
 * The clients are the client package over `ws`, in this process, on the same cores. CPU is that of the member and of its edges apart, from /proc.
 */
import { readFileSync } from "node:fs";
import { connect } from "@copse/client";
import { childrenOf, startCopse } from "./systems.js";

const { folder, command, port, connections, edges, transport } = JSON.parse(process.argv[2] ?? "{}");
const opening = 64;
const changes = 10;
const timeoutMs = 30_000;
const round = (value) => Math.round(value * 10) / 10;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const { pids, stop } = await startCopse(command, 1, folder, port, ["--edges", String(edges), "--transport", transport]);
const [member] = pids;
/** CPU time so far, in microseconds. */
const cpuUs = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
};
const edgesUs = () => childrenOf(member).reduce((sum, pid) => sum + cpuUs(pid), 0);
const url = `ws://127.0.0.1:${port + 1}`;
const until = async (isDone) => {
  const from = performance.now();
  while (!isDone()) await pause(5);
  return performance.now() - from;
};

const writer = await connect(url);
await writer.create("/shown", "0");
let heard = 0;
let losses = 0;
let expired = 0;
const observer = { state: () => {}, changes: () => heard++, failed: () => {} };
const clients = [];
const openedFrom = performance.now();
while (clients.length < connections) {
  const batch = Array.from({ length: Math.min(opening, connections - clients.length) }, async () => {
    const client = await connect(url, { sessionTimeoutMs: timeoutMs });
    client.observe("/shown", { scope: "node" }, observer);
    client.onState((state) => {
      if (state === "expired") expired++;
      else if (state !== "connected" && state !== "closed") losses++;
    });
    return client;
  });
  clients.push(...(await Promise.all(batch)));
}
const openedMs = performance.now() - openedFrom;
await pause(1_000);

const [memberFrom, edgesFrom] = [cpuUs(member), edgesUs()];
const text = "x".repeat(1_024);
const times = [];
for (let change = 1; change <= changes; change++) {
  const from = performance.now();
  const setting = writer.set("/shown", `${change}${text}`);
  await until(() => heard >= change * connections);
  await setting;
  times.push(performance.now() - from);
}
const deliveries = changes * connections;
const [memberUs, carriedUs] = [cpuUs(member) - memberFrom, edgesUs() - edgesFrom];

// Heartbeats alone, for a third of the timeout and more: nobody is late.
const quietLosses = losses;
await pause(timeoutMs / 2);
const lateHeartbeats = losses - quietLosses;

const sessions = clients.map(({ sessionId }) => sessionId);
for (const pid of childrenOf(member)) process.kill(pid, "SIGKILL");
await until(() => losses - quietLosses >= connections);
const stormMs = await until(() => clients.every(({ state }) => state === "connected"));
await writer.set("/shown", "after the storm");
const toldMs = await until(() => heard >= (changes + 1) * connections);

console.log(
  JSON.stringify({
    edges,
    connections,
    "opened, sockets per second": Math.round((connections / openedMs) * 1_000),
    "1 KiB told to all, ms (median)": round(times.sort((a, b) => a - b)[changes >> 1]),
    "CPU of a delivery, edges, µs": round(carriedUs / deliveries),
    "CPU of a delivery, member, µs": round(memberUs / deliveries),
    "heartbeats late": lateHeartbeats,
    "all edges killed: all back, ms": Math.round(stormMs),
    "all edges killed: all told again, ms": Math.round(toldMs),
    "sessions lost": clients.filter(({ sessionId }, at) => sessionId !== sessions[at]).length + expired,
  }),
);
await stop();
process.exit(0);
