/** A signal tells the truth at every look, however late the timers are: after a pause, nothing has run before the first look. */
import { election } from "@copse/recipes/election";
import { lock } from "@copse/recipes/lock";
import { multiLock } from "@copse/recipes/multi-lock";
import { writeLock } from "@copse/recipes/read-write-lock";
import { semaphore } from "@copse/recipes/semaphore";
import { workQueue } from "@copse/recipes/work-queue";
import { TestEnsemble } from "@copse/testing";
import { describe, expect, it } from "vitest";

const timeoutMs = 9_000;

interface Lost {
  readonly signal: AbortSignal;
  readonly isHeld?: boolean;
  check?(): void;
  run?<T>(work: () => T): Promise<T>;
}

/** How each kind of handle comes to be held by a client. */
const kinds: Record<string, (copse: Awaited<ReturnType<TestEnsemble["connect"]>>) => Promise<Lost>> = {
  "a lock": (copse) => lock(copse, "/lock"),
  "a lock that ends with the connection": (copse) => lock(copse, "/lock", { policy: "connection" }),
  "several locks": (copse) => multiLock(copse, ["/a", "/b"]),
  "a write lock": (copse) => writeLock(copse, "/rw"),
  "a lease": (copse) => semaphore(copse, "/leases", { permits: 2 }),
  "a term": async (copse) => (await election(copse, "/election").next()).value as Lost,
};

describe("after a pause longer than the session", () => {
  it.each(Object.entries(kinds))("the first look at %s finds it lost", async (_name, take) => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs });
    const held = await hub.until(take(copse));
    held.check?.();
    expect([held.signal.aborted, held.isHeld]).toEqual([false, true]);
    expect(await held.run?.(() => "done")).toBe("done");
    let isHeard = false;
    held.signal.addEventListener("abort", () => {
      isHeard = true;
    });
    hub.freeze(timeoutMs);
    expect(held.signal.aborted).toBe(true);
    expect([isHeard, held.isHeld, held.signal.reason.code]).toEqual([true, false, "SESSION_EXPIRED"]);
    expect(() => held.check?.()).toThrow("SESSION_EXPIRED");
  });

  it.each(["throwIfAborted", "reason", "state", "a call", "run"])("%s finds it as well as aborted does", async (look) => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs });
    const held = await hub.until(lock(copse, "/lock"));
    const { sessionId } = copse;
    hub.freeze(timeoutMs);
    let worked = false;
    if (look === "throwIfAborted") expect(() => held.signal.throwIfAborted()).toThrow("SESSION_EXPIRED");
    if (look === "reason") expect(held.signal.reason).toMatchObject({ code: "SESSION_EXPIRED" });
    if (look === "state") expect(copse.state).toBe("expired");
    if (look === "run") {
      await expect(
        held.run(() => {
          worked = true;
        }),
      ).rejects.toMatchObject({ code: "SESSION_EXPIRED" });
    }
    if (look === "a call") {
      const read = copse.exists("/");
      expect(copse.sessionId).toBeNull();
      await hub.advance(1_000);
      expect(await read).not.toBeNull();
      expect(copse.sessionId).not.toBe(sessionId);
    }
    expect([held.isHeld, worked]).toEqual([false, false]);
  });

  it("work that has lost its lock on the way gives no result", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs });
    const held = await hub.until(lock(copse, "/lock"));
    await expect(held.run(() => hub.freeze(timeoutMs))).rejects.toMatchObject({ code: "SESSION_EXPIRED" });
  });

  it("a job whose lease has an end of its own is found over", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: 30_000 });
    const queue = workQueue(copse, "/queue", { leaseMs: 2_000 });
    await hub.until(queue.put("job"));
    const job = await hub.until(queue.take());
    expect(job.signal.aborted).toBe(false);
    hub.freeze(2_000);
    expect([job.signal.aborted, job.signal.reason.code, copse.state]).toEqual([true, "TIMEOUT", "connected"]);
  });
});
