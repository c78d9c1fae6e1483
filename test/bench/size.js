/**
 * A large tree on one member: bytes of memory each znode costs, the longest stall of the loop while a snapshot is written,
 * and how long a restart after kill -9 takes.
 *
 *   node size.js '{"znodes":1000000,"folder":"/tmp/x","command":"…/copse.js","port":7299}'
 */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RawConnection } from "./raw-connection.js";

const { znodes, folder, command, port } = JSON.parse(process.argv[2] ?? "{}");
const config = join(folder, "config.json");
writeFileSync(config, JSON.stringify({ snapshotLogBytes: 67_108_864 }));

function start() {
  const from = performance.now();
  const hub = spawn(process.execPath, [
    command,
    "serve",
    "--data",
    join(folder, "data"),
    "--listen",
    `127.0.0.1:${port}`,
    "--log-level",
    "error",
    "--config",
    config,
  ]);
  hub.stderr.pipe(process.stderr);
  return new Promise((resolve) => hub.stdout.once("data", () => resolve({ hub, ms: performance.now() - from })));
}

function residentBytes(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1_024;
}

/** One scrape: the figures by name. The longest turn counts from scrape to scrape. */
async function scrape() {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

const opsPerMulti = 1_000;
const data = "x".repeat(100);
const first = await start();
const empty = residentBytes(first.hub.pid);
const connection = await RawConnection.open(port);
const probe = await RawConnection.open(port, { readOnly: true });
let longest = 0;
let isProbing = true;
/** Pings one after the other: the longest answer is the longest that anybody had to wait. */
const probing = (async () => {
  while (isProbing) {
    const from = performance.now();
    await new Promise((resolve) => {
      probe.onFrame = resolve;
      probe.send(`{"id":${probe.nextId++},"op":"ping"}`);
    });
    longest = Math.max(longest, performance.now() - from);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
})();
const ask = (text) =>
  new Promise((resolve) => {
    connection.onFrame = resolve;
    connection.send(text);
  });
const parents = Math.ceil(znodes / 100_000);
for (let parent = 0; parent < parents; parent++) await ask(`{"id":${connection.nextId++},"op":"create","path":"/p${parent}"}`);
const from = performance.now();
for (let at = 0; at < znodes; at += opsPerMulti) {
  const ops = Array.from(
    { length: opsPerMulti },
    (_, i) => `{"op":"create","path":"/p${Math.floor(at / 100_000)}/n${at + i}","data":"${data}"}`,
  );
  await ask(`{"id":${connection.nextId++},"op":"multi","ops":[${ops.join(",")}],"ack":${connection.nextId - 2}}`);
}
const fillMs = performance.now() - from;
const stallFillMs = longest;
longest = 0;
const before = await scrape();
let now = before;
let turnSeconds = 0;
// Single sets grow the log until a snapshot begins: its pieces and these small writes share the loop.
while (now.get("copse_snapshots_total") === before.get("copse_snapshots_total")) {
  for (let times = 0; times < 20; times++) {
    await ask(`{"id":${connection.nextId++},"op":"set","path":"/p0/n1","data":"${"y".repeat(100_000)}","ack":${connection.nextId - 2}}`);
  }
  now = await scrape();
  turnSeconds = Math.max(turnSeconds, now.get("copse_turn_max_seconds"));
}
const major = 'copse_nodejs_gc_duration_seconds_sum{kind="major"}';
const collections = 'copse_nodejs_gc_duration_seconds_count{kind="major"}';
isProbing = false;
await probing;
const resident = residentBytes(first.hub.pid);
const heap = now.get("copse_nodejs_heap_size_used_bytes");
first.hub.kill("SIGKILL");
await new Promise((resolve) => first.hub.once("exit", resolve));
const second = await start();
const found = (await scrape()).get("copse_znodes");
second.hub.kill("SIGKILL");
console.log(
  JSON.stringify({
    znodes: found,
    bytesPerZnode: Math.round((resident - empty) / znodes),
    heapBytesPerZnode: Math.round(heap / znodes),
    createsPerSecond: Math.round((znodes / fillMs) * 1_000),
    longestWaitWhileFillingMs: Math.round(stallFillMs * 10) / 10,
    longestWaitWhileSnapshotMs: Math.round(longest * 10) / 10,
    longestTurnWhileSnapshotMs: Math.round(turnSeconds * 10_000) / 10,
    majorCollectionsTotalMs: Math.round((now.get(major) ?? 0) * 1_000),
    majorCollections: now.get(collections) ?? 0,
    restartMs: Math.round(second.ms),
  }),
);
process.exit(0);
