/** What a client says while it waits: where it tries, and why it is not there yet. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, connect as dial } from "node:net";
import { type ClientStatus, type ConnectOptions, connect, isCopseError, SessionEvent } from "@copse/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CertificateAuthority } from "../support/certificates.ts";
import { type Hub, startHub, temporaryFolder } from "../support/hub.ts";
import { freePort, serve } from "../support/processes.ts";
import { Relay } from "../support/relay.ts";

let hub: Hub;
const servers: { close(): unknown }[] = [];

beforeAll(async () => {
  hub = await startHub();
});
afterAll(async () => {
  for (const server of servers) server.close();
  await hub.destroy();
});

/** Why a connect to there gave up. */
async function refusal(url: string, options: ConnectOptions = {}): Promise<Error> {
  const error = await connect(url, { sessionTimeoutMs: 4_000, connectTimeoutMs: 2_500, ...options }).catch((reason: unknown) => reason);
  expect(isCopseError(error, "TIMEOUT") && error.retryable).toBe(true);
  return error as Error;
}

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describe("a connect that does not come through gives up, and says why:", () => {
  it("nobody listens", async () => {
    const port = await freePort();
    expect((await refusal(`ws://127.0.0.1:${port}`)).message).toMatch(
      new RegExp(`^TIMEOUT: not connected in 2500 ms: ws://127.0.0.1:${port}/v1: .*ECONNREFUSED`),
    );
  });

  it("no such name", async () => {
    expect((await refusal("ws://nobody.invalid")).message).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  it("another path", async () => {
    expect((await refusal(`${hub.page}/elsewhere`)).message).toContain("404");
  });

  it("a certificate that does not fit", async () => {
    const { key, cert } = new CertificateAuthority().sign("hub");
    const own = await startHub({ tls: { key: readFileSync(key), cert: readFileSync(cert) } });
    expect((await refusal(own.page)).message).toMatch(/certificate/);
    await own.destroy();
  });

  it("a proxy that asks for a name and a password", async () => {
    const proxy = createServer((_request, response) => response.writeHead(401).end());
    expect((await refusal(`ws://127.0.0.1:${await portOf(proxy)}`)).message).toContain("401");
  });

  it("a peer that is no hub, and one that says nothing", async () => {
    const silent = createTcpServer(() => {});
    expect((await refusal(`ws://127.0.0.1:${await portOf(silent as Server)}`)).message).toContain("no connection in 1333 ms");
  });

  it("credentials that the application can't get, with what was thrown", async () => {
    const thrown = new Error("the token's server is down");
    const error = await refusal(hub.url, {
      auth: () => {
        throw thrown;
      },
    });
    expect(error.message).toContain("auth threw: the token's server is down");
    expect(error.cause).toBe(thrown);
    expect((await refusal(hub.url, { auth: () => new Promise(() => {}) })).message).toContain("nothing from `auth` in 1333 ms");
  });

  it("but waits for as long as it takes where it is told to", async () => {
    const relay = new Relay();
    relay.to = hub.port;
    relay.cut();
    const connecting = connect(`ws://127.0.0.1:${await relay.listen()}`, { connectTimeoutMs: Number.POSITIVE_INFINITY });
    relay.mend();
    await (await connecting).close();
    relay.close();
  });
});

describe("a hub that refuses new connections", () => {
  it("says so in its log, by reason, once a minute at most", async () => {
    const own = await serve(temporaryFolder("refusing"), await freePort(), "--log-level", "warn");
    const refused = async (path: string): Promise<void> => {
      await expect(connect(`${own.page}${path}`, { sessionTimeoutMs: 4_000, connectTimeoutMs: 500 })).rejects.toThrow("404");
    };
    await refused("/elsewhere");
    await own.process.printed(/"refused":\{"path":\d+\}/);
    const text = await (await fetch(`${own.page}/metrics`)).text();
    expect(text).toMatch(/copse_upgrades_refused_total\{reason="path"\} [1-9]/);
    await refused("/again");
    expect(`${own.process.out}${own.process.err}`.match(/refused new connections/g)).toHaveLength(1);
    await own.process.kill9();
  });
});

describe("the error of a call", () => {
  it("names the line of the caller", async () => {
    const client = await connect(hub.url);
    async function callerOfTheClient(): Promise<void> {
      await client.get("/nothing");
    }
    const error = (await callerOfTheClient().catch((reason: unknown) => reason)) as Error;
    expect(error.stack).toContain("NO_NODE");
    expect(error.stack).toMatch(/callerOfTheClient.*client-status\.test\.ts/);
    await client.close();
  });
});

describe("the status of a client", () => {
  it("is an event and a live store, from the first attempt to the end", async () => {
    const relay = new Relay();
    relay.to = hub.port;
    const url = `ws://127.0.0.1:${await relay.listen()}`;
    const client = await connect(url);
    const seen: ClientStatus[] = [];
    const states: string[] = [];
    client.addEventListener("state", (event) => event instanceof SessionEvent && states.push(event.state));
    const off = client.status.subscribe((status) => seen.push(status));
    expect(seen).toEqual([{ state: "connected", endpoint: `${url}/v1`, attempt: 0, reason: null, nextTryMs: null }]);
    relay.cut();
    await expect.poll(() => client.status.get().attempt, { timeout: 10_000 }).toBeGreaterThan(1);
    const lost = seen.find(({ state }) => state === "suspended")!;
    expect(lost).toMatchObject({ attempt: 0, reason: expect.stringMatching(/./), nextTryMs: expect.any(Number) });
    // Under way: nothing to wait for, and the reason of the attempt before is still there.
    expect(seen.find(({ attempt }) => attempt === 2)).toMatchObject({
      state: "suspended",
      reason: expect.stringMatching(/./),
      nextTryMs: null,
    });
    relay.mend();
    await client.connected();
    await client.close();
    expect(seen.at(-1)).toMatchObject({ state: "closed" });
    expect(states).toEqual(["suspended", "connected", "closed"]);
    off();
    relay.close();
  });
});

describe("a hub that a proxy serves under a prefix", () => {
  it("is reached by a URL that names the prefix alone", async () => {
    const proxy = createServer();
    proxy.on("upgrade", (request, near, head) => {
      const far = dial(hub.port, "127.0.0.1", () => {
        const path = request.url!.replace(/^\/hubs\/a/, "");
        const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
        far.write(`GET ${path} HTTP/1.1\r\n${headers.join("")}\r\n`);
        far.write(head);
        far.pipe(near).pipe(far);
      });
      far.on("error", () => near.destroy());
      near.on("error", () => far.destroy());
    });
    const client = await connect(`http://127.0.0.1:${await portOf(proxy)}/hubs/a/`);
    expect(await client.exists("/")).not.toBeNull();
    await client.close();
  });
});
