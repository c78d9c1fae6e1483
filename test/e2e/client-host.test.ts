/** A client in a host that misbehaves: a loop that is blocked, a process that is stopped, a network that is another, text that is all escapes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Copse, connect, hostPorts } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metric } from "../support/ensemble.ts";
import { temporaryFolder } from "../support/hub.ts";
import { freePort, killAll, root, type ServedHub, serve } from "../support/processes.ts";

let hub: ServedHub;
const children: ChildProcess[] = [];

beforeAll(async () => {
  hub = await serve(temporaryFolder("host"), await freePort());
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await killAll();
});

/** Runs nothing else for so many milliseconds. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe("a lock's signal", () => {
  it("is found aborted by the first look after the event loop was blocked for longer than the session lives", {
    timeout: 60_000,
  }, async () => {
    const client = await connect(hub.url, { sessionTimeoutMs: 4_000 });
    const held = await lock(client, "/locks/blocked");
    held.check();
    block(4_500);
    expect([held.signal.aborted, held.isHeld, client.state]).toEqual([true, false, "expired"]);
    expect(() => held.signal.throwIfAborted()).toThrow("SESSION_EXPIRED");
    await client.connected();
    await client.close();
  });

  it("is found aborted by the first look after SIGSTOP, while another holds the lock", { timeout: 60_000 }, async () => {
    // Looks each turn of its loop, before any timer of the client can run, and says what the first look after a pause finds.
    const script = `
      import { connect } from "@copse/client";
      import { lock } from "@copse/recipes/lock";
      const client = await connect(${JSON.stringify(hub.url)}, { sessionTimeoutMs: 4_000 });
      const held = await lock(client, "/locks/stopped");
      let last = performance.now();
      console.log("held");
      for (;;) {
        for (let at = 0; at < 1e5; at++) {
          const now = performance.now();
          if (now - last > 2_000) {
            console.log(held.signal.aborted ? "lost" : "HELD");
            process.exit(0);
          }
          last = now;
        }
        await new Promise(setImmediate);
      }`;
    const child: ChildProcess = spawn(process.execPath, ["--input-type=module", "-e", script], {
      cwd: `${root}/test`,
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const closed = once(child, "close");
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe("held");
    child.kill("SIGSTOP");
    const other = await connect(hub.url);
    const next = await lock(other, "/locks/stopped");
    child.kill("SIGCONT");
    expect((await lines.next()).value).toBe("lost");
    await closed;
    await next.close();
    await other.close();
  });
});

describe("a connection whose network may be another", () => {
  it("is asked at once whether it lives, and not again while it is asked", async () => {
    let wake = (): void => {};
    const ports = {
      ...hostPorts,
      onWake: (look: () => void) => {
        wake = look;
        return () => {};
      },
    };
    const client: Copse = await connect(hub.url, { sessionTimeoutMs: 60_000, ports });
    const pings = (): Promise<number> => metric(hub.port, 'copse_requests_total{op="ping"}').then((count) => count || 0);
    const before = await pings();
    wake();
    wake();
    await client.sync();
    expect(await pings()).toBe(before + 1);
    await client.close();
  });
});

describe("a mebibyte of text that is all escapes", () => {
  it.each(["\n", '"', "\\", "\u0001"])("is as good as any other: %j", { timeout: 60_000 }, async (unit) => {
    const client = await connect(hub.url);
    const text = unit.repeat(1_048_576);
    await client.create("/escapes", text, { ephemeral: true });
    expect((await client.get("/escapes")).data === text).toBe(true);
    expect((await client.set("/escapes", text)).dataLength).toBe(1_048_576);
    await client.multi([{ op: "set", path: "/escapes", data: text }]);
    await expect(client.set("/escapes", `${text}x`)).rejects.toMatchObject({ code: "TOO_LARGE" });
    expect((await client.get("/escapes")).data === text).toBe(true);
    await client.close();
  });
});
