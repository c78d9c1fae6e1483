/**
 * Recipes beside the lock and the election, against the product's member on simulated time.
 */
import type { Copse } from "@copse/client";
import { barrier } from "@copse/recipes/barrier";
import { counter } from "@copse/recipes/counter";
import { readLock, writeLock } from "@copse/recipes/read-write-lock";
import { semaphore } from "@copse/recipes/semaphore";
import { TestEnsemble } from "@copse/testing";
import { describe, expect, it } from "vitest";
import { contend, type Holder } from "../support/contention.ts";
import { clientsOf, ghosts, peek, quiet } from "../support/recipe-clients.ts";

describe("a read-write lock", () => {
  it("is shared by readers, and a writer has it alone, in the order of the queue", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 5);
    const [a, b, c, d, e] = clients as [Copse, Copse, Copse, Copse, Copse];
    const [one, two] = [await readLock(a, "/rw"), await readLock(b, "/rw")];
    const write = writeLock(c, "/rw");
    await quiet(clients);
    const late = readLock(d, "/rw");
    const [hasWritten, hasRead] = [peek(write), peek(late)];
    await quiet(clients);
    await one.close();
    await quiet(clients);
    // A reader that came after the writer does not overtake it.
    expect([hasWritten(), hasRead()]).toEqual([null, null]);
    await two.close();
    const writer = await write;
    await quiet(clients);
    expect(hasRead()).toBeNull();
    expect(writer.token).toBeGreaterThan(two.token);
    await expect(hub.until(readLock(e, "/rw", { waitMs: 1 }))).rejects.toMatchObject({ code: "TIMEOUT" });
    await writer.close();
    await (await late).close();
    await quiet(clients);
    expect((await a.children("/rw")).children).toEqual([]);
  });

  it("wakes all readers that waited for a writer, and for a reader's release the next writer alone", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 9);
    const looks = (): number => hub.member().figures.requests.get("children") ?? 0;
    const writer = await writeLock(clients[0]!, "/rw");
    const readers = clients.slice(1, 5).map((copse) => readLock(copse, "/rw"));
    await quiet(clients);
    const waiting = clients.slice(5).map((copse) => writeLock(copse, "/rw"));
    await quiet(clients);
    const before = looks();
    await writer.close();
    const held = await Promise.all(readers);
    await quiet(clients);
    expect(looks() - before).toBe(4);
    for (const reader of held.slice(0, 3)) await reader.close();
    await quiet(clients);
    // The first writer waits for the reader before it alone; nobody else was looked for.
    expect(looks() - before).toBe(4);
    await held[3]!.close();
    await waiting[0];
    await quiet(clients);
    expect(looks() - before).toBe(5);
  });
});

describe("a semaphore", () => {
  it("lets so many in, and the next for each that leaves, in order", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 6);
    const order: number[] = [];
    const leases = clients.map(async (copse, at) => {
      const lease = await semaphore(copse, "/s", { permits: 2 });
      order.push(at);
      return lease;
    });
    await quiet(clients);
    expect(order).toEqual([0, 1]);
    for (let at = 0; at < 6; at++) {
      await (await leases[at]!).close();
      await quiet(clients);
      expect(order).toEqual(Array.from({ length: Math.min(6, at + 3) }, (_, number) => number));
    }
    const tokens = (await Promise.all(leases)).map(({ token }) => token);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    expect((await clients[0]!.children("/s/leases")).children).toEqual([]);
    expect((await clients[0]!.children("/s/queue")).children).toEqual([]);
  });

  it("makes no herd: a release wakes the first in the queue alone", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 12);
    const first = await semaphore(clients[0]!, "/s", { permits: 1 });
    const others = clients.slice(1).map((copse) => semaphore(copse, "/s", { permits: 1 }));
    await quiet(clients);
    const looks = (): number => hub.member().figures.requests.get("children") ?? 0;
    const before = looks();
    await first.close();
    await others[0];
    await quiet(clients);
    // The one that gets in, and the next that becomes first: whoever many wait after them.
    expect(looks() - before).toBeLessThanOrEqual(4);
  });

  it("gives up in time, leaves nothing behind, and refuses nonsense", async () => {
    const hub = new TestEnsemble();
    const [one, two] = (await clientsOf(hub, 2)) as [Copse, Copse];
    const lease = await semaphore(one, "/s", { permits: 1 });
    await expect(hub.until(semaphore(two, "/s", { permits: 1, waitMs: 1 }))).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect(semaphore(two, "/s", { permits: 0 })).rejects.toThrow(RangeError);
    await quiet([one, two]);
    expect((await one.children("/s/queue")).children).toEqual([]);
    await lease.close();
    await (await semaphore(two, "/s", { permits: 1 })).close();
  });
});

describe("a barrier", () => {
  it("holds everybody until it is lowered, and falls with its session where it is an ephemeral", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 4);
    const gate = barrier(clients[0]!, "/gates/a");
    await gate.passed();
    expect([await gate.raise(), await gate.raise()]).toEqual([true, false]);
    const passed = clients.slice(1).map((copse) => barrier(copse, "/gates/a").passed());
    const states = passed.map((promise) => peek(promise.then(() => "through")));
    await quiet(clients);
    expect(states.map((state) => state())).toEqual([null, null, null]);
    await expect(hub.until(gate.passed({ waitMs: 1 }))).rejects.toMatchObject({ code: "TIMEOUT" });
    expect([await gate.lower(), await gate.lower()]).toEqual([true, false]);
    await Promise.all(passed);
    await gate.raise();
    const leaving = barrier(clients[3]!, "/gates/a").passed();
    await quiet(clients.slice(0, 3));
    await clients[3]!.close();
    // Whoever ends while it is up has not passed.
    await expect(leaving).rejects.toMatchObject({ code: expect.stringMatching(/CLOSED|SESSION_EXPIRED/) });
    await gate.lower();
    await gate.raise({ ephemeral: true });
    const last = barrier(clients[1]!, "/gates/a").passed();
    await clients[0]!.close();
    await last;
  });
});

describe("a counter", () => {
  it("loses no addition, whoever many add, and refuses what is no integer", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 4);
    const numbers = clients.map((copse) => counter(copse, "/stats/visits"));
    expect(await numbers[0]!.get()).toBe(0);
    const adding = Promise.all(numbers.map(async (number, at) => Promise.all(Array.from({ length: 10 }, () => number.add(at - 1)))));
    let isOver = false;
    adding.finally(() => {
      isOver = true;
    });
    while (!isOver) await hub.advance(50);
    await adding;
    expect(await numbers[3]!.get()).toBe(20);
    await expect(numbers[0]!.add(0.5)).rejects.toMatchObject({ code: "SCHEMA" });
    await expect(numbers[0]!.add(Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({ code: "SCHEMA" });
    await clients[0]!.set("/stats/visits", "many");
    await expect(numbers[1]!.get()).rejects.toMatchObject({ code: "SCHEMA" });
    await expect(numbers[1]!.add(1)).rejects.toMatchObject({ code: "SCHEMA" });
  });
});

describe("under cuts, lost sessions and restarts", () => {
  const kinds: readonly { name: string; most: number; holdMs: number; take: (copse: Copse) => Promise<Holder> }[] = [
    { name: "a write lock", most: 1, holdMs: 40, take: (copse) => writeLock(copse, "/shared") },
    { name: "a semaphore of one", most: 1, holdMs: 250, take: (copse) => semaphore(copse, "/shared", { permits: 1 }) },
    { name: "a semaphore of two", most: 2, holdMs: 250, take: (copse) => semaphore(copse, "/shared", { permits: 2 }) },
  ];
  for (const { name, most, holdMs, take } of kinds) {
    it(`${name} never has more than ${most} holders whose signals are unaborted, and no token comes twice`, async () => {
      const { hub, mostAtOnce, tokens } = await contend({ speeds: [0.95, 1, 1.02, 1.05], rounds: 40, holdMs, take });
      expect(mostAtOnce).toBe(most);
      expect(tokens.length).toBeGreaterThan(20);
      expect(new Set(tokens).size).toBe(tokens.length);
      if (most === 1) expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
      expect(ghosts(hub, "/shared")).toEqual([]);
    });
  }
});
