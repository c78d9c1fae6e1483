/** What every ordering engine promises to the member above it: run on each engine there is. */

import { Parts, payloadText } from "@copse/raft";
import type { Order, OrderEvent } from "@copse/replica";
import { expect, it } from "vitest";

export interface OrderUnderTest {
  readonly order: Order;
  /** What it has delivered so far. */
  readonly events: readonly OrderEvent[];
  /** Resolves once what was asked for has come back. */
  settle(): Promise<void>;
  /** Ends it as a crash would and opens it again; gives what a member would replay. */
  crash(): Promise<readonly string[]>;
}

/** @param coordinates whether it decides expiry itself */
export function orderContract(open: () => Promise<OrderUnderTest>, coordinates: boolean): void {
  const payloads = (events: readonly OrderEvent[]): string[] =>
    events.flatMap((event) =>
      event.kind === "entries" ? event.entries.map(({ payload }) => payloadText(payload)).filter((payload) => payload !== "") : [],
    );

  it("names a coordinator", async () => {
    const { events, settle } = await open();
    await settle();
    expect(events.filter((event) => event.kind === "coordinator").pop()).toMatchObject({ member: "1", isHere: coordinates });
  });

  it("gives an entry in parts back as the same text, and keeps it so", async () => {
    const { order, settle, events, crash } = await open();
    order.propose(new Parts(["first part, ", "é".repeat(10_000), " and the last"]));
    order.propose("another");
    await settle();
    const expected = [`first part, ${"é".repeat(10_000)} and the last`, "another"];
    expect(payloads(events)).toEqual(expected);
    expect(await crash()).toEqual(expected);
  });

  it("gives entries back in the order of their proposal, dense, stamped, later, and only once", async () => {
    const { order, events, settle } = await open();
    const proposed = Array.from({ length: 200 }, (_, at) => `{"n":${at}}`);
    const before = events.length;
    for (const payload of proposed) order.propose(payload);
    expect(payloads(events.slice(before))).toEqual([]);
    await settle();
    expect(payloads(events)).toEqual(proposed);
    const entries = events.flatMap((event) => (event.kind === "entries" ? event.entries : [])).filter(({ payload }) => payload !== "");
    for (const [at, { index, time, term }] of entries.entries()) {
      expect(index).toBe(entries[0]!.index + at);
      expect(time).toBeGreaterThan(0);
      expect(term).toBeGreaterThan(0);
    }
  });

  it("confirms a barrier after every entry that was given before it", async () => {
    const { order, events, settle } = await open();
    order.propose("{}");
    await settle();
    order.barrier(7, []);
    await settle();
    expect(events.map(({ kind }) => kind).slice(-2)).toEqual(["entries", "confirmed"]);
    expect(events[events.length - 1]).toMatchObject({ ticket: 7 });
  });

  it("has after a crash what it gave before, and no more than was proposed", async () => {
    const { order, events, settle, crash } = await open();
    for (let at = 0; at < 20; at++) order.propose(`{"n":${at}}`);
    await settle();
    for (let at = 20; at < 30; at++) order.propose(`{"n":${at}}`);
    const given = payloads(events);
    const replayed = await crash();
    expect(replayed.slice(0, given.length)).toEqual(given);
    expect(replayed).toEqual(Array.from({ length: replayed.length }, (_, at) => `{"n":${at}}`));
  });
}
