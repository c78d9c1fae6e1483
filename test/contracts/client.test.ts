/**
 * The client against the product's member on simulated time: what applications do to it, and what networks do to it.
 */
import { defineNode, isCopseError } from "@copse/client";
import { edit } from "@copse/client/immer";
import { election } from "@copse/recipes/election";
import { lock, tryLock } from "@copse/recipes/lock";
import { TestEnsemble } from "@copse/testing";
import { describe, expect, it } from "vitest";
import { settled } from "../support/settled.ts";

describe("the server's limits", () => {
  it("are kept: a request that fits no frame is refused here, and the others go on", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    await expect(copse.create("/x", "x".repeat(3_000_000))).rejects.toMatchObject({ code: "TOO_LARGE", outcome: "none" });
    await expect(copse.create("/x", "x".repeat(1_500_000))).rejects.toMatchObject({ code: "TOO_LARGE" });
    hub.dropConnections();
    const creates = Array.from({ length: 5 }, (_, at) => copse.create(`/large-${at}`, "é".repeat(450_000)));
    await hub.until(Promise.all(creates));
    expect(hub.connections).toBe(2);
  });

  it("bound what is unanswered, also while watches and subscriptions come back", async () => {
    const hub = new TestEnsemble({ limits: { requests: 20 } });
    const copse = await hub.connect();
    await hub.until(Promise.all(Array.from({ length: 300 }, (_, at) => copse.create(`/n${at}`, "x"))));
    const stops = Array.from({ length: 50 }, (_, at) => copse.store(`/n${at}`).subscribe(() => {}));
    void copse.watch("/n1").next();
    await copse.sync();
    hub.dropConnections();
    await hub.until(copse.sync());
    // One watch is the client's own: on the ensemble's configuration.
    expect([hub.connections, hub.member().figures.subscriptions, hub.member().figures.watches]).toEqual([2, 50, 2]);
    for (const stop of stops) stop();
    await copse.sync();
    expect(hub.member().figures.subscriptions).toBe(0);
  });
});

describe("subscriptions", () => {
  it("that end while the connection is away take no other with them", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    const names = ["/a", "/b", "/c"];
    for (const name of names) await copse.create(name, "0");
    const stores = names.map((name) => copse.store(name));
    const stops = stores.map((store) => store.subscribe(() => {}));
    await copse.sync();
    hub.dropConnections();
    stops[0]!();
    await hub.until(copse.set("/b", "1"));
    await copse.set("/c", "1");
    await copse.sync();
    expect(stores.map((store) => store.get())).toEqual(["0", "1", "1"]);
    expect(hub.member().figures.subscriptions).toBe(2);
  });

  it("share one on the server, and a listener that throws harms nobody else", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    await copse.create("/s", "0");
    const thrown: unknown[] = [];
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => thrown.push(error));
    const seen: string[] = [];
    const stop = [
      copse.observe(
        "/s",
        {},
        {
          state: () => {
            throw new Error("listener");
          },
          changes: () => {},
          failed: () => {},
        },
      ),
      copse.store("/s").subscribe((value) => seen.push(value)),
    ];
    const got = copse.get("/s");
    expect((await got).data).toBe("0");
    await copse.set("/s", "1");
    await copse.sync();
    await settled();
    process.removeAllListeners("uncaughtException");
    for (const listener of before) process.on("uncaughtException", listener);
    expect([seen[seen.length - 1], hub.member().figures.subscriptions]).toEqual(["1", 1]);
    expect(thrown).toMatchObject([{ message: "listener" }]);
    for (const end of stop) end();
  });

  it("and watches end with the client, and are told of another cluster", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: 9_000, allowClusterChange: true });
    await copse.create("/s", "old");
    const store = copse.store("/s");
    store.subscribe(() => {});
    const watch = copse.watch("/s");
    const changes = copse.changes("/s");
    await copse.sync();
    hub.restart({ wiped: true });
    await hub.advance(10_000);
    expect(copse.state).toBe("connected");
    expect((await watch.next()).value).toMatchObject({ event: "resync", path: "/s" });
    await copse.create("/s", "new");
    await copse.sync();
    expect((await watch.next()).value).toMatchObject({ event: "created", path: "/s" });
    expect(store.get()).toBe("new");
    const kinds = [(await changes.next()).value?.kind, (await changes.next()).value?.kind];
    expect(kinds).toEqual(["resync", "created"]);
    const ends = [watch.next(), changes.next()];
    await copse.close();
    expect(await Promise.all(ends)).toEqual([
      { value: undefined, done: true },
      { value: undefined, done: true },
    ]);
  });
});

describe("writes", () => {
  it("made while the session ends happen once", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: 3_000 });
    await copse.create("/q");
    const created: Promise<{ path: string }>[] = [];
    copse.onState((state) => {
      if (state === "expired") created.push(copse.create("/q/job-", null, { sequential: true }));
    });
    hub.freeze(2_500);
    await hub.advance(5_000);
    expect((await hub.until(Promise.all(created))).map(({ path }) => path)).toEqual(["/q/job-0000000000"]);
    expect((await copse.children("/q")).children).toHaveLength(1);
  });

  it("give up when told, and the session stays", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: 30_000 });
    hub.cutOff();
    const late = copse.create("/late", null, { timeoutMs: 500 }).catch((error: unknown) => error);
    const controller = new AbortController();
    const aborted = copse.create("/aborted", null, { signal: controller.signal }).catch((error: unknown) => error);
    await hub.advance(600);
    controller.abort(new Error("enough"));
    expect(isCopseError(await late, "TIMEOUT")).toBe(true);
    expect(await late).toMatchObject({ outcome: "unknown", retryable: true });
    expect(await aborted).toMatchObject({ message: "enough" });
    hub.heal();
    await hub.until(copse.create("/next"));
    expect((await copse.children("/")).children).toEqual(["aborted", "copse", "late", "next"]);
  });

  it("of an update are compared and set until nobody came between", async () => {
    const hub = new TestEnsemble();
    const clients = await Promise.all([1, 2, 3].map(() => hub.connect()));
    const rounds = clients.flatMap((copse) =>
      Array.from({ length: 10 }, () => copse.update("/counter", (value) => String(Number(value ?? 0) + 1))),
    );
    await hub.until(Promise.all(rounds));
    expect((await clients[0]!.get("/counter")).data).toBe("30");
  });
});

describe("znodes that go by themselves", () => {
  it("are containers that had a child, or never got one, and TTL znodes, once they are childless and due", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    await copse.create("/used", null, { container: true });
    await copse.create("/used/child");
    await copse.create("/unused", null, { container: true });
    await copse.create("/ttl", "x", { ttl: 90_000 });
    await copse.create("/ttl-parent", null, { ttl: 1_000 });
    await copse.create("/ttl-parent/child");
    const names = async (): Promise<string[]> => (await copse.children("/")).children.filter((name) => name !== "copse");
    await hub.advance(70_000);
    expect(await names()).toEqual(["ttl", "ttl-parent", "unused", "used"]);
    await copse.set("/ttl", "renewed");
    await copse.delete("/used/child");
    await hub.advance(61_000);
    expect(await names()).toEqual(["ttl", "ttl-parent", "unused"]);
    await hub.advance(61_000);
    expect(await names()).toEqual(["ttl-parent", "unused"]);
    await copse.delete("/ttl-parent/child");
    await hub.advance(61_000);
    expect(await names()).toEqual(["unused"]);
    await hub.advance(120_000);
    expect(await names()).toEqual([]);
  });
});

describe("drafts", () => {
  it("of immer are updates like any other", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    const Web = defineNode<{ limit: number; tags: string[] }>("/web");
    await copse.create("/web", '{"limit":1,"tags":["a"]}');
    const store = copse.store(Web);
    store.subscribe(() => {});
    await copse.sync();
    const before = store.get();
    const { value } = await copse.update(
      Web,
      edit((draft) => void draft.tags.push("b")),
    );
    await copse.sync();
    expect([value, store.get(), before]).toEqual([
      { limit: 1, tags: ["a", "b"] },
      { limit: 1, tags: ["a", "b"] },
      { limit: 1, tags: ["a"] },
    ]);
  });

  it("and stores keep the last good value where a schema refuses", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (value: unknown) => (typeof value === "number" ? { value } : { issues: [{ message: "not a number" }] }),
      },
    };
    const Limit = defineNode<number>("/limit", schema);
    await copse.create("/limit", "1");
    const store = copse.store(Limit, { initial: 0 });
    store.subscribe(() => {});
    await store.ready();
    await copse.set("/limit", '"x"');
    await copse.sync();
    expect([store.get(), store.error?.code, store.error?.issues]).toEqual([1, "SCHEMA", [{ message: "not a number" }]]);
    await expect(copse.update(Limit, () => 2)).rejects.toMatchObject({ code: "SCHEMA" });
    await copse.set("/limit", "3");
    await copse.sync();
    expect([store.get(), store.error]).toEqual([3, null]);
    await copse.delete("/limit");
    await copse.sync();
    expect([store.get(), store.status]).toEqual([0, "missing"]);
  });
});

describe("locks and elections", () => {
  it("leave no ghost when they are given up at any moment", async () => {
    const hub = new TestEnsemble();
    const [copse, other] = [await hub.connect(), await hub.connect()];
    const held = await lock(other, "/l");
    for (let turns = 0; turns < 12; turns++) {
      const controller = new AbortController();
      const waiting = lock(copse, "/l", { signal: controller.signal }).catch((error: unknown) => error);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      controller.abort(new Error("given up"));
      expect(await waiting).toMatchObject({ message: "given up" });
    }
    expect(await tryLock(copse, "/l")).toBeNull();
    await copse.sync();
    expect((await other.children("/l")).children).toHaveLength(1);
    await held.close();
    const mine = await tryLock(copse, "/l");
    expect(mine?.token).toBeGreaterThan(held.token);
    expect(held.signal.aborted).toBe(true);
  });

  it("wake one waiter for each release, in order", async () => {
    const hub = new TestEnsemble();
    const clients = await Promise.all(Array.from({ length: 20 }, () => hub.connect()));
    const order: number[] = [];
    const all = clients.map(async (copse, at) => {
      const held = await lock(copse, "/fair");
      order.push(at);
      await held.close();
    });
    await Promise.all(all);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    await clients[0]!.sync();
    // What is left are the clients' own, on the ensemble's configuration.
    expect(hub.member().figures.watches).toBe(clients.length);
  });

  it("make no herd: a release wakes one waiter, whoever many there are", async () => {
    const hub = new TestEnsemble();
    const clients = await Promise.all(Array.from({ length: 10 }, () => hub.connect()));
    const first = await lock(clients[0]!, "/herd");
    const waiting = Array.from({ length: 1_000 }, (_, at) => lock(clients[at % clients.length]!, "/herd"));
    for (const copse of clients) await copse.sync();
    await settled();
    const looks = (): number => hub.member().figures.requests.get("children") ?? 0;
    const before = looks();
    await first.close();
    const second = await waiting[0]!;
    for (const copse of clients) await copse.sync();
    await settled();
    expect(looks() - before).toBe(1);
    expect(second.token).toBeGreaterThan(first.token);
    expect(hub.member().tree.find("/herd")?.numChildren).toBe(1_000);
  });

  it("end when their znode is deleted by somebody else", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    const held = await lock(copse, "/l");
    await (await hub.connect()).delete(held.path);
    await copse.sync();
    await settled();
    expect(held.signal.aborted).toBe(true);
    await expect(copse.set("/l", "x", { guard: held.guard })).rejects.toMatchObject({ code: "GUARD_FAILED" });
  });

  it("pass from leader to leader, and a candidate can withdraw while it has no connection", async () => {
    const hub = new TestEnsemble();
    const [first, second] = [await hub.connect(), await hub.connect({ sessionTimeoutMs: 9_000 })];
    const terms = election(first, "/e", { data: "first" });
    const term = (await terms.next()).value!;
    const controller = new AbortController();
    const candidate = election(second, "/e", { data: "second", signal: controller.signal });
    const won = candidate.next();
    await settled();
    await term.resign();
    const next = (await won).value!;
    expect(next.token).toBeGreaterThan(term.token);
    expect(term.signal.aborted).toBe(true);
    await terms.return();
    hub.cutOff();
    await hub.advance(20_000);
    expect(next.signal.aborted).toBe(true);
    const again = candidate.next();
    await hub.advance(100);
    controller.abort();
    expect((await hub.until(again)).done).toBe(true);
    expect(second.state).not.toBe("closed");
  });
});

describe("a watch that is asked for before the client is connected", () => {
  it("hears of what happens from then on, and nothing older", async () => {
    const hub = new TestEnsemble();
    const other = await hub.connect();
    await other.create("/old");
    const copse = hub.client();
    const events = copse.watch("/", { mode: "recursive" });
    const next = events.next();
    await hub.until(copse.connected());
    await copse.sync();
    await other.create("/new");
    expect((await next).value).toMatchObject({ event: "created", path: "/new" });
  });
});
