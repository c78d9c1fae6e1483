/** Slices of what leaves for clients, against a gateway that notes what it is told. */
import { chunk, closeCode } from "@copse/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Deliveries } from "../src/connections/deliveries.ts";
import type { Effect } from "../src/effect.ts";

function opened(deliveriesMax: number): { deliveries: Deliveries; seen: string[]; backlogs: number[] } {
  const seen: string[] = [];
  const backlogs: number[] = [];
  const deliver = (connection: number, chunks: readonly { text: string }[]): number => {
    seen.push(...chunks.map(({ text }) => `${connection}:${text}`), `${connection}|`);
    return connection;
  };
  const close = (connection: number): number => seen.push(`${connection}x`);
  const gateway = { deliver, close, unsent: () => 0, authenticate: () => {} };
  const deliveries = new Deliveries(gateway, deliveriesMax, (_connection, backlog) => backlogs.push(backlog));
  return { deliveries, seen, backlogs };
}

const send = (connection: number, text: string): Effect => ({ kind: "send", connection, chunk: chunk(text) });

describe("the deliveries", () => {
  it("sends to so many connections in one turn, all that waits for each, the longest waiting first", () => {
    const { deliveries, seen, backlogs } = opened(2);
    deliveries.take([send(1, "a"), send(2, "b"), send(3, "c"), send(1, "d")]);
    deliveries.send();
    expect(seen).toEqual(["1:a", "1:d", "1|", "2:b", "2|"]);
    expect([deliveries.isEmpty, backlogs]).toEqual([false, [1, 2]]);
    deliveries.take([send(1, "e"), send(3, "f")]);
    deliveries.send();
    expect(seen.slice(5)).toEqual(["3:c", "3:f", "3|", "1:e", "1|"]);
    expect(deliveries.isEmpty).toBe(true);
  });

  it("ends a turn after what is large", () => {
    const { deliveries, seen } = opened(100);
    deliveries.take([send(1, "x".repeat(5_000_000)), send(2, "b")]);
    deliveries.send();
    expect(seen).toHaveLength(2);
    deliveries.send();
    expect(seen).toHaveLength(4);
  });

  it("closes after what was to be sent before, and keeps the order of each connection whatever the slices", () => {
    const effect = fc.record({ connection: fc.integer({ min: 1, max: 4 }), isClose: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(fc.array(effect, { maxLength: 6 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        (turns, deliveriesMax) => {
          const { deliveries, seen } = opened(deliveriesMax);
          const wanted = new Map<number, string[]>();
          let count = 0;
          for (const turn of turns) {
            deliveries.take(
              turn.map(({ connection, isClose }) => {
                const text = String(++count);
                const list = wanted.get(connection) ?? [];
                wanted.set(connection, [...list, isClose ? `${connection}x` : `${connection}:${text}`]);
                return isClose ? { kind: "close", connection, code: closeCode.sessionMoved, reason: "" } : send(connection, text);
              }),
            );
            deliveries.send();
          }
          while (!deliveries.isEmpty) deliveries.send();
          for (const [connection, list] of wanted) {
            expect(seen.filter((one) => one.startsWith(String(connection)) && !one.endsWith("|"))).toEqual(list);
          }
        },
      ),
    );
  });
});
