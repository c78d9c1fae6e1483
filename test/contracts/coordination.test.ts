/** Recipes in which some wait for others: several locks, downgrades, observed elections, double barriers, work queues. */
import type { Copse } from "@copse/client";
import { doubleBarrier, type Inside } from "@copse/recipes/double-barrier";
import { election, observeLeader, type Term } from "@copse/recipes/election";
import { lock } from "@copse/recipes/lock";
import { multiLock } from "@copse/recipes/multi-lock";
import { readLock, writeLock } from "@copse/recipes/read-write-lock";
import { type Job, workQueue } from "@copse/recipes/work-queue";
import { TestEnsemble } from "@copse/testing";
import { describe, expect, it } from "vitest";
import { contend } from "../support/contention.ts";
import { clientsOf, ghosts, peek, quiet } from "../support/recipe-clients.ts";

describe("a queue whose numbers pass ten digits", () => {
  it("still has one holder, in the order of the queue, and a writer that turns into a reader keeps its turn", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 3);
    const [a, b, c] = clients as [Copse, Copse, Copse];
    for (const path of ["/lock", "/rw"]) {
      await a.create(path);
      // What a parent has counted that made so many.
      await a.create(`${path}/x`);
      await a.delete(`${path}/x`);
      hub.member().tree.find(path)!.parentState!.creations = 9_999_999_999;
    }
    const first = await lock(a, "/lock");
    const second = lock(b, "/lock");
    const has = peek(second);
    await quiet(clients);
    expect(has()).toBeNull();
    await first.close();
    expect((await second).path).toBe("/lock/lock-10000000000");

    const writer = await writeLock(a, "/rw");
    await writer.close();
    const later = await writeLock(b, "/rw");
    const waiting = peek(readLock(c, "/rw"));
    await quiet(clients);
    expect(waiting()).toBeNull();
    expect((await later.downgrade()).path).toBe("/rw/read-10000000000");
    await quiet(clients);
    expect(waiting()?.path).toBe("/rw/read-10000000001");
  });
});

describe("several locks", () => {
  it("are had all or not at all, whatever order they are named in, and guard together", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 3);
    const [a, b, c] = clients as [Copse, Copse, Copse];
    const first = await multiLock(a, ["/l/b", "/l/a", "/l/b"]);
    expect(first.paths).toEqual(["/l/a", "/l/b"]);
    const second = multiLock(b, ["/l/a", "/l/b"]);
    const [hasSecond, hasOne] = [peek(second), peek(lock(c, "/l/b"))];
    await quiet(clients);
    expect([hasSecond(), hasOne()]).toEqual([null, null]);
    await a.create("/x", "1", { guard: first.guard });
    await first.close();
    await quiet(clients);
    // One lock alone came before the second set of them.
    const one = hasOne()!;
    expect(hasSecond()).toBeNull();
    await expect(a.set("/x", "2", { guard: first.guard })).rejects.toMatchObject({ code: "GUARD_FAILED" });
    await one.close();
    const held = await second;
    expect(held.token).toBeGreaterThan(first.token);
    expect(held.tokenOf("/l/a")).toBeGreaterThan(first.tokenOf("/l/a"));
    expect(() => held.tokenOf("/l/c")).toThrow(RangeError);
    expect(() => multiLock(a, [])).toThrow(RangeError);
    // Losing one of them ends all of it.
    await a.delete(held.guard[1]!.path);
    await quiet(clients);
    expect(held.signal.aborted).toBe(true);
    await held.close();
    expect(ghosts(hub, "/l")).toEqual([]);
  });

  it("give up in time and leave nothing behind", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 2);
    const held = await lock(clients[0]!, "/l/b");
    await expect(hub.until(multiLock(clients[1]!, ["/l/a", "/l/b"], { waitMs: 500 }))).rejects.toMatchObject({ code: "TIMEOUT" });
    await quiet(clients);
    expect(ghosts(hub, "/l")).toEqual([held.path]);
  });
});

describe("a writer that becomes a reader", () => {
  it("lets in the readers after it, and no writer that waits; it keeps its token", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 4);
    const [a, b, c, d] = clients as [Copse, Copse, Copse, Copse];
    const writer = await writeLock(a, "/rw");
    const early = readLock(b, "/rw");
    await quiet(clients);
    const waiting = writeLock(c, "/rw");
    await quiet(clients);
    const late = readLock(d, "/rw");
    const [hasRead, hasWritten, hasReadLate] = [peek(early), peek(waiting), peek(late)];
    const reader = await writer.downgrade();
    await quiet(clients);
    expect([hasRead() === null, hasWritten(), hasReadLate()]).toEqual([false, null, null]);
    expect([writer.signal.aborted, reader.signal.aborted, reader.token]).toEqual([true, false, writer.token]);
    await expect(a.create("/x", null, { guard: writer.guard })).rejects.toMatchObject({ code: "GUARD_FAILED" });
    await a.create("/x", null, { guard: reader.guard });
    await reader.close();
    await hasRead()!.close();
    const next = await waiting;
    expect(next.token).toBeGreaterThan(reader.token);
    await next.close();
    await (await late).close();
    await expect(next.downgrade()).rejects.toMatchObject({ code: "CLOSED" });
    expect(ghosts(hub, "/rw")).toEqual([]);
  });
});

describe("an election that is observed", () => {
  it("shows who leads, each change of it, and that nobody does", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 3);
    const [a, b, watcher] = clients as [Copse, Copse, Copse];
    const leaders = observeLeader(watcher, "/e");
    expect((await leaders.next()).value).toBeNull();
    const [one, two] = [election(a, "/e", { data: "a" }), election(b, "/e", { data: "b" })];
    const first = (await one.next()).value as Term;
    expect((await leaders.next()).value).toEqual({ path: first.path, data: "a", token: first.token });
    const second = two.next();
    const change = leaders.next();
    await quiet(clients);
    await first.resign();
    expect((await change).value).toMatchObject({ data: "b", token: ((await second).value as Term).token });
    const gone = leaders.next();
    await two.return();
    expect((await gone).value).toBeNull();
    await one.return();
    const last = leaders.next();
    await quiet(clients);
    await watcher.close();
    expect(await last).toEqual({ value: undefined, done: true });
    expect(ghosts(hub, "/e")).toEqual([]);
  });

  it("wakes no observer for a candidate that does not lead", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 6);
    const held = election(clients[0]!, "/e");
    await held.next();
    const observers = clients.slice(4).map((copse) => observeLeader(copse, "/e"));
    for (const observer of observers) await observer.next();
    const pending = observers.map((observer) => observer.next());
    await quiet(clients);
    const looks = (): number => hub.member().figures.requests.get("children") ?? 0;
    const before = looks();
    const others = clients.slice(1, 4).map((copse) => election(copse, "/e").next());
    await quiet(clients);
    // The candidates' own looks at the queue, and nobody else's.
    expect(looks() - before).toBe(3);
    await held.return();
    await Promise.all(pending);
    await others[0];
  });
});

describe("a double barrier", () => {
  it("begins when enough have come, ends when all have left, and does so again", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 4);
    for (let round = 0; round < 3; round++) {
      const entering = clients.slice(0, 3).map((copse) => doubleBarrier(copse, "/db", { count: 3 }));
      const inside = await Promise.all(entering);
      // Who comes while a round runs waits for the next.
      const late = peek(doubleBarrier(clients[3]!, "/db", { count: 3 }).then((one) => one.close()));
      const left = inside.slice(1).map((one) => one.leave());
      const hasLeft = left.map((one) => peek(one.then(() => "left")));
      await quiet(clients);
      expect([hasLeft.map((look) => look()), late()]).toEqual([[null, null], null]);
      await inside[0]!.leave();
      await Promise.all(left);
      // The late one takes part in the next round: two more and it begins.
      const more = await Promise.all(clients.slice(0, 2).map((copse) => doubleBarrier(copse, "/db", { count: 3 })));
      await Promise.all(more.map((one) => one.leave()));
      await quiet(clients);
      expect(ghosts(hub, "/db")).toEqual([]);
    }
  });

  it("counts who crashes while it gathers as not there, and who crashes inside as left", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 4);
    const [a, b, c, d] = clients as [Copse, Copse, Copse, Copse];
    const lost = doubleBarrier(a, "/db", { count: 2 }).catch((error: unknown) => error);
    await quiet(clients);
    await hub.expireSession(a);
    expect(await lost).toMatchObject({ code: "SESSION_EXPIRED" });
    const entering = doubleBarrier(b, "/db", { count: 2 });
    const hasEntered = peek(entering);
    await quiet(clients);
    expect(hasEntered()).toBeNull();
    const other: Inside = await doubleBarrier(c, "/db", { count: 2 });
    const one = await entering;
    const leaving = other.leave();
    await quiet(clients);
    await hub.expireSession(b);
    expect(one.signal.aborted).toBe(true);
    await leaving;
    await expect(hub.until(doubleBarrier(d, "/db", { count: 2, waitMs: 100 }))).rejects.toMatchObject({ code: "TIMEOUT" });
    await quiet(clients);
    expect(ghosts(hub, "/db")).toEqual([]);
  });
});

describe("a work queue", () => {
  it("gives each job to one worker, in order, and again where a worker gives it back or vanishes", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 3);
    const [a, b, c] = clients as [Copse, Copse, Copse];
    const [one, two, three] = [workQueue(a, "/q"), workQueue(b, "/q"), workQueue(c, "/q")];
    const waiting = two.take();
    await quiet(clients);
    for (const name of ["first", "second", "third"]) await one.put(name);
    const first = await waiting;
    const second = await three.take();
    expect([first.data, second.data, first.attempt]).toEqual(["first", "second", 1]);
    await second.close();
    const again = await two.take();
    expect([again.data, again.attempt, again.token > second.token]).toEqual(["second", 2, true]);
    await expect(second.done()).rejects.toMatchObject({ code: "CLOSED" });
    await again.done();
    await first.done();
    const third = await three.take();
    await hub.expireSession(c);
    expect(third.signal.aborted).toBe(true);
    const taken = await two.take();
    expect([taken.data, taken.attempt]).toEqual(["third", 2]);
    // Whoever has lost its lease can't say that the job is done, not even to the server.
    const ops = [{ op: "delete", path: third.path }] as const;
    await expect(c.multi(ops, { guard: third.guard })).rejects.toMatchObject({ code: "GUARD_FAILED" });
    await taken.done();
    expect(await one.size()).toBe(0);
    expect(ghosts(hub, "/q")).toEqual([]);
  });

  it("is bounded, ends a lease in time, and wakes one worker for one job", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 6);
    const queue = workQueue(clients[0]!, "/q", { jobsMax: 2, leaseMs: 5_000 });
    await queue.put("a");
    await queue.put(new Uint8Array([0, 255]));
    await expect(queue.put("c")).rejects.toMatchObject({ code: "QUOTA_EXCEEDED" });
    const job = await queue.take();
    await hub.advance(5_100);
    expect(job.signal.reason).toMatchObject({ code: "TIMEOUT" });
    for (let attempt = 0; attempt < 2; attempt++) await (await queue.take()).done();
    const takers = clients.slice(1).map((copse) => workQueue(copse, "/q").take());
    await quiet(clients);
    const looks = (): number => hub.member().figures.requests.get("children") ?? 0;
    const before = looks();
    await queue.put("one");
    expect((await Promise.race(takers)).data).toBe("one");
    await quiet(clients);
    // Its own two looks; the next in line comes to the head, looks at the queue, and twice at the jobs (its watches may see the lease come).
    expect(looks() - before).toBeLessThanOrEqual(7);
    await expect(hub.until(queue.take({ waitMs: 100 }))).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("loses no job and does none twice at a time, under cuts, lost sessions and restarts", async () => {
    let put = 0;
    const take = async (copse: Copse): Promise<Job> => {
      const queue = workQueue(copse, "/shared");
      if (put < 2) put += (await queue.put(String(put))) === "" ? 0 : 1;
      return queue.take();
    };
    const { hub, mostAtOnce, tokens } = await contend({ speeds: [0.95, 1, 1.05], rounds: 40, holdMs: 200, take });
    // As many as there were jobs.
    expect(mostAtOnce).toBeLessThanOrEqual(3);
    expect(tokens.length).toBeGreaterThan(20);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(ghosts(hub, "/shared")).toEqual([]);
  });
});

describe("under cuts, lost sessions and restarts", () => {
  it("several locks never have two holders, and their tokens grow", async () => {
    const take = (copse: Copse) => multiLock(copse, ["/shared/b", "/shared/a"]);
    const { hub, mostAtOnce, tokens } = await contend({ speeds: [0.95, 1, 1.05], rounds: 40, holdMs: 40, take });
    expect(mostAtOnce).toBe(1);
    expect(tokens.length).toBeGreaterThan(20);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    expect(ghosts(hub, "/shared")).toEqual([]);
  });
});
