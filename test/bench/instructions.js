/**
 * `pnpm bench --instructions`: instructions of the server for each operation, counted by valgrind, so that a noisy machine hides nothing.
 *
 *   node instructions.js '{"folder":"/tmp/x","command":"…/copse.js","port":7299}'
 *
 * The server runs twenty to fifty times as slowly as otherwise, so what waits for time (ticks, the age of garbage) weighs more than in life:
 * compare with figures of the same script alone. What it takes while nobody asks is taken off, by the second.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { frame, RawConnection } from "./raw-connection.js";
import { startCopse } from "./systems.js";

const { folder, command, port } = JSON.parse(process.argv[2] ?? "{}");
const data = "x".repeat(100);
const outstanding = 64;
const [warm, measured, changes] = [40_000, 40_000, 200];
const subscribers = 100;

const out = join(folder, "callgrind");
const valgrind = ["--tool=callgrind", "--instr-atstart=no", `--callgrind-out-file=${out}`];
const { pids, stop } = await startCopse(command, 1, folder, port, ["--transport", "ws"], [], ["valgrind", "-q", ...valgrind]);
const [pid] = pids;

function control(...args) {
  const { status, stderr } = spawnSync("callgrind_control", [...args, String(pid)], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

/** Instructions while something is done. */
async function counted(work) {
  control("-z");
  control("-i", "on");
  await work();
  control("-i", "off");
  for (const name of readdirSync(folder)) if (name.startsWith("callgrind.")) rmSync(join(folder, name));
  control("-d");
  const dumps = readdirSync(folder).filter((name) => name.startsWith("callgrind."));
  return dumps.reduce((sum, name) => sum + Number(/^totals: (\d+)/m.exec(readFileSync(join(folder, name), "utf8"))?.[1] ?? 0), 0);
}

/** Asks so many times, so many of them at once; resolves when all are answered. */
function load(connection, requestOf, count) {
  return new Promise((resolve) => {
    let [asked, answered] = [0, 0];
    const ask = () => {
      asked++;
      connection.write(frame(requestOf(connection.nextId++)));
    };
    connection.onFrame = (replies) => {
      answered += replies;
      for (let reply = 0; reply < replies && asked < count; reply++) ask();
      if (answered === count) resolve();
    };
    for (let lane = 0; lane < Math.min(outstanding, count); lane++) ask();
  });
}

const connection = await RawConnection.open(port + 1);
await load(connection, (id) => `{"id":${id},"op":"create","path":"/n","data":"${data}"}`, 1);
const requests = {
  get: (id) => `{"id":${id},"op":"get","path":"/n"}`,
  set: (id) => `{"id":${id},"op":"set","path":"/n","data":"${data}","ack":${id - 1}}`,
};
const idlePerMs = (await counted(() => new Promise((resolve) => setTimeout(resolve, 3_000)))) / 3_000;
const figures = {};
for (const [name, requestOf] of Object.entries(requests)) {
  await load(connection, requestOf, warm);
  const from = performance.now();
  const instructions = await counted(() => load(connection, requestOf, measured));
  figures[name] = Math.round((instructions - idlePerMs * (performance.now() - from)) / measured);
}
let heard = 0;
for (let count = 0; count < subscribers; count++) {
  const follower = await RawConnection.open(port + 1, { readOnly: true });
  await load(follower, (id) => `{"id":${id},"op":"subscribe","sub":1,"path":"/n","scope":"node"}`, 1);
  follower.onFrame = (_, changes) => (heard += changes);
}
const changed = async (count) => {
  const until = heard + count * subscribers;
  for (let change = 0; change < count; change++) await load(connection, requests.set, 1);
  while (heard < until) await new Promise((resolve) => setTimeout(resolve, 5));
};
await changed(changes);
const from = performance.now();
const instructions = await counted(() => changed(changes));
const setting = changes * figures.set;
figures["a delivery"] = Math.round((instructions - setting - idlePerMs * (performance.now() - from)) / (changes * subscribers));
console.log(JSON.stringify(figures));
await stop();
process.exit(0);
