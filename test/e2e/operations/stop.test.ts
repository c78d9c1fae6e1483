/** How a hub stops: what it says meanwhile, and where its clients go. And what it tells systemd. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { EnsembleProcesses } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { mayUse } from "../../support/machine.ts";
import { command, freePort, killAll, Process, root, until } from "../../support/processes.ts";
import { RawClient } from "../../support/raw-client.ts";

afterEach(killAll);

/** More than leave in one slice. */
const clients = 700;

it("is not ready, takes nobody new and lets its clients go in slices, which then go on elsewhere", { timeout: 120_000 }, async () => {
  const ensemble = await EnsembleProcesses.start(3);
  const leader = await ensemble.leader();
  const other = await ensemble.follower();
  const here = await Promise.all(Array.from({ length: clients }, () => RawClient.connect(`${leader.url}/v1`, { readOnly: true })));
  const kept = await RawClient.connect(`${leader.url}/v1`, { timeout: 60_000 });
  await kept.ask({ op: "create", path: "/here", data: "", ephemeral: true });

  let left = clients;
  const codes = new Set<number>();
  const leftAtReadiness: number[] = [];
  for (const client of here) {
    void client.closed.then(({ code }) => {
      left--;
      codes.add(code);
    });
  }
  leader.process.child.kill("SIGTERM");
  await until(async () => left < clients);
  const ready = await fetch(`http://127.0.0.1:${leader.port}/readyz`);
  if (ready.status === 503) leftAtReadiness.push(left);
  expect(await ready.text()).toContain("stopping");
  const late = new WebSocket(`${leader.url}/v1`, ["copse.v1"]);
  const refused = await new Promise<string>((resolve) => late.once("error", ({ message }) => resolve(message)));
  expect(refused).toMatch(/503|ECONNREFUSED/);
  await Promise.all(here.map(({ closed }) => closed));
  expect([...codes]).toEqual([1001]);
  expect(leftAtReadiness.every((count) => count > 0)).toBe(true);
  expect(leftAtReadiness).toHaveLength(1);

  const resumed = await RawClient.connect(`${other.url}/v1`, { session: kept.session.session, timeout: 60_000 });
  expect(resumed.session).toMatchObject({ resumed: true });
  expect(await resumed.ask({ op: "get", path: "/here" })).toMatchObject({ data: "" });
  expect(await leader.process.exited).toBe(0);
});

it("tells systemd that it serves, that it is alive, and that it stops", { timeout: 60_000 }, async () => {
  if (!mayUse("what systemd is told", ["systemd-notify", "systemd"], ["python3", "python3"])) return;
  const folder = temporaryFolder("systemd");
  const socket = `${folder}/notify`;
  // Node has no datagram sockets of Unix: Python hears what systemd would hear.
  const listens = `import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(${JSON.stringify(socket)})
print("listening", flush=True)
while True: print(s.recv(4096).decode(), flush=True)`;
  const systemd = new Process("python3", ["-c", listens]);
  await systemd.printed(/listening/);
  const env = { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: "300000" };
  const flags = ["serve", "--data", `${folder}/data`, "--listen", `127.0.0.1:${await freePort()}`];
  const hub = new Process(process.execPath, [command, ...flags], { env });
  await systemd.printed(/READY=1/);
  await hub.printed(/copse serves/);
  await until(async () => systemd.out.split("WATCHDOG=1").length > 3);
  hub.child.kill("SIGTERM");
  await systemd.printed(/STOPPING=1/);
  expect(await hub.exited).toBe(0);
});

it("stops as process 1 of a container with a root that can't be written", { timeout: 60_000 }, async () => {
  if (!mayUse("a container", ["unshare", "util-linux"])) return;
  const data = temporaryFolder("container");
  const port = await freePort();
  const serve = `exec ${process.execPath} ${join(root, "apps/cli/bin/copse.js")} serve --data ${data}/data --listen 127.0.0.1:${port}`;
  const script = `mount --bind ${data} ${data} && mount -o remount,ro,bind / && mount -t proc proc /proc && echo PID $$ && ${serve}`;
  const container = new Process("unshare", ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]);
  await container.printed(/copse serves/);
  expect(container.out).toContain("PID 1\n");
  // Its child is process 1 within.
  const inner = readFileSync(`/proc/${container.child.pid}/task/${container.child.pid}/children`, "utf8").trim();
  process.kill(Number(inner), "SIGTERM");
  expect(await container.exited).toBe(0);
});
