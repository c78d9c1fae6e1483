/**
 * `pnpm bench --clients`: what an application sees of each client library, beside its own server on this machine: size, and operations
 * per second of one client in one Node process. For the table of the guide.
 *
 * The others' packages come from the registry into a temporary folder; servers that are not installed are left out. The servers run as they
 * come: all sync each write before they answer, but NATS, which syncs every two minutes. Compare within one run.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { startCopse, startZooKeeper } from "./systems.js";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const inFlight = 64;
const value = "x".repeat(100);
const firstPort = 7_391;

const packages = [
  "node-zookeeper-client@1.1.3",
  "etcd3@1.1.2",
  "@nats-io/transport-node@3",
  "@nats-io/jetstream@3",
  "@nats-io/kv@3",
  "firebase@12.0.0",
  "esbuild@0.25",
];

/** What is bundled for each, as a page or a Node process would use it. */
const bundles = [
  { name: "@copse/client", platform: "browser", code: 'export * from "@copse/client"', from: join(root, "test") },
  { name: "node-zookeeper-client", platform: "node", code: 'export * from "node-zookeeper-client"' },
  { name: "etcd3", platform: "node", code: 'export * from "etcd3"' },
  { name: "nats.js KV", platform: "browser", code: 'export { wsconnect } from "@nats-io/nats-core"; export { Kvm } from "@nats-io/kv"' },
  {
    name: "Firebase RTDB",
    platform: "browser",
    code: 'export { initializeApp } from "firebase/app"; export { getDatabase, ref, onValue, set, runTransaction, onDisconnect } from "firebase/database"',
  },
];

function has(program) {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

async function listening(port, child) {
  while (child.exitCode === null) {
    const isOpen = await new Promise((resolve) => {
      const socket = connectTcp(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
}

async function startProgram(program, args, port) {
  const child = spawn(program, args, { stdio: "ignore" });
  await listening(port, child);
  return { stop: () => child.kill("SIGKILL") };
}

/** How each is started and spoken to. `open` gives `get`, `set`, `close`. */
function systems(load) {
  return [
    {
      name: "@copse/client",
      isHere: true,
      start: (folder, port) => startCopse(join(root, "apps/cli/bin/copse.js"), 1, folder, port - 1),
      open: async (port) => {
        const { connect } = await import(pathToFileURL(join(root, "packages/client/dist/index.js")).href);
        const copse = await connect(`ws://127.0.0.1:${port}`);
        await copse.create("/x", value);
        return { get: () => copse.get("/x"), set: () => copse.set("/x", value), close: () => copse.close() };
      },
    },
    {
      name: "node-zookeeper-client",
      isHere: has("java"),
      start: (folder, port) => startZooKeeper(1, folder, port - 1),
      open: async (port) => {
        const zookeeper = load("node-zookeeper-client");
        const client = zookeeper.createClient(`127.0.0.1:${port}`);
        await new Promise((resolve) => {
          client.once("connected", resolve);
          client.connect();
        });
        const call = (name, ...args) =>
          new Promise((resolve, reject) => client[name](...args, (error, ...results) => (error ? reject(error) : resolve(results))));
        await call("create", "/x", Buffer.from(value));
        return { get: () => call("getData", "/x"), set: () => call("setData", "/x", Buffer.from(value), -1), close: () => client.close() };
      },
    },
    {
      name: "etcd3",
      isHere: has("etcd"),
      start: (folder, port) => {
        const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`];
        const urls = ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer];
        return startProgram("etcd", ["--data-dir", folder, ...urls, "--logger", "zap", "--log-level", "error"], port);
      },
      open: async (port) => {
        const { Etcd3 } = load("etcd3");
        const client = new Etcd3({ hosts: `http://127.0.0.1:${port}` });
        await client.put("x").value(value);
        return { get: () => client.get("x").string(), set: () => client.put("x").value(value), close: () => client.close() };
      },
    },
    {
      name: "nats.js KV",
      isHere: has("nats-server"),
      start: (folder, port) => {
        const file = join(folder, "nats.conf");
        writeFileSync(file, `port: ${port}\njetstream { store_dir: "${folder}/data" }\n`);
        return startProgram("nats-server", ["-c", file, "-a", "127.0.0.1"], port);
      },
      open: async (port) => {
        const { connect } = load("@nats-io/transport-node");
        const { Kvm } = load("@nats-io/kv");
        const connection = await connect({ servers: `127.0.0.1:${port}` });
        const kv = await new Kvm(connection).create("bench");
        await kv.put("x", value);
        return { get: () => kv.get("x"), set: () => kv.put("x", value), close: () => connection.close() };
      },
    },
  ];
}

/** Operations per second with so many under way. */
async function rate(work, lanes, ms) {
  const end = performance.now() + ms;
  let done = 0;
  const from = performance.now();
  const lane = async () => {
    while (performance.now() < end) {
      await work();
      done++;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return (done / (performance.now() - from)) * 1_000;
}

export async function runClients({ isQuick }) {
  const folder = mkdtempSync(join(tmpdir(), "copse-clients-"));
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const install = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...packages], {
    cwd: folder,
    encoding: "utf8",
  });
  if (install.status !== 0) throw new Error(install.stderr);
  const load = createRequire(join(folder, "package.json"));
  const { build } = load("esbuild");
  const figures = {};
  for (const { name, platform, code, from = folder } of bundles) {
    const stdin = { contents: code, resolveDir: from };
    const options = { stdin, bundle: true, minify: true, write: false, format: "esm", platform, logLevel: "silent", external: ["*.node"] };
    const { outputFiles } = await build(options);
    figures[name] = { platform, kB: (gzipSync(outputFiles[0].contents).length / 1_000).toFixed(1) };
  }
  const ms = isQuick ? 1_000 : 4_000;
  for (const [at, { name, isHere, start, open }] of systems(load).entries()) {
    if (!isHere) continue;
    const data = join(folder, `data-${at}`);
    mkdirSync(data);
    const port = firstPort + 10 * at;
    const server = await start(data, port);
    const client = await open(port);
    await rate(client.get, inFlight, ms / 2);
    const measured = {
      get: await rate(client.get, inFlight, ms),
      set: await rate(client.set, inFlight, ms),
      loneGet: await rate(client.get, 1, ms),
      loneSet: await rate(client.set, 1, ms),
    };
    for (const [what, perSecond] of Object.entries(measured)) figures[name][what] = Math.round(perSecond).toLocaleString("en");
    await client.close();
    server.stop();
  }
  rmSync(folder, { recursive: true, force: true });
  console.log(
    `one client, ${value.length} B, operations per second; ${inFlight} under way unless said otherwise; Node ${process.versions.node}\n`,
  );
  console.table(figures);
  return figures;
}
