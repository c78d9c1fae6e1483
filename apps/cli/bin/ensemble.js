/**
 * `npm run ensemble`: three members on this machine, each a process of its own, and how to kill one.
 *
 * Ctrl-C ends them all; nothing stays behind.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepare, root } from "./bootstrap.js";
import { freePort } from "./free-port.js";

prepare();
const ids = [1, 2, 3];
const folder = mkdtempSync(join(tmpdir(), "copse-ensemble-"));
const first = Number(process.env.COPSE_ENSEMBLE_PORT ?? 7181);
const members = new Map();

const ports = await Promise.all(ids.map((_, at) => freePort(first + at)));
const peerPorts = await Promise.all(ids.map((_, at) => freePort(first + 100 + at)));
const peers = ids.map((id, at) => `${id}=127.0.0.1:${peerPorts[at]}`).join(",");
const urls = ports.map((port) => `ws://127.0.0.1:${port}`).join(",");

function flagsOf(id) {
  const at = id - 1;
  const addresses = ["--listen", `127.0.0.1:${ports[at]}`, "--peer-listen", `127.0.0.1:${peerPorts[at]}`];
  return ["serve", "--id", String(id), ...addresses, "--peers", peers, "--data", join(folder, String(id)), "--log-level", "silent"];
}

function stop(code) {
  for (const child of members.values()) child.kill();
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}

function start(id) {
  const child = spawn(process.execPath, [join(root, "apps/cli/bin/copse.js"), ...flagsOf(id)], { stdio: ["ignore", "pipe", "inherit"] });
  members.set(id, child);
  child.once("exit", (code, signal) => {
    members.delete(id);
    if (isStopping) return;
    console.log(`member ${id} was ended by ${signal ?? `code ${code}`}. The others go on. To start it again:`);
    console.log(`\n    npx copse ${flagsOf(id).slice(0, -2).join(" ")}\n`);
  });
  return new Promise((resolve, reject) => {
    child.stdout.once("data", resolve);
    child.once("exit", (code) => reject(new Error(`member ${id} ended with ${code}`)));
  });
}

let isStopping = false;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    isStopping = true;
    stop(0);
  });
}
try {
  await Promise.all(ids.map(start));
} catch (error) {
  console.error(`copse: ${error.message}`);
  stop(1);
}

const lines = ids.map((id, at) => `    member ${id}   http://127.0.0.1:${ports[at]}/   process ${members.get(id).pid}`);
console.log(`
  Three members run as one hub:

${lines.join("\n")}

  and in a second terminal try

    npx copse --url ${urls} member list
    npx copse --url ${urls} create /hello world
    kill -9 ${members.get(1).pid}
    npx copse --url ${urls} get /hello

  Any one may die. Ctrl-C ends them all; nothing stays behind.
`);
