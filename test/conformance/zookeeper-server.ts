/**
 * Apache ZooKeeper 3.8 as a process: Debian's package, one standalone server on loopback.
 */
import { writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { temporaryFolder } from "../support/hub.ts";
import { mayInstall, mayUse } from "../support/machine.ts";
import { freePort, Process, until } from "../support/processes.ts";

const jars = ["zookeeper", "zookeeper-jute", "slf4j-nop", "slf4j-api"].map((name) => `/usr/share/java/${name}.jar`);

/** True if ZooKeeper is here, or could be installed. */
export function hasZooKeeper(): boolean {
  const what = "conformance with ZooKeeper";
  return mayInstall(what, jars, "zookeeper") && mayUse(what, ["java", "default-jre-headless"]);
}

export interface ZooKeeperServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** @param reapMs how often it looks for containers and znodes whose time is over */
export async function startZooKeeper(reapMs: number): Promise<ZooKeeperServer> {
  const folder = temporaryFolder("zookeeper");
  const port = await freePort();
  const settings = {
    dataDir: join(folder, "data"),
    clientPort: port,
    clientPortAddress: "127.0.0.1",
    tickTime: 100,
    minSessionTimeout: 300,
    maxSessionTimeout: 60_000,
    maxClientCnxns: 0,
    "admin.enableServer": false,
    extendedTypesEnabled: true,
  };
  const text = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  writeFileSync(join(folder, "zoo.cfg"), text.join("\n"));
  const server = new Process("java", [
    // What it answers is compared, not how fast it is: its syncs would only make the run longer.
    "-Dzookeeper.forceSync=no",
    `-Dznode.container.checkIntervalMs=${reapMs}`,
    "-Xmx512m",
    "-cp",
    jars.join(":"),
    "org.apache.zookeeper.server.quorum.QuorumPeerMain",
    join(folder, "zoo.cfg"),
  ]);
  await until(async () => {
    if (server.child.exitCode !== null) throw new Error(`ZooKeeper ended: ${server.err}${server.out}`);
    return (await statusOf(port)).includes("Mode: standalone");
  });
  return { port, stop: () => server.kill9() };
}

/** What a server says of itself; nothing while it does not. */
function statusOf(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = createConnection(port, "127.0.0.1", () => socket.write("srvr"));
    socket.on("data", (chunk) => {
      text += String(chunk);
    });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("error", () => {}).on("close", () => resolve(text));
  });
}
