/** Reads that a leader may answer only once a quorum has confirmed it. */
import { describe, expect, it } from "vitest";
import { type Entry, emptyConfiguration } from "../src/entry.ts";
import { message } from "../src/message.ts";
import { Raft } from "../src/raft.ts";
import type { Ready } from "../src/ready.ts";
import { options } from "./options.ts";

function memberOf(voters: readonly number[], entries: readonly Entry[] = []): Raft {
  const configuration = { ...emptyConfiguration, voters };
  const base = { index: 1, term: 1 };
  const own = {
    ...options,
    id: 1,
    checksQuorum: false,
    preVotes: false,
    snapshot: () => ({ ...base, configuration }),
  };
  return new Raft(own, { hardState: { term: 1, vote: 0, commit: 1 }, base, configuration, entries });
}

function leaderOf(voters: readonly number[]): Raft {
  const raft = memberOf(voters);
  raft.campaign();
  drain(raft);
  for (const voter of voters.slice(1)) raft.step(message("vote-reply", { from: voter, to: 1, term: 2 }));
  drain(raft);
  return raft;
}

function drain(raft: Raft): Ready[] {
  const all: Ready[] = [];
  while (raft.hasReady) {
    all.push(raft.ready());
    raft.advance();
  }
  return all;
}

const reads = (all: readonly Ready[]): unknown[] => all.flatMap((ready) => ready.reads);

describe("a read", () => {
  it("[R9] waits for an entry of the leader's own term, then for a quorum that was asked after it", () => {
    const raft = leaderOf([1, 2, 3]);
    raft.read("early");
    expect(reads(drain(raft))).toEqual([]);
    raft.step(message("append-reply", { from: 2, to: 1, term: 2, index: 2 }));
    const asked = drain(raft);
    expect(reads(asked)).toEqual([]);
    const heartbeats = asked.flatMap((ready) => ready.messages).filter(({ kind }) => kind === "heartbeat");
    expect(heartbeats.map(({ to, context }) => [to, context])).toEqual([
      [2, "early"],
      [3, "early"],
    ]);
    raft.step(message("heartbeat-reply", { from: 3, to: 1, term: 2, context: "" }));
    expect(reads(drain(raft))).toEqual([]);
    raft.step(message("heartbeat-reply", { from: 3, to: 1, term: 2, context: "early" }));
    expect(reads(drain(raft))).toEqual([{ index: 2, context: "early" }]);
  });

  it("[R9] is answered with those asked before it, each with the index of its own moment", () => {
    const raft = leaderOf([1, 2, 3]);
    raft.step(message("append-reply", { from: 2, to: 1, term: 2, index: 2 }));
    raft.read("a");
    raft.propose("x");
    drain(raft);
    raft.step(message("append-reply", { from: 2, to: 1, term: 2, index: 3 }));
    raft.read("b");
    drain(raft);
    raft.step(message("heartbeat-reply", { from: 2, to: 1, term: 2, context: "b" }));
    expect(reads(drain(raft))).toEqual([
      { index: 2, context: "a" },
      { index: 3, context: "b" },
    ]);
  });

  it("of a single voter needs nobody", () => {
    const raft = leaderOf([1]);
    raft.read("alone");
    expect(reads(drain(raft))).toEqual([{ index: 2, context: "alone" }]);
  });

  it("[R9] of a single voter that starts again waits until what it acknowledged before is known to be committed", () => {
    const raft = memberOf([1], [{ index: 2, term: 1, kind: "normal", payload: "acknowledged", change: null }]);
    raft.campaign();
    while (raft.role !== "leader") {
      raft.ready();
      raft.advance();
    }
    raft.read("early");
    expect(raft.ready().reads).toEqual([]);
    raft.advance();
    expect(reads(drain(raft))).toEqual([{ index: 3, context: "early" }]);
  });
});
