/**
 * A large tree on one member: bytes of memory each znode costs, the longest that anybody waits while it is filled and while a
 * snapshot is written, how long that takes, and a restart after kill -9. The same for ZooKeeper.
 *
 *   node size.js '{"system":"copse","znodes":1000000,"folder":"/tmp/x","command":"…/copse.js","port":7299}'
 */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspectable, liveHeap, residentBytes } from "./memory.js";
import { pipelined } from "./pipeline.js";
import { frame, RawConnection } from "./raw-connection.js";
import { startCopse, startZooKeeper } from "./systems.js";
import { ZooKeeperConnection, zookeeperRequests } from "./zookeeper-connection.js";

const { system, znodes, folder, command, port } = JSON.parse(process.argv[2] ?? "{}");
const data = "x".repeat(100);
/** Znodes below one parent, and requests on their way while the tree is filled. */
const siblings = 100_000;
const window = 500;
const config = join(folder, "config.json");
writeFileSync(config, JSON.stringify({ snapshotLogBytes: 67_108_864 }));

const copse = {
  start: () => startCopse(command, 1, folder, port, ["--config", config], inspectable),
  open: (at) => RawConnection.open(at),
  make: (id, path) => frame(`{"id":${id},"op":"create","path":"${path}","data":"${data}","ack":${Math.max(0, id - window)}}`),
  set: (id, path, text) => frame(`{"id":${id},"op":"set","path":"${path}","data":"${text}","ack":${Math.max(0, id - window)}}`),
  read: (id) => frame(`{"id":${id},"op":"exists","path":"/p0"}`),
};
const zookeeper = {
  start: () => startZooKeeper(1, folder, port),
  open: (at) => ZooKeeperConnection.open(at),
  make: zookeeperRequests(data).make,
  set: (id, path, text) => zookeeperRequests(text).change(id, path),
  read: (id) => zookeeperRequests(data).read(id, "/p0"),
};
const { start, open, make, set, read } = { copse, zookeeper }[system];

/** Bytes of live objects; NaN where the system does not tell. */
async function liveBytes(pid) {
  if (system === "zookeeper") {
    const { stdout } = spawnSync("jcmd", [String(pid), "GC.class_histogram"], { maxBuffer: 1e9 });
    return Number(/^Total\s+\d+\s+(\d+)$/m.exec(String(stdout ?? ""))?.[1] ?? Number.NaN);
  }
  return liveHeap();
}

/** One scrape of copse's metrics by name. The longest turn counts from scrape to scrape. */
async function figures() {
  const text = await (await fetch(`http://127.0.0.1:${port + 1}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

/** How long the newest snapshot took, in milliseconds: from its file's birth to its last write. Waits until it is written. */
async function snapshotMs() {
  const place = join(folder, system === "copse" ? "1" : "1/version-2");
  for (let last = -1; ; await new Promise((resolve) => setTimeout(resolve, 1_000))) {
    const names = readdirSync(place).filter((name) => (system === "copse" ? name.endsWith(".snap") : name.startsWith("snapshot.")));
    const newest = names.map((name) => statSync(join(place, name))).sort((a, b) => b.birthtimeMs - a.birthtimeMs)[0];
    if (newest.size === last) return Math.round(newest.mtimeMs - newest.birthtimeMs);
    last = newest.size;
  }
}

/** Snapshots there are, begun ones of ZooKeeper included. */
async function snapshots() {
  if (system === "copse") return (await figures()).get("copse_snapshots_total");
  return readdirSync(join(folder, "1/version-2")).filter((name) => name.startsWith("snapshot.")).length;
}

const first = await start();
const [pid] = first.pids;
const empty = residentBytes(pid);
const emptyLive = await liveBytes(pid);
const connection = await open(port + 1);
const probe = await open(port + 1);
let longestMs = 0;
let isProbing = true;
/** Reads one after the other: the longest answer is the longest that anybody had to wait. */
const probing = (async () => {
  while (isProbing) {
    const from = performance.now();
    await new Promise((resolve) => {
      probe.onFrame = resolve;
      probe.write(read(probe.nextId++));
    });
    longestMs = Math.max(longestMs, performance.now() - from);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
})();

let parent = 0;
await pipelined(connection, () => (parent * siblings < znodes ? make(connection.nextId++, `/p${parent++}`) : null), window);
const from = performance.now();
let made = 0;
await pipelined(
  connection,
  () => (made < znodes ? make(connection.nextId++, `/p${Math.floor(made / siblings)}/n${made++}`) : null),
  window,
);
const fillMs = performance.now() - from;
const whileFilling = longestMs;
longestMs = 0;
let turnSeconds = 0;
const before = await snapshots();
if (system === "copse") await figures();
const snapshotFrom = performance.now();
// Sets grow the log until another snapshot is there: its pieces and these writes share the loop.
for (let isOver = false; !isOver; ) {
  let left = 20_000;
  await pipelined(connection, () => (left-- > 0 ? set(connection.nextId++, "/p0/n1", data) : null), window);
  isOver = (await snapshots()) > before || performance.now() - snapshotFrom > 120_000;
  if (system === "copse") turnSeconds = Math.max(turnSeconds, (await figures()).get("copse_turn_max_seconds"));
}
isProbing = false;
await probing;
const writtenMs = await snapshotMs();
const resident = residentBytes(pid);
const live = await liveBytes(pid);
await first.stop();
const restartFrom = performance.now();
const second = await start();
const restartMs = performance.now() - restartFrom;
const round = (value) => Math.round(value * 10) / 10;
const figure = {
  znodes: made,
  residentBytesPerZnode: Math.round((resident - empty) / znodes),
  liveBytesPerZnode: Math.round((live - emptyLive) / znodes),
  createsPerSecond: Math.round((znodes / fillMs) * 1_000),
  longestWaitWhileFillingMs: round(whileFilling),
  snapshotMs: writtenMs,
  longestWaitWhileSnapshotMs: round(longestMs),
  restartMs: Math.round(restartMs),
};
if (system === "copse") {
  figure.longestTurnWhileSnapshotMs = round(turnSeconds * 1_000);
  figure.znodes = (await figures()).get("copse_znodes");
}
await second.stop();
console.log(JSON.stringify(figure));
process.exit(0);
