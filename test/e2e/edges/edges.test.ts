/**
 * Edges as processes of their own: they serve all that a member serves, and sessions, watches and subscriptions live through the death of an
 * edge, and of whoever feeds it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import { join } from "node:path";
import { type Copse, connect, isCopseError } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import { afterEach, describe, expect, it } from "vitest";
import { CertificateAuthority } from "../../support/certificates.ts";
import { type EdgeProcess, startEdge } from "../../support/edge.ts";
import { EnsembleProcesses } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { command, copse, freePort, killAll, Process, serve, until } from "../../support/processes.ts";
import { RawClient } from "../../support/raw-client.ts";

afterEach(killAll);

const isReady = async ({ port }: { readonly port: number }): Promise<boolean> =>
  (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null))?.status === 200;

/** An ensemble with two edges, and one that follows those. */
async function withEdges(
  ...flags: string[]
): Promise<{ ensemble: EnsembleProcesses; first: EdgeProcess; second: EdgeProcess; outer: EdgeProcess }> {
  const ensemble = await EnsembleProcesses.start(3, { flags });
  const peers = ensemble.members.map(({ id }) => ensemble.peerAddress(id));
  const [first, second] = await Promise.all([startEdge(peers), startEdge([...peers].reverse())]);
  const outer = await startEdge([first!.peer, second!.peer]);
  for (const edge of [first!, second!, outer]) await until(() => isReady(edge));
  return { ensemble, first: first!, second: second!, outer };
}

/** The status with which a page of that origin is let in, or not. */
function handshake(url: string, origin: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    const headers = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": key,
      Origin: origin,
    };
    const request = http.get(`${url.replace("ws:", "http:")}/v1`, { headers }, (response) => resolve(response.statusCode ?? 0));
    request.on("upgrade", (_response, socket) => {
      socket.destroy();
      resolve(101);
    });
    request.on("error", reject);
  });
}

/** Reads the numbers that are written to a znode, from its changes. */
function follow(client: Copse, path: string): number[] {
  const seen: number[] = [];
  client.observe(
    path,
    { scope: "node" },
    {
      state: (znodes) => void seen.push(...[...znodes.values()].map(({ data }) => Number(data))),
      changes: (changes) => void seen.push(...changes.filter(({ kind }) => kind !== "deleted").map(({ data }) => Number(data))),
      failed: (error) => {
        if (!isCopseError(error, "CLOSED")) throw error;
      },
    },
  );
  return seen;
}

/** Whoever sees each number, or jumps ahead after a reset, but never goes back and sees none twice. */
function expectAscending(seen: readonly number[]): void {
  for (const [at, number] of seen.entries()) if (at > 0) expect(number).toBeGreaterThan(seen[at - 1]!);
}

describe("an edge", () => {
  it("serves all that a member serves, and so does an edge of an edge", async () => {
    const { ensemble, first, outer } = await withEdges();
    const clients = await Promise.all([first.url, outer.url, ensemble.urls[0]!].map((url) => connect(url)));
    const [near, far, direct] = clients as [Copse, Copse, Copse];
    await near.create("/a", "by an edge");
    expect((await far.get("/a", { linearizable: true })).data).toBe("by an edge");
    expect((await direct.get("/a", { linearizable: true })).data).toBe("by an edge");
    const watch = far.watch("/a")[Symbol.asyncIterator]();
    await far.sync();
    await direct.set("/a", "by a member");
    expect((await watch.next()).value).toMatchObject({ event: "changed", path: "/a" });
    await far.multi([
      { op: "set", path: "/a", data: "x".repeat(200_000) },
      { op: "create", path: "/b" },
    ]);
    expect((await near.get("/a", { linearizable: true })).data).toHaveLength(200_000);
    const held = await lock(far, "/lock");
    const waiting = lock(near, "/lock");
    await until(async () => (await direct.children("/lock")).children.length === 2);
    await held.close();
    expect((await waiting).token).toBeGreaterThan(held.token);
    const ephemeral = await far.create("/e", null, { ephemeral: true });
    await far.close();
    await until(async () => (await near.exists(ephemeral.path)) === null);
    await near.close();
    await direct.close();
  });

  it("goes on behind another member when the one that feeds it is killed, and its clients notice nothing", async () => {
    const { ensemble, first, outer } = await withEdges();
    const [writer, follower] = await Promise.all([connect(ensemble.urls), connect(outer.url)]);
    await writer!.create("/n", "0");
    const seen = follow(follower!, "/n");
    const { sessionId } = follower!;
    await until(async () => seen.length > 0);
    let written = 0;
    const write = async (count: number): Promise<void> => {
      const end = written + count;
      // What came of one that is under way when a member dies is not known: the last one tells.
      while (written < end) await writer!.set("/n", String(++written)).catch(() => {});
    };
    await write(50);
    // The first address that it was given is that of member 1.
    await ensemble.members[0]!.process.kill9();
    await write(50);
    await until(async () => seen.at(-1) === written);
    await first.process.kill9();
    await write(50);
    await until(async () => seen.at(-1) === written);
    expectAscending(seen);
    expect(follower!.sessionId).toBe(sessionId);
    await follower!.create("/after", "it all", { ephemeral: true });
    await Promise.all([writer!.close(), follower!.close()]);
  });

  it("dies, and its clients go on with their sessions elsewhere", async () => {
    const { ensemble, first, second } = await withEdges();
    const client = await connect([first.url, second.url]);
    const writer = await connect(ensemble.urls);
    await client.create("/n", "0");
    await client.create("/held", null, { ephemeral: true });
    const seen = follow(client, "/n");
    const { sessionId } = client;
    for (const [at, edge] of [first, second].entries()) {
      await writer.set("/n", String(at + 1));
      await until(async () => seen.at(-1) === at + 1);
      if (at === 0) {
        await edge.process.kill9();
        const again = new Process(process.execPath, [
          command,
          "edge",
          "--of",
          ensemble.peerAddress("2"),
          "--listen",
          `127.0.0.1:${edge.port}`,
        ]);
        await again.printed(/copse serves/);
      }
    }
    await second.process.kill9();
    await writer.set("/n", "3");
    await until(async () => seen.at(-1) === 3);
    expect(client.sessionId).toBe(sessionId);
    expect(await client.exists("/held")).not.toBeNull();
    expectAscending(seen);
    await Promise.all([client.close(), writer.close()]);
  });

  it("serves nobody while it hears of no quorum", async () => {
    const { ensemble, outer } = await withEdges();
    const client = await connect(outer.url);
    for (const { process: member } of ensemble.members.slice(0, 2)) await member.kill9();
    await until(async () => !(await isReady(outer)));
    await expect(client.get("/", { linearizable: true, timeoutMs: 2_000 })).rejects.toMatchObject({
      code: expect.stringMatching(/TIMEOUT|UNAVAILABLE/),
    });
    for (const member of ensemble.members.slice(0, 2)) await ensemble.restart(member);
    await until(() => isReady(outer));
    await client.get("/", { linearizable: true });
    await client.close();
  });

  it("[O23] stands in what the ensemble says of itself, with whom it follows, and pages of its host may connect everywhere", async () => {
    const { ensemble, first, second, outer } = await withEdges();
    const shown = async (url: string): Promise<Record<string, string>> => {
      const client = await connect(url, { readOnly: true });
      const { edges = [], members } = await client.ensemble();
      await client.close();
      if (members.some(({ zxid, state }) => zxid === 0 || state !== "up")) return {};
      return Object.fromEntries(edges.map(({ url: place, of }) => [place, of]));
    };
    const wanted = { [first.url]: "1", [second.url]: "3", [outer.url]: /^edge-/ };
    for (const url of [...ensemble.urls, first.url, outer.url]) {
      const found = await until(async () => {
        const edges = await shown(url);
        return Object.keys(edges).length === 3 && edges;
      });
      expect(found[first.url]).toBe(wanted[first.url]);
      expect(found[second.url]).toBe(wanted[second.url]);
      expect(found[outer.url]).toMatch(wanted[outer.url]!);
    }
    const origin = `http://127.0.0.1:${outer.port}`;
    const open = (url: string): Promise<number> => handshake(url, origin);
    for (const url of [...ensemble.urls, second.url]) expect(await open(url)).toBe(101);
    expect(await handshake(second.url, "http://elsewhere.example")).toBe(403);
    expect((await copse(first.url, "member", "list")).out).toMatch(/edge-\w+ +edge +up .* follows 1/);
    await outer.process.kill9();
    await until(async () => Object.keys(await shown(ensemble.urls[0]!)).length === 2);
  });

  it("[O23] is where clients go that were told of another alone", async () => {
    // Nobody is at the members' addresses.
    const { first, second, outer } = await withEdges("--advertise", `ws://127.0.0.1:${await freePort()}`);
    const raw = await RawClient.connect(`${first.url}/v1`);
    const known = await until(async () => {
      const { edges, data } = await raw.ask({ op: "get", path: "/copse/config" });
      return Array.isArray(edges) && edges.length === 3 && { edges, data: String(data) };
    });
    expect(known.edges.sort()).toEqual([first.url, second.url, outer.url].sort());
    expect(known.data).not.toContain(first.url);
    expect(await raw.ask({ op: "get", path: "/copse" })).not.toHaveProperty("edges");
    const client = await connect(first.url);
    await client.create("/held", null, { ephemeral: true });
    const { sessionId } = client;
    await first.process.kill9();
    expect(await client.exists("/held")).not.toBeNull();
    expect(client.sessionId).toBe(sessionId);
    await client.close();
  });

  it("gives a snapshot of its state that is whole", async () => {
    const { first } = await withEdges();
    const client = await connect(first.url);
    await client.create("/large", "é".repeat(300_000));
    for (let count = 0; count < 50; count++) await client.create("/q-", "x".repeat(2_000), { sequential: true });
    await client.close();
    const file = join(temporaryFolder("edge"), "state.snap");
    expect(await copse(first.url, "snapshot", "save", file)).toMatchObject({ code: 0, err: "" });
    const { code, out } = await copse(first.url, "snapshot", "verify", file);
    expect({ code, out }).toMatchObject({ code: 0 });
    expect(readFileSync(file).length).toBeGreaterThan(700_000);
  });

  it("is let in by nobody without the secret, and by none but its own kind of name", async () => {
    const folder = temporaryFolder("edge");
    const [right, wrong] = [join(folder, "right"), join(folder, "wrong")];
    writeFileSync(right, "a secret of thirty-two letters ok", { mode: 0o600 });
    writeFileSync(wrong, "another of thirty-two letters, no", { mode: 0o600 });
    const peer = `127.0.0.1:${await freePort()}`;
    const hub = await serve(join(folder, "data"), await freePort(), "--peer-listen", peer, "--peer-secret-file", right);
    const stranger = await startEdge([peer], "--peer-secret-file", wrong);
    await stranger.process.printed(/its secret does not match/);
    expect(await isReady(stranger)).toBe(false);
    const edge = await startEdge([peer], "--peer-secret-file", right, "--id", "web-1");
    await until(() => isReady(edge));
    await hub.process.printed(/"peer":"edge-web-1","msg":"linked"/);
    const odd = new Process(process.execPath, [command, "edge", "--of", peer, "--id", "Web 1"]);
    expect(await odd.exited).toBe(2);
    expect(odd.err).toContain("id: an edge's id is up to 32 of a-z, 0-9 and -");
    const lost = new Process(process.execPath, [command, "edge"]);
    expect(await lost.exited).toBe(2);
    expect(lost.err).toContain("--of HOST:PORT");
  });

  it("is let in by a certificate of its own name, which is nobody else's", async () => {
    const authority = new CertificateAuthority();
    const flagsOf = (name: string): string[] => {
      const { cert, key, ca } = authority.sign(name);
      return ["--peer-tls-cert", cert, "--peer-tls-key", key, "--peer-tls-ca", ca];
    };
    const peer = `127.0.0.1:${await freePort()}`;
    const data = join(temporaryFolder("edge"), "data");
    const hub = await serve(data, await freePort(), "--peer-listen", peer, ...flagsOf("copse-member-1"));
    const edge = await startEdge([peer], "--id", "web-1", ...flagsOf("copse-edge-web-1"));
    await until(() => isReady(edge));
    await hub.process.printed(/"peer":"edge-web-1","msg":"linked"/);
    for (const [id, name, known] of [
      ["web-2", "copse-edge-web-1", "edge-web-1"],
      ["web-3", "copse-member-2", "2"],
      ["web-4", "copse-web-4", "of nobody"],
    ] as const) {
      const other = await startEdge([peer], "--id", id, ...flagsOf(name));
      await other.process.printed(new RegExp(`its certificate is that of member ${known}`));
      expect(await isReady(other)).toBe(false);
    }
    expect((await copse(edge.url, "create", "/a", "by an edge with a certificate")).code).toBe(0);
  });
});
