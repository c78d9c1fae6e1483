/** The coordinator's timers, against the clock alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SessionExpiry } from "../src/sessions/session-expiry.ts";

describe("session expiry", () => {
  it("gives each session once, never before its full timeout, at most one bucket late", () => {
    const step = fc.record({ ms: fc.integer({ min: 1, max: 700 }), touched: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 200 }), (steps) => {
        let now = 10_000;
        const expiry = new SessionExpiry(now);
        const timeouts = [1_000, 2_500, 4_000, 7_777, 30_000];
        const last = timeouts.map((timeoutMs, at) => {
          expiry.start(`s${at}`, timeoutMs, now);
          return now;
        });
        const over = new Set<number>();
        for (const { ms, touched } of steps) {
          now += ms;
          for (const at of touched) {
            const isAlive = expiry.touch(`s${at}`, now);
            expect(isAlive).toBe(!over.has(at));
            if (isAlive) last[at] = now;
          }
          for (const session of expiry.due(now)) {
            const at = Number(session.slice(1));
            expect(over.has(at)).toBe(false);
            expect(now - last[at]!).toBeGreaterThanOrEqual(timeouts[at]!);
            over.add(at);
          }
          for (const [at, timeoutMs] of timeouts.entries()) if (!over.has(at)) expect(now - last[at]!).toBeLessThan(timeoutMs + 250);
        }
      }),
    );
  });

  it("does not let a session that is being expired be touched back to life, but a resume starts it anew", () => {
    const expiry = new SessionExpiry(0);
    expiry.start("s", 1_000, 0);
    expect(expiry.due(1_500)).toEqual(["s"]);
    expect(expiry.touch("s", 1_500)).toBe(false);
    expect(expiry.due(9_000)).toEqual([]);
    expiry.start("s", 1_000, 9_000);
    expect(expiry.touch("s", 9_500)).toBe(true);
    expect(expiry.touch("unknown", 9_500)).toBe(false);
    expiry.forget("s");
    expect(expiry.due(60_000)).toEqual([]);
  });
});
