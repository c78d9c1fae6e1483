/** A member whose clients are carried by edges on the same port: over both transports, through deaths, and to the end. */
import { type Copse, connect } from "@copse/client";
import { afterEach, describe, expect, it } from "vitest";
import { metric } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { command, copse, freePort, killAll, Process, until } from "../../support/processes.ts";

afterEach(killAll);

interface Edged {
  readonly hub: Process;
  readonly data: string;
  readonly port: number;
  readonly url: string;
}

async function start(port: number, data: string, ...flags: string[]): Promise<Edged> {
  const hub = new Process(process.execPath, [command, "serve", "--listen", `127.0.0.1:${port}`, "--data", data, "--edges", "2", ...flags]);
  await hub.printed(/copse serves ws:/);
  return { hub, data, port, url: `ws://127.0.0.1:${port}` };
}

/** The newest processes of its edges, by name, as its log says. */
function pids({ hub }: Edged): ReadonlyMap<string, number> {
  const found = [...hub.err.matchAll(/"edge":"(m1-\d)","pid":(\d+)/g)];
  return new Map(found.map(([, name, pid]) => [name!, Number(pid)]));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** How often each client has lost its connection. */
function losses(clients: readonly Copse[]): number[] {
  const lost = clients.map(() => 0);
  clients.forEach((client, at) => void client.onState((state) => state !== "connected" && lost[at]!++));
  return lost;
}

describe.each(["ws", "uws"])("edges of one port over %s", (transport) => {
  it("share the clients; one that dies is started again, and sessions go on", async () => {
    const edged = await start(await freePort(), temporaryFolder("edged"), "--transport", transport);
    const clients = await Promise.all(Array.from({ length: 24 }, () => connect(edged.url)));
    await Promise.all(clients.map((client, at) => client.create(`/held-${at}`, null, { ephemeral: true })));
    const sessions = clients.map(({ sessionId }) => sessionId);
    expect(await metric(edged.port, "copse_connections")).toBe(24);
    const lost = losses(clients);
    const before = pids(edged);
    expect([...before.keys()].sort()).toEqual(["m1-1", "m1-2"]);
    process.kill(before.get("m1-1")!, "SIGKILL");
    await edged.hub.printed(/"edge":"m1-1".*"an edge ended; it is started again"/);
    await until(async () => pids(edged).get("m1-1") !== before.get("m1-1"));
    for (const [at, client] of clients.entries()) expect(await client.exists(`/held-${at}`)).not.toBeNull();
    expect(clients.map(({ sessionId }) => sessionId)).toEqual(sessions);
    // The other edge's clients have noticed nothing.
    expect(lost.filter((times) => times === 0).length).toBeGreaterThan(0);
    expect(lost.filter((times) => times > 0).length).toBeGreaterThan(0);
    expect((await clients[0]!.children("/")).children.filter((name) => name.startsWith("held-"))).toHaveLength(24);
    await Promise.all(clients.map((client) => client.close()));
    edged.hub.child.kill("SIGTERM");
    expect(await edged.hub.exited).toBe(0);
    for (const pid of pids(edged).values()) await until(async () => !isAlive(pid));
  });

  it("are ended and started again when they stand still, which nobody else would notice", async () => {
    const edged = await start(await freePort(), temporaryFolder("edged"), "--transport", transport);
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(edged.url, { sessionTimeoutMs: 30_000 })));
    const sessions = clients.map(({ sessionId }) => sessionId);
    const stopped = pids(edged).get("m1-2")!;
    process.kill(stopped, "SIGSTOP");
    await edged.hub.printed(/"edge":"m1-2","pid":\d+,"msg":"an edge does not follow its member any more; it is ended"/);
    await until(async () => pids(edged).get("m1-2") !== stopped);
    for (const client of clients) await client.create("/after-", null, { sequential: true });
    expect(clients.map(({ sessionId }) => sessionId)).toEqual(sessions);
    await Promise.all(clients.map((client) => client.close()));
  });

  it("end with their member, however that ends, and it comes back on the same port with all that it had", async () => {
    const edged = await start(await freePort(), temporaryFolder("edged"), "--transport", transport);
    const client = await connect(edged.url);
    await client.create("/kept", "yes");
    const before = pids(edged);
    await edged.hub.kill9();
    for (const pid of before.values()) await until(async () => !isAlive(pid));
    const again = await start(edged.port, edged.data, "--transport", transport);
    expect((await client.get("/kept")).data).toBe("yes");
    await client.close();
    again.hub.child.kill("SIGTERM");
    expect(await again.hub.exited).toBe(0);
  });
});

describe("a member with edges", () => {
  it("shows the figures of all its processes, on the port for operators where there is one", async () => {
    const admin = await freePort();
    const { url, port } = await start(await freePort(), temporaryFolder("edged"), "--admin-listen", `127.0.0.1:${admin}`);
    const clients = await Promise.all(Array.from({ length: 6 }, () => connect(url)));
    for (const client of clients) await client.create("/a-", null, { sequential: true });
    expect(await metric(admin, "copse_connections")).toBe(6);
    expect(await metric(admin, 'copse_requests_total{op="create"}'.replace(/[{}"]/g, "\\$&"))).toBe(6);
    expect(await metric(admin, "copse_coordinates")).toBe(1);
    expect((await fetch(`http://127.0.0.1:${admin}/readyz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    await Promise.all(clients.map((client) => client.close()));
  });

  it("says what is wrong with a number of edges, or a port that is taken, and starts nothing", async () => {
    for (const count of ["0", "65", "many"]) {
      const hub = new Process(process.execPath, [
        command,
        "serve",
        "--data",
        temporaryFolder("edged"),
        "--listen",
        "127.0.0.1:0",
        "--edges",
        count,
      ]);
      expect(await hub.exited).toBe(2);
      expect(hub.err).toContain("edges: must be auto, or 1 to 64");
    }
    const { port, url } = await start(await freePort(), temporaryFolder("edged"));
    const second = new Process(process.execPath, [
      command,
      "serve",
      "--data",
      temporaryFolder("edged"),
      "--listen",
      `127.0.0.1:${port}`,
      "--edges",
      "1",
    ]);
    expect(await second.exited).toBe(2);
    expect(second.err).toContain("is in use by another process");
    expect((await copse(url, "create", "/still", "there")).code).toBe(0);
  });
});
