/** The state's time, against clocks that are set. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StateTime } from "../src/order/state-time.ts";

const start = 1_700_000_000_000;
const hourMs = 3_600_000;

class Host {
  steady = 50;
  wall = start;
  readonly tree = { time: 0 };
  readonly time: StateTime = new StateTime({ now: () => this.steady, wall: () => this.wall }, this.tree);

  /** Both clocks go on. */
  pass(ms: number): void {
    this.steady += ms;
    this.wall += ms;
  }

  stamp(): number {
    this.tree.time = Math.max(this.tree.time, this.time.now());
    return this.tree.time;
  }
}

describe("the state's time", () => {
  it("[T1] runs at 0.9 to 1.1 times the monotonic clock, whatever the wall clock does, and meets it", () => {
    const step = fc.record({ ms: fc.integer({ min: 0, max: 5_000 }), jumpMs: fc.constantFrom(0, 0, 0, hourMs, -hourMs, 700, -700) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const host = new Host();
        let before = host.stamp();
        for (const { ms, jumpMs } of steps) {
          host.wall += jumpMs;
          host.pass(ms);
          const now = host.stamp();
          expect(now - before).toBeGreaterThanOrEqual(Math.floor(ms * 0.9));
          expect(now - before).toBeLessThanOrEqual(Math.ceil(ms * 1.1));
          before = now;
        }
        const away = Math.abs(host.time.wallOffsetMs);
        host.pass(away * 10 + 10);
        expect(Math.abs(host.stamp() - host.wall)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("[T2] begins at the wall clock where nobody knows it, and never before the newest entry", () => {
    const host = new Host();
    expect(host.time.isKnown).toBe(false);
    expect(host.time.told).toBe(0);
    expect(host.time.peek()).toBe(start);
    expect(host.time.isKnown).toBe(false);
    host.tree.time = start + hourMs;
    expect(host.time.now()).toBe(start + hourMs);
    host.pass(10_000);
    expect(host.time.now()).toBe(start + hourMs + 9_000);
  });

  it("[T2] is what the coordinator says, and what another member says only where it is not known", () => {
    const host = new Host();
    host.time.learn(0);
    expect(host.time.isKnown).toBe(false);
    host.time.learn(start - hourMs);
    host.pass(1_000);
    expect(host.time.now()).toBe(start - hourMs + 1_100);
    host.time.learn(start);
    expect(host.time.now()).toBe(start - hourMs + 1_100);
    host.time.follow(start + 5_000);
    expect(host.time.now()).toBe(start + 5_000);
  });

  it("[T3] goes on from a step, which the newest entry holds", () => {
    const host = new Host();
    host.stamp();
    host.wall += hourMs;
    host.tree.time = host.wall;
    expect(host.time.now()).toBe(host.wall);
    host.pass(1_000);
    expect(host.time.now()).toBe(host.wall);
  });
});
