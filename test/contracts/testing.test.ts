/** What `@copse/testing` promises to users' tests, on an ensemble of three. */
import { lock } from "@copse/recipes/lock";
import { TestEnsemble, testEnsemble } from "@copse/testing";
import { describe, expect, it } from "vitest";

describe("an ensemble for tests", () => {
  it("answers calls by itself, and lets time pass only when told", async () => {
    await using ensemble = await testEnsemble({ members: 3 });
    const from = ensemble.now();
    const copse = await ensemble.connect();
    await copse.create("/a", "1");
    expect((await copse.get("/a", { linearizable: true })).data).toBe("1");
    expect(ensemble.now()).toBe(from);
    let hasRung = false;
    ensemble.after(1_000, () => {
      hasRung = true;
    });
    await ensemble.advance(999);
    expect(hasRung).toBe(false);
    await ensemble.advance(1);
    expect(hasRung).toBe(true);
  });

  it("elects another leader when one is killed or cut off, and takes it back", async () => {
    await using ensemble = await testEnsemble({ members: 3 });
    const copse = await ensemble.connect();
    await copse.create("/a", "1");
    const first = ensemble.leader!;
    ensemble.kill(first);
    await ensemble.until(copse.set("/a", "2"));
    const second = ensemble.leader!;
    expect(second).not.toBe(first);
    ensemble.start(first);
    await ensemble.advance(2_000);
    expect(ensemble.member(first).tree.zxid).toBe(ensemble.member(second).tree.zxid);
    const others = ensemble.members.filter((id) => id !== second);
    ensemble.partition([second], others);
    const reader = await ensemble.connect({ member: others[0]! });
    await ensemble.until(reader.set("/a", "3"));
    ensemble.heal();
    await ensemble.advance(5_000);
    expect((await ensemble.until(copse.get("/a", { linearizable: true }))).data).toBe("3");
    expect(() => ensemble.kill("9")).toThrow("there is no member 9");
  });

  it("expires one session, and no other", async () => {
    await using ensemble = new TestEnsemble();
    const [one, other] = [await ensemble.connect({ sessionTimeoutMs: 10_000 }), await ensemble.connect({ sessionTimeoutMs: 10_000 })];
    const held = await lock(one, "/lock");
    const { sessionId } = other;
    const next = lock(other, "/lock");
    await ensemble.expireSession(one);
    expect(held.signal.aborted).toBe(true);
    expect((await next).token).toBeGreaterThan(held.token);
    expect([one.state, other.sessionId]).toEqual(["connected", sessionId]);
    // Whoever has lost the lock can't write under it.
    await expect(one.create("/x", null, { guard: held.guard })).rejects.toMatchObject({ code: "GUARD_FAILED" });
  });

  it("tells when what is waited for never comes", async () => {
    await using ensemble = new TestEnsemble();
    const [one, other] = [await ensemble.connect(), await ensemble.connect()];
    await lock(one, "/lock");
    await expect(ensemble.until(lock(other, "/lock"))).rejects.toThrow("not settled within 600000 simulated");
  });
});
