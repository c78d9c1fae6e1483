/** What a reviewer found in waits: each stands here, so that it stays mended. */
import { CopseError } from "@copse/client";
import { barrier } from "@copse/recipes/barrier";
import { doubleBarrier } from "@copse/recipes/double-barrier";
import { lock, tryLock } from "@copse/recipes/lock";
import { persistentEphemeral } from "@copse/recipes/persistent-ephemeral";
import { workQueue } from "@copse/recipes/work-queue";
import { TestEnsemble, testEnsemble } from "@copse/testing";
import { describe, expect, it } from "vitest";
import { clientsOf, ghosts, peek, quiet } from "../support/recipe-clients.ts";

describe("a call that is given up", () => {
  it("before it was sent is never done, and says so", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    hub.cutOff(copse);
    hub.dropConnections(copse);
    await hub.advance(20_000);
    expect(copse.state).not.toBe("connected");
    const late = copse.create("/late", null, { timeoutMs: 100 }).catch((error: unknown) => error);
    const controller = new AbortController();
    const aborted = copse.create("/aborted", null, { signal: controller.signal }).catch((error: unknown) => error);
    await hub.advance(200);
    controller.abort(new Error("enough"));
    expect(await late).toMatchObject({ code: "TIMEOUT", outcome: "none" });
    expect(await aborted).toMatchObject({ message: "enough" });
    hub.heal();
    await hub.until(copse.connected());
    expect(await copse.exists("/late")).toBeNull();
    expect(await copse.exists("/aborted")).toBeNull();
  });

  it("as a read leaves no room taken, however often that happens, and a reconnect restores what it has to", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: 4_000 });
    await copse.create("/a", "1");
    const store = copse.store("/a");
    store.subscribe(() => {});
    await store.ready();
    hub.cutOff(copse);
    hub.dropConnections(copse);
    await hub.advance(8_000);
    const calls = Array.from({ length: 100_000 }, () => copse.get("/a").catch((error: unknown) => error));
    await expect(copse.get("/a")).rejects.toMatchObject({ code: "OVERLOADED" });
    hub.heal();
    await hub.until(copse.connected());
    await hub.until(Promise.all(calls));
    await copse.set("/a", "2");
    expect(store.get()).toBe("2");
  }, 60_000);
});

describe("without a quorum for longer than an election", () => {
  it("live values, holders and leases go on in the same session", async () => {
    const ensemble = await testEnsemble({ members: 3 });
    const copse = await ensemble.connect({ sessionTimeoutMs: 60_000 });
    const { sessionId } = copse;
    await copse.create("/value", "1");
    const queue = workQueue(copse, "/q", { leaseMs: 20_000 });
    await queue.put("job");
    // Everything stands after a write that nobody can commit.
    ensemble.partition(...ensemble.members.map((one) => [one]));
    const stuck = copse.set("/value", "2");
    const store = copse.store("/value");
    store.subscribe(() => {});
    const taken = queue.take();
    const held = lock(copse, "/lock");
    await ensemble.advance(10_000);
    expect([copse.state, store.status, store.error]).toEqual(["suspended", "waiting", null]);
    ensemble.heal();
    await ensemble.until(Promise.all([stuck, taken, held, store.ready()]));
    expect([copse.sessionId, store.status, store.get()]).toEqual([sessionId, "live", "2"]);
    const job = await taken;
    // The lease still ends in time, and whoever deletes a lock's znode is heard.
    const place = await held;
    await (await ensemble.connect()).delete(place.path);
    await ensemble.advance(25_000);
    expect(place.signal.aborted).toBe(true);
    expect(job.signal.reason).toMatchObject({ code: "TIMEOUT" });
    await ensemble.close();
  });
});

describe("a double barrier", () => {
  it("is left by the last however soon others come again, and opened again where all inside crash", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 4);
    const [a, b, c, d] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
    const [one, two] = await Promise.all([doubleBarrier(a, "/db", { count: 2 }), doubleBarrier(b, "/db", { count: 2 })]);
    const late = doubleBarrier(c, "/db", { count: 2 });
    await quiet(clients);
    await Promise.all([one.leave(), two.leave()]);
    const other = await doubleBarrier(d, "/db", { count: 2 });
    const third = await late;
    expect(other.round).toBe(third.round);
    // Both crash inside; who waits meanwhile goes on by itself.
    const next = [doubleBarrier(a, "/db", { count: 2 }), doubleBarrier(b, "/db", { count: 2 })];
    await quiet(clients);
    await hub.expireSession(c);
    await hub.expireSession(d);
    const inside = await hub.until(Promise.all(next));
    expect(inside[0]!.round).toBeGreaterThan(third.round);
    await Promise.all(inside.map((each) => each.leave()));
    expect(ghosts(hub, "/db")).toEqual([]);
  });
});

describe("a wait", () => {
  it("ends in its time where there is no connection at all", async () => {
    const hub = new TestEnsemble();
    const copse = hub.client();
    hub.cutOff(copse);
    const waits = [workQueue(copse, "/q").take({ waitMs: 500 }), doubleBarrier(copse, "/db", { count: 2, waitMs: 500 })];
    const errors = Promise.all(waits.map((wait) => wait.catch((error: unknown) => error)));
    expect(await hub.until(errors)).toMatchObject([{ code: "TIMEOUT" }, { code: "TIMEOUT" }]);
    const aborted = tryLock(copse, "/l", { signal: AbortSignal.abort(new Error("enough")) });
    await expect(aborted).rejects.toThrow("enough");
    hub.heal();
    await hub.until(copse.connected());
    await hub.advance(5_000);
    expect([ghosts(hub, "/q"), ghosts(hub, "/db")]).toEqual([[], []]);
  });

  it("at a barrier is not fooled by one that was lowered before", async () => {
    const hub = new TestEnsemble();
    const [copse, other] = [await hub.connect(), await hub.connect()];
    const gate = barrier(other, "/gate");
    await gate.raise();
    await copse.sync();
    hub.dropConnections(copse);
    hub.cutOff(copse);
    await gate.lower();
    await gate.raise();
    const passed = peek(
      barrier(copse, "/gate")
        .passed()
        .then(() => "passed"),
    );
    hub.heal();
    await hub.until(copse.connected());
    await quiet([copse]);
    expect(passed()).toBeNull();
    await gate.lower();
    await quiet([copse]);
    expect(passed()).toBe("passed");
  });

  it("of a closed client settles", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    const open = copse.store("/x");
    const ready = open.ready().catch((error: unknown) => error);
    await copse.close();
    expect((await copse.watch("/x").next()).done).toBe(true);
    expect((await copse.changes("/x").next()).done).toBe(true);
    await expect(copse.store("/x").ready()).rejects.toBeInstanceOf(CopseError);
    expect(await ready).toSatisfy((seen) => seen === undefined || seen instanceof CopseError);
  });

  it("for a watch that the server refuses ends with that", async () => {
    const hub = new TestEnsemble({ limits: { watches: 3 } });
    const copse = await hub.connect();
    // One is the client's own, on the ensemble's configuration.
    const streams = ["/a", "/b", "/c"].map((path) => copse.watch(path));
    await expect(streams[2]!.next()).rejects.toMatchObject({ code: "QUOTA_EXCEEDED" });
  });
});

describe("a kept ephemeral", () => {
  it("outlives a change of it that was refused", async () => {
    const hub = new TestEnsemble();
    const [copse, other] = [await hub.connect(), await hub.connect()];
    const kept = await persistentEphemeral(copse, "/here", "good");
    await expect(kept.set("x".repeat(1_100_000))).rejects.toMatchObject({ code: "TOO_LARGE" });
    await hub.expireSession(copse);
    await hub.advance(500);
    expect((await other.get("/here")).data).toBe("good");
    expect(kept.signal.aborted).toBe(false);
  });
});

describe("signals of a long session", () => {
  it("keep nothing of the locks that came and went", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect();
    let listeners = 0;
    const { sessionSignal } = copse;
    const [add, remove] = [sessionSignal.addEventListener, sessionSignal.removeEventListener];
    sessionSignal.addEventListener = (...given: Parameters<typeof add>) => {
      listeners++;
      add.apply(sessionSignal, given);
    };
    sessionSignal.removeEventListener = (...given: Parameters<typeof remove>) => {
      listeners--;
      remove.apply(sessionSignal, given);
    };
    for (let round = 0; round < 20; round++) await (await lock(copse, "/l")).close();
    await quiet([copse]);
    // Where AbortSignal.any was used, Node keeps what was made of the signal in a set on it.
    const kept = Object.getOwnPropertySymbols(sessionSignal).find(({ description }) => description === "kDependantSignals");
    const dependants = kept === undefined ? 0 : ((sessionSignal as unknown as Record<symbol, Set<unknown> | undefined>)[kept]?.size ?? 0);
    expect([listeners, dependants]).toEqual([0, 0]);
  });
});
