/**
 * `pnpm bench --nats`: what browsers would use of NATS, its KV over WebSocket, beside copse: puts, and one key that many watch. Both client
 * libraries run in this process, over the same WebSocket package; CPU is that of the server, from /proc.
 *
 * copse syncs each write before it answers, NATS every two minutes: a put compares two promises, a watch does not.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@copse/client";
import { WebSocket } from "ws";
import { startCopse } from "./systems.js";

const packages = ["@nats-io/nats-core@3", "@nats-io/jetstream@3", "@nats-io/kv@3"];
const value = "x".repeat(1_024);
const inFlight = 64;
const round = (number) => Math.round(number * 10) / 10;

export function hasNats() {
  return spawnSync("sh", ["-c", "command -v nats-server"]).status === 0;
}

const cpuUs = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
};

async function listening(port) {
  for (;;) {
    const isOpen = await new Promise((resolve) => {
      const socket = connectTcp(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function copseSystem(folder, port, command) {
  const { pids, stop } = await startCopse(command, 1, folder, port - 1);
  const open = () => connect(`ws://127.0.0.1:${port}`);
  const writer = await open();
  await writer.create("/x", value);
  const follow = async (onChange) => {
    const client = await open();
    client.observe("/x", { scope: "node" }, { state: () => {}, changes: onChange, failed: () => {} });
    return client;
  };
  return { pid: pids[0], put: () => writer.set("/x", value), follow, stop };
}

async function natsSystem(folder, port) {
  const install = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...packages], {
    cwd: folder,
    encoding: "utf8",
  });
  if (install.status !== 0) throw new Error(install.stderr);
  const load = createRequire(join(folder, "package.json"));
  const { wsconnect } = load("@nats-io/nats-core");
  const { Kvm } = load("@nats-io/kv");
  globalThis.WebSocket ??= WebSocket;
  const file = join(folder, "nats.conf");
  const store = `jetstream { store_dir: "${folder}/data" }`;
  writeFileSync(file, `port: ${port + 1}\nwebsocket { port: ${port}, host: "127.0.0.1", no_tls: true }\n${store}\n`);
  const child = spawn("nats-server", ["-c", file, "-a", "127.0.0.1"], { stdio: "ignore" });
  await listening(port);
  const open = async () => {
    const connection = await wsconnect({ servers: `ws://127.0.0.1:${port}` });
    return { connection, kv: await new Kvm(connection).create("bench") };
  };
  const { kv } = await open();
  await kv.put("x", value);
  const follow = async (onChange) => {
    const own = await open();
    const changes = await own.kv.watch({ key: "x", include: "updates" });
    (async () => {
      for await (const _ of changes) onChange();
    })();
    return own.connection;
  };
  return { pid: child.pid, put: () => kv.put("x", value), follow, stop: () => child.kill("SIGKILL") };
}

async function rate(work, lanes, ms) {
  const end = performance.now() + ms;
  let done = 0;
  const lane = async () => {
    for (; performance.now() < end; done++) await work();
  };
  const from = performance.now();
  await Promise.all(Array.from({ length: lanes }, lane));
  return { perSecond: (done / (performance.now() - from)) * 1_000, done };
}

/** @param command of copse */
export async function runNats({ command, isQuick, port }) {
  const folder = mkdtempSync(join(tmpdir(), "copse-nats-"));
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  mkdirSync(join(folder, "copse"));
  const systems = { copse: await copseSystem(join(folder, "copse"), port, command), "NATS KV": await natsSystem(folder, port + 10) };
  const [ms, followers, changes] = isQuick ? [1_000, 100, 20] : [4_000, 500, 100];
  const figures = {};
  const measure = async (name, what, work) => {
    const { pid } = systems[name];
    const from = cpuUs(pid);
    const { perSecond, done } = await work();
    figures[`${what}: ${name}`] = `${Math.round(perSecond).toLocaleString("en")}/s, ${round((cpuUs(pid) - from) / done)} µs of CPU`;
  };
  for (const name of Object.keys(systems)) await rate(systems[name].put, inFlight, ms / 2);
  for (const lanes of [1, inFlight]) {
    for (const name of Object.keys(systems)) {
      await measure(name, `put 1 KiB, ${lanes} under way`, () => rate(systems[name].put, lanes, ms));
    }
  }
  for (const [name, { follow, put }] of Object.entries(systems)) {
    let heard = 0;
    for (let count = 0; count < followers; count++) await follow(() => heard++);
    await new Promise((resolve) => setTimeout(resolve, 500));
    heard = 0;
    await measure(name, `1 KiB to ${followers} that watch`, async () => {
      const from = performance.now();
      for (let change = 1; change <= changes; change++) {
        await put();
        while (heard < change * followers) await new Promise((resolve) => setImmediate(resolve));
      }
      return { perSecond: (heard / (performance.now() - from)) * 1_000, done: heard };
    });
  }
  for (const { stop } of Object.values(systems)) await stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  return figures;
}
