/** A page that wakes after its token has ended renews before it sends anything else, whatever was asked meanwhile. */
import { expect, it } from "vitest";
import { Copse } from "../src/client.ts";
import type { ClientPorts, SocketEvents } from "../src/transport.ts";

/** A host and a server that a test moves. */
class Host {
  wall = 1_000_000;
  wake: () => void = () => {};
  events: SocketEvents | null = null;
  readonly sent: Record<string, unknown>[] = [];
  readonly ports: ClientPorts = {
    now: () => this.wall,
    wallNow: () => this.wall,
    after: () => () => {},
    random: () => 0.5,
    onWake: (look) => {
      this.wake = look;
      return () => {};
    },
    transport: (_url, events) => {
      this.events = events;
      queueMicrotask(() => events.opened());
      return { send: (text) => void this.sent.push(...([JSON.parse(text)].flat() as Record<string, unknown>[])), close: () => {} };
    },
  };

  answer(message: Record<string, unknown>): void {
    this.events?.received(JSON.stringify(message));
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("sends its auth first, and under the lower id", async () => {
  const host = new Host();
  let asked = 0;
  const auth = ({ reason }: { reason: string }): { scheme: string; credential: string }[] => {
    asked++;
    return [{ scheme: "token", credential: `${reason} ${asked}` }];
  };
  const copse = new Copse(["ws://hub"], { auth, ports: host.ports, sessionTimeoutMs: 120_000 });
  await settled();
  const connect = host.sent.find(({ op }) => op === "connect")!;
  host.answer({
    id: connect["id"],
    zxid: 1,
    session: { id: "s", secret: "x", timeout: 120_000 },
    resumed: false,
    lastId: 0,
    cluster: "c",
    member: "1",
    role: "leader",
    limits: { frameBytes: 65_536, requests: 100 },
    identities: [{ scheme: "token", id: "acme:ada" }],
    expiresAt: host.wall + 10_000,
  });
  await settled();
  host.sent.length = 0;
  // The page slept past the end; the first that runs in it is the application, not our timer.
  host.wall += 20_000;
  const write = copse.set("/a", "1").catch(() => {});
  const read = copse.get("/a").catch(() => {});
  host.wake();
  await settled();
  const ops = host.sent.filter(({ op }) => op !== "ping");
  expect(ops.map(({ op }) => op)).toEqual(["auth", "set", "get"]);
  expect(ops[0]).toMatchObject({ scheme: "token", credential: "expiring 2" });
  const ids = ops.map(({ id }) => id as number);
  expect(ids).toEqual([...ids].sort((a, b) => a - b));
  host.answer({ id: ids[0], zxid: 2, identities: [{ scheme: "token", id: "acme:ada" }], expiresAt: host.wall + 60_000 });
  await settled();
  expect(copse.expiresAt).toBe(host.wall + 60_000);
  const closing = copse.close();
  await settled();
  host.answer({ id: host.sent.find(({ op }) => op === "close")!["id"], zxid: 2 });
  await Promise.all([closing, write, read]);
});
