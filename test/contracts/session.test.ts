/**
 * Both sides of a session on simulated time: the client knows that it is over before the server does, and the server never says
 * so too early.
 */

import { lock } from "@copse/recipes/lock";
import { TestEnsemble } from "@copse/testing";
import { describe, expect, it } from "vitest";
import { contend } from "../support/contention.ts";

const timeoutMs = 9_000;

describe("a session", () => {
  it("lives as long as its client does, with nothing to do", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs });
    const { sessionId, sessionSignal } = copse;
    await hub.advance(10 * timeoutMs);
    expect([copse.state, copse.sessionId, sessionSignal.aborted]).toEqual(["connected", sessionId, false]);
    expect(hub.member().figures.sessions).toBe(1);
  });

  it.each([0.9, 1, 1.1])("that is cut off ends at the client before the server, clocks %d apart", async (speed) => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs, speed });
    const { sessionSignal } = copse;
    await hub.advance(timeoutMs / 2);
    const from = hub.now();
    hub.cutOff();
    let lostAt = Number.POSITIVE_INFINITY;
    sessionSignal.addEventListener("abort", () => {
      lostAt = hub.now();
    });
    let goneAt = Number.POSITIVE_INFINITY;
    for (let at = 0; at < 3 * timeoutMs; at += 50) {
      await hub.advance(50);
      if (hub.member().figures.sessions === 0) goneAt = Math.min(goneAt, hub.now());
    }
    expect(lostAt).toBeLessThan(goneAt);
    expect(goneAt - from).toBeGreaterThan(timeoutMs - timeoutMs / 3);
    expect(goneAt - from).toBeLessThan(timeoutMs + 1_000);
  });

  it("never expires before its full timeout, and at most one tick later", async () => {
    for (const timeout of [1_000, 4_000, 7_777, 30_000]) {
      const hub = new TestEnsemble();
      await hub.connect({ sessionTimeoutMs: timeout });
      const sessions = hub.member().figures.sessions;
      hub.cutOff();
      const from = hub.now();
      while (hub.member().figures.sessions === sessions) await hub.advance(10);
      expect(hub.now() - from).toBeGreaterThanOrEqual(timeout - 10);
      expect(hub.now() - from).toBeLessThan(timeout + 1_000);
    }
  });

  it("survives a short cut: resumed, and a lock is still held", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs });
    const held = await lock(copse, "/lock");
    const { sessionId } = copse;
    hub.dropConnections();
    hub.cutOff();
    await hub.advance(timeoutMs / 3);
    hub.heal();
    await hub.advance(15_000);
    expect([copse.state, copse.sessionId, held.signal.aborted]).toEqual(["connected", sessionId, false]);
    await copse.set("/lock", "guarded", { guard: held.guard });
  });

  it("is begun anew after it was lost, and what stood in the outbox says that its outcome is unknown", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs });
    const states: string[] = [];
    copse.onState((state) => states.push(state));
    await copse.create("/e", null, { ephemeral: true });
    const { sessionId } = copse;
    hub.cutOff();
    const lost = copse.create("/lost").catch((error: unknown) => error);
    await hub.advance(2 * timeoutMs);
    hub.heal();
    await hub.advance(15_000);
    expect(await lost).toMatchObject({ code: "SESSION_EXPIRED", outcome: "unknown" });
    expect(states).toEqual(["suspended", "expired", "connected"].filter((state) => states.includes(state)));
    expect(copse.sessionId).not.toBe(sessionId);
    expect(await copse.exists("/e")).toBeNull();
  });

  it("of a frozen page is judged by the clock, not by ticks: the first look finds the truth", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs });
    const { sessionSignal } = copse;
    hub.cutOff();
    hub.freeze(timeoutMs);
    expect(sessionSignal.aborted).toBe(true);
    expect(() => sessionSignal.throwIfAborted()).toThrow("SESSION_EXPIRED");
    expect(copse.state).toBe("expired");
  });

  it("is not expired by a server that was paused itself, until its timeout has passed anew", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs });
    hub.cutOff();
    hub.freeze(10 * timeoutMs);
    await hub.advance(300);
    expect(hub.member().figures.sessions).toBe(1);
    await hub.advance(timeoutMs - 1_000);
    expect(hub.member().figures.sessions).toBe(1);
    await hub.advance(2_000);
    expect(hub.member().figures.sessions).toBe(0);
    await copse.close();
  });

  it("has its full timeout again after a restart of the server", async () => {
    const hub = new TestEnsemble();
    const copse = await hub.connect({ sessionTimeoutMs: timeoutMs });
    await copse.create("/kept", "x", { ephemeral: true });
    await hub.advance(timeoutMs * 0.9);
    hub.restart();
    hub.cutOff();
    await hub.advance(timeoutMs - 500);
    expect(hub.member().figures.sessions).toBe(1);
    await hub.advance(1_500);
    expect(hub.member().figures.sessions).toBe(0);
    expect(hub.member().tree.find("/kept")).toBeUndefined();
  });
});

describe("a lock under faults", () => {
  it("never has two holders whose signals are both unaborted, and its tokens grow", async () => {
    const { hub, mostAtOnce, tokens } = await contend({
      speeds: [0.95, 1, 1.05],
      rounds: 60,
      holdMs: 40,
      take: (copse) => lock(copse, "/locks/x"),
    });
    expect(mostAtOnce).toBe(1);
    expect(tokens.length).toBeGreaterThan(50);
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(hub.member().tree.find("/locks/x")?.numChildren).toBe(0);
  });
});
