/**
 * `pnpm bench`: the hub under load, as a table and as JSON in test/.artifacts/bench.json.
 *
 *   pnpm bench [--quick] [--size] [--page] [--failover] [--only get,set,create,lone,fan-out]
 *
 * Absolute figures drift with the machine: compare within one run. Every load comes from a process of its own that tells its
 * own share of a core.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const command = join(root, "apps/cli/bin/copse.js");
const given = process.argv.slice(2);
const isQuick = given.includes("--quick");
const only = given.includes("--only") ? given[given.indexOf("--only") + 1].split(",") : null;
const seconds = isQuick ? 3 : 8;
const port = 7_291;

const rows = [
  { name: "get", title: "get 100 B, 10 × 20", work: "get", connections: 10, outstanding: 20 },
  { name: "set", title: "set 100 B, durable, 100 × 10", work: "set", connections: 100, outstanding: 10 },
  { name: "create", title: "create, sequential, 100 × 10", work: "create", connections: 100, outstanding: 10 },
  { name: "lone", title: "set 100 B, durable, 1 × 1", work: "set", connections: 1, outstanding: 1 },
  { name: "fan-out", title: "1 KiB to 1 000 subscribers", work: "fan-out", connections: 1_000, outstanding: 1, bytes: 1_024 },
].filter(({ name }) => only === null || only.includes(name));

async function withHub(work) {
  const folder = mkdtempSync(join(tmpdir(), "copse-bench-"));
  const hub = spawn(process.execPath, [command, "serve", "--data", folder, "--listen", `127.0.0.1:${port}`, "--log-level", "error"]);
  hub.stderr.pipe(process.stderr);
  await new Promise((resolve) => hub.stdout.once("data", resolve));
  try {
    return await work(hub.pid);
  } finally {
    hub.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

function load(row, pid) {
  const child = spawn(process.execPath, [join(here, "load.js"), JSON.stringify({ ...row, port, pid, seconds })]);
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

const columns = [
  ["work", 32, (row) => row.title],
  ["ops/s", 10, (row) => row.opsPerSecond.toLocaleString("en")],
  ["p50 ms", 9, (row) => row.p50Ms],
  ["p99 ms", 9, (row) => row.p99Ms],
  ["server µs/op", 14, (row) => row.serverCpuUs],
  ["load's core", 13, (row) => `${Math.round(row.loadCpuShare * 100)} %`],
];

function line(cells) {
  return cells.map((cell, at) => (at === 0 ? String(cell).padEnd(columns[at][1]) : String(cell).padStart(columns[at][1]))).join("");
}

console.log(line(columns.map(([title]) => title)));
const results = [];
for (const row of rows) {
  const result = { ...row, ...(await withHub((pid) => load(row, pid))) };
  results.push(result);
  console.log(line(columns.map(([, , read]) => read(result))));
}
const report = { node: process.version, seconds, results };
if (given.includes("--size")) {
  const folder = mkdtempSync(join(tmpdir(), "copse-size-"));
  const znodes = isQuick ? 100_000 : 1_000_000;
  const { stdout } = spawnSync(process.execPath, [join(here, "size.js"), JSON.stringify({ znodes, folder, command, port })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  rmSync(folder, { recursive: true, force: true });
  report.size = JSON.parse(String(stdout));
  printFigures(report.size);
}
if (given.includes("--page")) {
  const folder = mkdtempSync(join(tmpdir(), "copse-page-"));
  const { stdout } = spawnSync(process.execPath, [join(here, "page.js"), JSON.stringify({ folder, root, port })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  rmSync(folder, { recursive: true, force: true });
  report.page = JSON.parse(String(stdout));
  printFigures(report.page);
}
if (given.includes("--failover")) {
  const folder = mkdtempSync(join(tmpdir(), "copse-failover-"));
  const task = { folder, command, firstPort: port + 10, rounds: isQuick ? 3 : 9 };
  const { stdout } = spawnSync(process.execPath, [join(here, "failover.js"), JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  rmSync(folder, { recursive: true, force: true });
  report.failover = JSON.parse(String(stdout));
  printFigures(report.failover);
}
mkdirSync(join(root, "test/.artifacts"), { recursive: true });
writeFileSync(join(root, "test/.artifacts/bench.json"), JSON.stringify(report, null, 2));
