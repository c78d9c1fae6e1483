/** A client stays in its cluster, whatever answers where its members are said to be. */
import { connect, isCopseError } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/hub.ts";
import { copse, freePort, killAll, type ServedHub, serve } from "../support/processes.ts";
import { Relay } from "../support/relay.ts";

let other: ServedHub;
let relay: Relay;
/** Where the client was told that the hub is: a port that leads to it. */
let url: string;

beforeEach(async () => {
  const port = await freePort();
  other = await serve(temporaryFolder("other"), await freePort());
  // What the hub says of itself is right where it runs; here another hub listens there.
  await serve(temporaryFolder("own"), port, "--advertise", `ws://127.0.0.1:${other.port}`);
  relay = new Relay();
  relay.to = port;
  url = `ws://127.0.0.1:${await relay.listen()}`;
});
afterEach(async () => {
  relay.close();
  await killAll();
});

const refusedByOther = async (): Promise<number> => {
  const text = await (await fetch(`${other.page}/metrics`)).text();
  return Number(/^copse_upgrades_refused_total\{reason="cluster"\} (\d+)$/m.exec(text)?.[1] ?? 0);
};

describe("a client whose way to its hub is cut", () => {
  it("[C16] asks what it has learned, is refused by another cluster there, and loses nothing", { timeout: 60_000 }, async () => {
    const client = await connect(url, { sessionTimeoutMs: 20_000 });
    const reader = await connect(url, { readOnly: true });
    await client.create("/mine", "own");
    const held = await lock(client, "/locks/a");
    const values: (string | undefined)[] = [];
    const store = reader.store("/mine");
    store.subscribe((value) => values.push(value));
    await store.ready();
    const session = client.sessionId;
    relay.cut();
    await expect.poll(refusedByOther, { timeout: 20_000 }).toBeGreaterThan(0);
    await expect.poll(() => client.status.get().reason).toContain("421");
    expect(client.state).toBe("suspended");
    const write = client.set("/mine", "still own");
    relay.mend();
    await write;
    expect(held.signal.aborted).toBe(false);
    expect(client.sessionId).toBe(session);
    await expect.poll(() => store.get()).toBe("still own");
    expect(values).toEqual(["", "own", "still own"]);
    expect((await copse(`ws://127.0.0.1:${other.port}`, "get", "/mine")).code).not.toBe(0);
    await held.close();
    await Promise.all([client.close(), reader.close()]);
  });
});

describe("another cluster at a URL that was given", () => {
  it("ends the client: it says so, and writes nothing there", { timeout: 60_000 }, async () => {
    const client = await connect(url);
    relay.cut();
    await expect.poll(() => client.state).toBe("suspended");
    const write = client.create("/mine", "own");
    relay.to = other.port;
    relay.mend();
    await expect(write).rejects.toSatisfy((error) => isCopseError(error, "CLUSTER_CHANGED"));
    expect(client.state).toBe("closed");
    await expect(client.get("/")).rejects.toMatchObject({ code: "CLUSTER_CHANGED" });
    expect((await copse(`ws://127.0.0.1:${other.port}`, "get", "/mine")).code).not.toBe(0);
  });

  it("is a new beginning where the application allows that", { timeout: 60_000 }, async () => {
    const client = await connect(url, { allowClusterChange: true });
    const held = await lock(client, "/locks/a");
    const session = client.sessionId;
    relay.cut();
    relay.to = other.port;
    await expect.poll(() => client.state).toBe("suspended");
    relay.mend();
    await expect.poll(() => held.signal.aborted, { timeout: 20_000 }).toBe(true);
    await client.connected();
    expect(client.sessionId).not.toBe(session);
    await client.create("/mine", "other");
    expect((await copse(`ws://127.0.0.1:${other.port}`, "get", "/mine")).out).toContain("other");
    await client.close();
  });
});
