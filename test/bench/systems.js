/**
 * What is measured side by side: copse, Apache ZooKeeper and etcd, one member or three, each with its data in a folder of its own.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const jars = ["zookeeper", "zookeeper-jute", "slf4j-nop", "slf4j-api"].map((name) => `/usr/share/java/${name}.jar`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** True where ZooKeeper can be run. `install`: from Debian's packages, where that is allowed. */
export function hasZooKeeper(install) {
  if (!existsSync(jars[0]) && install) spawnSync("apt-get", ["install", "-y", "-q", "zookeeper"], { stdio: "inherit" });
  return existsSync(jars[0]) && spawnSync("java", ["-version"]).status === 0;
}

/** True where etcd can be run. */
export function hasEtcd(install) {
  const has = () => spawnSync("sh", ["-c", "command -v etcd"]).status === 0;
  if (!has() && install) spawnSync("apt-get", ["install", "-y", "-q", "etcd-server"], { stdio: "inherit" });
  return has();
}

/** @returns {Promise<{ports: number[], pids: number[], stop: () => Promise<void>}>} */
/** @param node flags of Node itself; `under`: a program that runs Node, with its flags */
export async function startCopse(command, members, folder, firstPort, more = [], node = [], under = []) {
  const ids = Array.from({ length: members }, (_, at) => at + 1);
  const ports = ids.map((id) => firstPort + id);
  const peers = ids.map((id) => `${id}=127.0.0.1:${firstPort + 50 + id}`).join(",");
  const children = ids.map((id) => {
    const asMember = members === 1 ? [] : ["--id", String(id), "--peers", peers, "--peer-listen", `127.0.0.1:${firstPort + 50 + id}`];
    const flags = [
      "serve",
      "--data",
      join(folder, String(id)),
      "--listen",
      `127.0.0.1:${firstPort + id}`,
      "--log-level",
      "error",
      ...asMember,
      ...more,
    ];
    const [program, ...args] = [...under, process.execPath, ...node, command, ...flags];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.resume();
    return child;
  });
  const isReady = async (port) => (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => ({ status: 0 }))).status === 200;
  return running(children, ports, isReady);
}

/** As `startCopse`. Durable as it comes: every write is synced. */
export async function startZooKeeper(members, folder, firstPort) {
  const ids = Array.from({ length: members }, (_, at) => at + 1);
  const ports = ids.map((id) => firstPort + id);
  const children = ids.map((id) => {
    const data = join(folder, String(id));
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, "myid"), String(id));
    const servers = ids.map((one) => `server.${one}=127.0.0.1:${firstPort + 30 + one}:${firstPort + 60 + one}`);
    const settings = [
      `dataDir=${data}`,
      `clientPort=${firstPort + id}`,
      "clientPortAddress=127.0.0.1",
      "tickTime=2000",
      "initLimit=10",
      "syncLimit=5",
      "maxClientCnxns=0",
      "maxSessionTimeout=120000",
      "admin.enableServer=false",
      ...(members === 1 ? [] : servers),
    ];
    writeFileSync(join(data, "zoo.cfg"), `${settings.join("\n")}\n`);
    const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    return spawn("java", ["-Xmx2g", "-cp", jars.join(":"), main, join(data, "zoo.cfg")], { stdio: "ignore" });
  });
  return running(children, ports, async (port) => /^Mode: (standalone|leader|follower)$/m.test(await statusOf(port)));
}

/** As `startCopse`. Durable as it comes. */
export async function startEtcd(members, folder, firstPort) {
  const ids = Array.from({ length: members }, (_, at) => at + 1);
  const ports = ids.map((id) => firstPort + id);
  const peer = (id) => `http://127.0.0.1:${firstPort + 30 + id}`;
  const children = ids.map((id) => {
    const client = `http://127.0.0.1:${firstPort + id}`;
    const flags = {
      name: `m${id}`,
      "data-dir": join(folder, String(id)),
      "listen-client-urls": client,
      "advertise-client-urls": client,
      "listen-peer-urls": peer(id),
      "initial-advertise-peer-urls": peer(id),
      "initial-cluster": ids.map((one) => `m${one}=${peer(one)}`).join(","),
      logger: "zap",
      "log-level": "error",
    };
    return spawn(
      "etcd",
      Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      { stdio: "ignore" },
    );
  });
  const isHealthy = async (port) => (await fetch(`http://127.0.0.1:${port}/health`).catch(() => ({ ok: false }))).ok;
  return running(children, ports, isHealthy);
}

/** A server that only moves frames (bare.js), of one process. */
export function startBare(kind, firstPort) {
  const port = firstPort + 1;
  const child = spawn(process.execPath, [join(dirname(fileURLToPath(import.meta.url)), "bare.js"), kind, String(port)], {
    stdio: "inherit",
  });
  const accepts = () =>
    new Promise((resolve) => {
      const socket = createConnection(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
  return running([child], [port], accepts);
}

/** Waits until each of the ports says that it serves. @throws Error where a process ends before */
async function running(children, ports, isUp) {
  const ends = children.map(
    ({ spawnargs }, at) => new Promise((_, reject) => children[at].once("exit", () => reject(new Error(`${spawnargs[0]} has ended`)))),
  );
  const serving = (async () => {
    for (const port of ports) while (!(await isUp(port))) await pause(50);
  })();
  try {
    await Promise.race([serving, ...ends]);
  } catch (error) {
    await ended(children);
    throw error;
  }
  // Edges that a member has started count with it.
  const pids = children.flatMap(({ pid }) => [pid, ...childrenOf(pid)]);
  return { ports, pids, stop: () => ended(children) };
}

/** The processes that a process has started. */
export function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}

/** Ends them, and waits until their ports are free. */
async function ended(children) {
  await Promise.all(
    children.map((child) => {
      if (child.exitCode !== null || child.signalCode !== null) return null;
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      return exited;
    }),
  );
}

function statusOf(port) {
  return new Promise((resolve) => {
    let said = "";
    const socket = createConnection(port, "127.0.0.1", () => socket.write("srvr"));
    socket.on("data", (chunk) => {
      said += chunk;
    });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("error", () => {}).on("close", () => resolve(said));
  });
}
