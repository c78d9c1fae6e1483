/** What two clocks say of a session: the steady one decides, the wall clock makes the client ask. */
import { describe, expect, it } from "vitest";
import { Liveness } from "../src/session/liveness.ts";

const timeoutMs = 9_000;
const lifeMs = 6_000;

class Clocks {
  steady = 0;
  wall = 1_000_000;
  readonly now = (): number => this.steady;
  readonly wallNow = (): number => this.wall;
  readonly after = (): (() => void) => () => {};
  pass(ms: number): void {
    this.steady += ms;
    this.wall += ms;
  }
}

function begun(): { clocks: Clocks; live: Liveness } {
  const clocks = new Clocks();
  const live = new Liveness(clocks);
  live.begin(timeoutMs, live.now);
  return { clocks, live };
}

describe("a session", () => {
  it("is asked for after a third of its timeout, and over after two thirds", () => {
    const { clocks, live } = begun();
    clocks.pass(timeoutMs / 3 - 1);
    expect(live.verdict(true, true)).toBe("alive");
    clocks.pass(1);
    expect(live.verdict(true, true)).toBe("due");
    live.ping(7);
    expect(live.verdict(true, true)).toBe("alive");
    clocks.pass(timeoutMs / 6);
    expect(live.verdict(true, true)).toBe("silent");
    live.disconnect();
    expect(live.verdict(false, true)).toBe("alive");
    clocks.pass(timeoutMs / 6);
    expect([live.verdict(false, true), live.isOver]).toEqual(["over", true]);
  });

  it.each([2_000, 3_600_000])(
    "is not given up because the wall clock was set ahead by %d ms, as long as the connection answers",
    (jump) => {
      const { clocks, live } = begun();
      for (let at = 0; at < 5; at++) {
        clocks.wall += jump;
        // An hour ahead it is asked at once; two seconds are less than a third.
        if (jump > lifeMs) expect(live.verdict(true, true)).toBe("due");
        expect(live.isOver).toBe(false);
        live.ping(at);
        clocks.pass(10);
        expect(live.verdict(true, true)).toBe("alive");
        expect(live.pong(at, true)).toBe(true);
        expect(live.verdict(true, true)).toBe("alive");
      }
    },
  );

  it("is given up by the wall clock where no connection says otherwise: the machine slept", () => {
    const { clocks, live } = begun();
    clocks.wall += lifeMs;
    expect(live.verdict(false, true)).toBe("over");
  });

  it("of a machine that slept over an open connection is asked for, and an answer from before the sleep proves nothing", () => {
    const { clocks, live } = begun();
    clocks.pass(3_000);
    live.ping(1);
    clocks.wall += 3_600_000;
    expect(live.pong(1, true)).toBe(true);
    expect(live.verdict(true, true)).toBe("due");
    live.proveByWrite(clocks.steady - 10);
    expect(live.verdict(true, true)).toBe("due");
    live.ping(2);
    clocks.pass(timeoutMs / 6);
    expect(live.verdict(true, true)).toBe("silent");
    live.disconnect();
    expect(live.verdict(false, true)).toBe("over");
  });

  it("is not kept by a wall clock that was set back", () => {
    const { clocks, live } = begun();
    clocks.wall -= 3_600_000;
    clocks.pass(lifeMs);
    expect(live.verdict(true, true)).toBe("over");
  });

  it("that is none has no end, but its connection is asked", () => {
    const { clocks, live } = begun();
    clocks.pass(lifeMs);
    expect(live.verdict(true, false)).toBe("due");
  });
});
