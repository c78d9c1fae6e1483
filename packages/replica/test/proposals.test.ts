/** What seems lost is proposed again: the oldest says when, however much else is settled meanwhile. */
import { payloadText } from "@copse/raft";
import { expect, it } from "vitest";
import type { Order } from "../src/order/order.ts";
import { Proposals } from "../src/order/proposals.ts";

/** Proposals of a member whose clock and order are the test's. */
class Proposing {
  now = 0;
  readonly sent: string[] = [];
  readonly settled: string[] = [];
  readonly lost: string[] = [];
  readonly unwanted: Set<string> = new Set();
  readonly proposals: Proposals;

  constructor() {
    const order = { propose: (payload: never) => void this.sent.push(payloadText(payload)) } as unknown as Order;
    this.proposals = new Proposals(order, { now: () => this.now, wall: () => 0 }, "a");
  }

  propose(session: string): void {
    this.proposals.propose({
      txn: { kind: "expire", session, generation: 1 },
      settle: () => void this.settled.push(session),
      isWanted: () => !this.unwanted.has(session),
      lost: () => void this.lost.push(session),
    });
    this.proposals.flush();
  }

  /** The entry that names a session, proposed last, comes back from the order. */
  order(session: string): void {
    const payload = this.sent.filter((text) => text.includes(`"${session}"`)).at(-1)!;
    this.proposals.take(payload).settle!(0, { outcome: "done" } as never);
  }

  /** Time passes in steps of a tick. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 50;
      this.proposals.tick();
      this.proposals.flush();
    }
  }
}

it("proposes again what alone was dropped, though others are settled all the time", () => {
  const member = new Proposing();
  member.propose("dropped");
  for (let count = 0; count < 15; count++) {
    member.propose(`later${count}`);
    member.pass(100);
    if (member.sent.filter((text) => text.includes("dropped")).length === 1) member.order(`later${count}`);
  }
  expect(member.sent.filter((text) => text.includes('"dropped"'))).toHaveLength(2);
  expect(member.proposals.proposedAgain).toBe(2);
  expect(member.settled).not.toContain("dropped");
  member.order("dropped");
  expect(member.settled).toContain("dropped");
});

it("tells how long the oldest has waited, through every repetition", () => {
  const member = new Proposing();
  member.propose("dropped");
  member.propose("kept");
  member.pass(8_000);
  expect(member.proposals.stalledMs).toBe(8_000);
  // After one, two and four seconds.
  expect(member.sent.filter((text) => text.includes('"dropped"'))).toHaveLength(4);
  member.order("dropped");
  expect(member.proposals.size).toBe(0);
  expect(member.proposals.stalledMs).toBe(0);
});

it("begins anew with what comes after all that waited is unwanted", () => {
  const member = new Proposing();
  member.propose("gone");
  member.unwanted.add("gone");
  member.pass(2_000);
  expect(member.lost).toEqual(["gone"]);
  expect(member.proposals.stalledMs).toBe(0);
  member.propose("next");
  member.pass(500);
  expect(member.proposals.stalledMs).toBe(500);
});
