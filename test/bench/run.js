/**
 * `pnpm bench`: copse under load, beside ZooKeeper and etcd where they are installed, as tables and as JSON in test/.artifacts/bench.json.
 *
 *   pnpm bench [--transport auto|ws|uws] [--quick] [--alone] [--install] [--only get,set,…]
 *              [--size] [--subscribers] [--edges] [--rules] [--bare] [--nats] [--instructions] [--scaling] [--page] [--failover] [--soak [MINUTES]] [--clients]
 *
 * `--alone` leaves the others out, `--install` installs them (Debian, as root). `--only none` leaves the table out. Absolute figures
 * drift with the machine: compare within one run. Every load comes from a process of its own that tells its own share of a core.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runClients } from "./clients.js";
import { runCores } from "./cores.js";
import { runBare } from "./limits.js";
import { hasNats, runNats } from "./nats.js";
import { columnsOf, printLine, rows } from "./rows.js";
import { runRules } from "./rules.js";
import { runScaling } from "./scaling.js";
import { hasEtcd, hasZooKeeper, startCopse, startEtcd, startZooKeeper } from "./systems.js";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const command = join(root, "apps/cli/bin/copse.js");
const given = process.argv.slice(2);
const isQuick = given.includes("--quick");
const isAlone = given.includes("--alone");
const after = (flag) => (given.includes(flag) ? given[given.indexOf(flag) + 1] : undefined);
const only = after("--only")?.split(",") ?? null;
const transport = after("--transport") ?? "auto";
const seconds = isQuick ? 0.5 : 5;
/** Seconds in which all systems are warmed up together, unmeasured: a JVM that has compiled nothing yet is nobody's peer. */
const warmSeconds = isQuick ? 3 : 8;
const port = 7_291;
const starts = {
  copse: (members, folder, firstPort, more = []) => startCopse(command, members, folder, firstPort, ["--transport", transport, ...more]),
  zookeeper: startZooKeeper,
  etcd: startEtcd,
};
const has = { zookeeper: hasZooKeeper, etcd: hasEtcd };
const peers = isAlone ? [] : ["zookeeper", "etcd"].filter((peer) => has[peer](given.includes("--install")));
if (!isAlone && peers.length < 2) console.log("not all peers are here; pnpm bench --install installs them where root may\n");
const carrier = await carrierOf(transport);
const report = { node: process.version, transport: carrier, seconds, results: [] };

/** What carries clients here. */
async function carrierOf(wanted) {
  if (wanted !== "auto") return wanted;
  const { findUws } = await import("@copse/server");
  return typeof (await findUws()) === "string" ? "ws" : "uws";
}

/** Starts a system in a folder of its own, and gives what runs loads on it and what ends it. */
async function begin(system, members, firstPort = port, more = []) {
  const folder = mkdtempSync(join(tmpdir(), `copse-bench-${system}-`));
  const { ports, pids, stop } = await starts[system](members, folder, firstPort, more);
  const end = async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  return { run: (task) => load({ seconds, ...task, system, ports, pids }), end, folder, ports, pids };
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

/** All rows of one number of members. The systems run side by side, and are asked one after the other. */
async function compare(members, columns) {
  const wanted = rows.filter((row) => row.members === members && (only === null || only.includes(row.name)));
  if (wanted.length === 0) return;
  console.log(`\n${members === 1 ? "one member" : `${members} members`}`);
  const started = ["copse", ...peers].map(async (system, at) => [system, await begin(system, members, port + at * 200)]);
  const systems = new Map(await Promise.all(started));
  const warm = ({ run }) => ["get", "set"].map((work) => run({ work, connections: 20, outstanding: 10, seconds: warmSeconds }));
  await Promise.all([...systems.values()].flatMap(warm));
  for (const row of wanted) {
    const result = { ...row };
    for (const [system, { run }] of systems) if (!row.without?.includes(system)) result[system] = await run(row);
    report.results.push(result);
    printLine(
      columns,
      columns.map(([, , read]) => read(result)),
    );
  }
  for (const { end } of systems.values()) await end();
}

function printFigures(title, figures) {
  const lines = Object.entries(figures).map(([name, value]) => `${name.padEnd(30)} ${value?.toLocaleString("en")}`);
  console.log(`\n${title}\n${lines.join("\n")}`);
}

/** Runs one of the other measurements in a process and a folder of its own, and prints its figures. */
function measured(name, task, title = name) {
  const folder = mkdtempSync(join(tmpdir(), `copse-${name}-`));
  const { stdout } = spawnSync(process.execPath, [join(here, `${name}.js`), JSON.stringify({ folder, command, ...task })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  report[title] = JSON.parse(String(stdout));
  printFigures(title, report[title]);
}

console.log(`clients are carried by ${carrier}\n`);
const columns = columnsOf(peers, carrier === "ws");
if (only?.[0] !== "none") {
  printLine(
    columns,
    columns.map(([title]) => title),
  );
  for (const members of [1, 3]) await compare(members, columns);
}
const minutes = Number(after("--soak")) || (isQuick ? 1 : 10);
if (given.includes("--size")) {
  const znodes = isQuick ? 100_000 : 1_000_000;
  for (const system of ["copse", ...peers.filter((peer) => peer === "zookeeper")])
    measured("size", { system, znodes, port: port + 300 }, `size, ${system}`);
}
if (given.includes("--subscribers")) measured("subscribers", { connections: isQuick ? 1_000 : 10_000, port: port + 300 });
if (given.includes("--edges")) {
  report.cores = await runCores({ begin, edges: 2, port: port + 500 });
  printFigures("edges on this machine", report.cores);
  measured("edges", { connections: isQuick ? 1_000 : 10_000, edges: 2, transport, port: port + 300 });
}
if (given.includes("--page")) measured("page", { root, port: port + 300 });
if (given.includes("--failover")) measured("failover", { firstPort: port + 310, rounds: isQuick ? 3 : 10 });
if (given.includes("--rules")) {
  report.rules = await runRules({ begin });
  printFigures("rules", report.rules);
}
if (given.includes("--bare")) {
  report.bare = await runBare({ begin, load, isWs: carrier === "ws", port: port + 400, seconds });
  printFigures("beside bare carriers", report.bare);
}
if (given.includes("--nats") && hasNats()) {
  report.nats = await runNats({ command, isQuick, port: port + 700 });
  printFigures("beside NATS KV, both over WebSocket", report.nats);
}
if (given.includes("--instructions")) measured("instructions", { port: port + 800 });
if (given.includes("--soak")) measured("soak", { port: port + 320, minutes });
if (given.includes("--scaling")) report.scaling = await runScaling({ begin, peers, isQuick, folder: join(root, "apps/docs/measured") });
if (given.includes("--clients")) report.clients = await runClients({ isQuick });
mkdirSync(join(root, "test/.artifacts"), { recursive: true });
writeFileSync(join(root, "test/.artifacts/bench.json"), JSON.stringify(report, null, 2));
// A client library of somebody else's may go on trying to reach a server that is gone.
process.exit(0);
