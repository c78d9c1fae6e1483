/**
 * `pnpm bench`: copse under load, beside ZooKeeper and etcd where they are installed, as tables and as JSON in test/.artifacts/bench.json.
 *
 *   pnpm bench [--transport auto|ws|uws] [--quick] [--alone] [--install] [--size] [--page] [--failover] [--soak [MINUTES]] [--clients] [--only get,set,create,…]
 *
 * `--alone` leaves them out, `--install` installs them (Debian, as root). Absolute figures drift with the machine: compare
 * within one run. Every load comes from a process of its own that tells its own share of a core.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runClients } from "./clients.js";
import { hasEtcd, hasZooKeeper, startCopse, startEtcd, startZooKeeper } from "./systems.js";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const command = join(root, "apps/cli/bin/copse.js");
const given = process.argv.slice(2);
const isQuick = given.includes("--quick");
const only = given.includes("--only") ? given[given.indexOf("--only") + 1].split(",") : null;
const seconds = isQuick ? 2 : 8;
const port = 7_291;

const transport = given.includes("--transport") ? given[given.indexOf("--transport") + 1] : "auto";

/** What each row asks; `goal` is the ratio of operations per second to ZooKeeper's that is aimed at over uWebSockets.js; two thirds of it over `ws`. */
const rows = [
  { name: "get", title: "get 100 B, 10 × 20", work: "get", members: 1, connections: 10, outstanding: 20, goal: 3 },
  { name: "set", title: "set 100 B, 100 × 10", work: "set", members: 1, connections: 100, outstanding: 10, goal: 2 },
  { name: "create", title: "create, sequential, 100 × 10", work: "create", members: 1, connections: 100, outstanding: 10, goal: 2.5 },
  { name: "lone", title: "set 100 B, 1 × 1", work: "set", members: 1, connections: 1, outstanding: 1, goal: 1 },
  { name: "get-3", title: "get 100 B, 99 × 10, 3 members", work: "get", members: 3, connections: 99, outstanding: 10, goal: 3 },
  { name: "set-3", title: "set 100 B, 99 × 10, 3 members", work: "set", members: 3, connections: 99, outstanding: 10, goal: 2 },
  { name: "lone-3", title: "set 100 B, 1 × 1, 3 members", work: "set", members: 3, connections: 1, outstanding: 1, goal: 1 },
  {
    name: "fan-out",
    title: "1 KiB to 1 000, 3 members",
    work: "fan-out",
    members: 3,
    connections: 1_000,
    outstanding: 1,
    bytes: 1_024,
    goal: 10,
  },
].filter(({ name }) => only === null || only.includes(name));
const isAlone = given.includes("--alone");
const isBeside = !isAlone && hasZooKeeper(given.includes("--install"));
const isBesideEtcd = !isAlone && hasEtcd(given.includes("--install"));
if (!isAlone && !(isBeside && isBesideEtcd)) console.log("not all peers are here; pnpm bench --install installs them where root may\n");
const starts = {
  copse: (...where) => startCopse(command, ...where, ["--transport", transport]),
  zookeeper: startZooKeeper,
  etcd: startEtcd,
};

async function measure(system, row) {
  const folder = mkdtempSync(join(tmpdir(), `copse-bench-${system}-`));
  const { ports, pids, stop } = await starts[system](row.members, folder, port);
  try {
    return await load({ ...row, system, ports, pids, seconds });
  } finally {
    await stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function load(task) {
  const child = spawn(process.execPath, [join(here, "load.js"), JSON.stringify(task)]);
  child.stderr.pipe(process.stderr);
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => (code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`the load ended with ${code}`))));
  });
}

function printFigures(figures) {
  const lines = Object.entries(figures).map(([name, value]) => `${name.padEnd(30)} ${value.toLocaleString("en")}`);
  console.log(`\n${lines.join("\n")}`);
}

/** Over ws two thirds of a goal are aimed at. */
const share = (await carrier()) === "ws" ? 2 / 3 : 1;

/** What carries clients here. */
async function carrier() {
  if (transport !== "auto") return transport;
  const { findUws } = await import("@copse/server");
  return typeof (await findUws()) === "string" ? "ws" : "uws";
}

const times = (value) => `${value.toFixed(2)} ×`;
const columns = [
  ["work", 32, ({ title }) => title],
  ["ops/s", 10, ({ copse }) => copse.opsPerSecond.toLocaleString("en")],
  ["p50 ms", 9, ({ copse }) => copse.p50Ms],
  ["p99 ms", 9, ({ copse }) => copse.p99Ms],
  ["CPU µs/op", 11, ({ copse }) => copse.serverCpuUs],
  ["load's core", 13, ({ copse }) => `${Math.round(copse.loadCpuShare * 100)} %`],
  ...(isBeside
    ? [
        ["ZooKeeper", 11, ({ zookeeper }) => zookeeper.opsPerSecond.toLocaleString("en")],
        ["p50 ms", 9, ({ zookeeper }) => zookeeper.p50Ms],
        ["CPU µs/op", 11, ({ zookeeper }) => zookeeper.serverCpuUs],
        ["ops ratio", 11, ({ ratio, goal }) => `${times(ratio.ops)}${ratio.ops >= goal * share ? " ✓" : "  "}`],
        ["CPU ratio", 11, ({ ratio }) => times(ratio.cpu)],
      ]
    : []),
  ...(isBesideEtcd
    ? [
        ["etcd", 10, ({ etcd }) => etcd.opsPerSecond.toLocaleString("en")],
        ["p50 ms", 9, ({ etcd }) => etcd.p50Ms],
        ["CPU µs/op", 11, ({ etcd }) => etcd.serverCpuUs],
        ["ops ratio", 11, ({ copse, etcd }) => times(copse.opsPerSecond / etcd.opsPerSecond)],
      ]
    : []),
];

function line(cells) {
  return cells.map((cell, at) => (at === 0 ? String(cell).padEnd(columns[at][1]) : String(cell).padStart(columns[at][1]))).join("");
}

console.log(`clients are carried by ${await carrier()}\n`);
console.log(line(columns.map(([title]) => title)));
const results = [];
for (const row of rows) {
  const result = { ...row, copse: await measure("copse", row) };
  if (isBeside) {
    result.zookeeper = await measure("zookeeper", row);
    const { copse, zookeeper } = result;
    result.ratio = { ops: copse.opsPerSecond / zookeeper.opsPerSecond, cpu: copse.serverCpuUs / zookeeper.serverCpuUs };
  }
  if (isBesideEtcd) result.etcd = await measure("etcd", row);
  results.push(result);
  console.log(line(columns.map(([, , read]) => read(result))));
}
const report = { node: process.version, transport: await carrier(), seconds, results };
/** Runs one of the other measurements in a process and a folder of its own, and prints its figures. */
function measured(name, task) {
  if (!given.includes(`--${name}`)) return;
  const folder = mkdtempSync(join(tmpdir(), `copse-${name}-`));
  const { stdout } = spawnSync(process.execPath, [join(here, `${name}.js`), JSON.stringify({ folder, command, ...task })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  rmSync(folder, { recursive: true, force: true });
  report[name] = JSON.parse(String(stdout));
  printFigures(report[name]);
}

const minutes = Number(given[given.indexOf("--soak") + 1]) || (isQuick ? 1 : 10);
measured("size", { znodes: isQuick ? 100_000 : 1_000_000, port });
measured("page", { root, port });
measured("failover", { firstPort: port + 10, rounds: isQuick ? 3 : 10 });
measured("soak", { port: port + 20, minutes });
if (given.includes("--clients")) report.clients = await runClients({ isQuick });
mkdirSync(join(root, "test/.artifacts"), { recursive: true });
writeFileSync(join(root, "test/.artifacts/bench.json"), JSON.stringify(report, null, 2));
// A client library of somebody else's may go on trying to reach a server that is gone.
process.exit(0);
