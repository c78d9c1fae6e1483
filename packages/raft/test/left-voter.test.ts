/** A voter that has not heard yet that it is the only one left. */
import { describe, expect, it } from "vitest";
import { type Entry, emptyConfiguration } from "../src/entry.ts";
import type { Message } from "../src/message.ts";
import { Raft, type RaftStart } from "../src/raft.ts";
import { options } from "./options.ts";

const base = { index: 1, term: 1 };
const joint = { ...emptyConfiguration, voters: [3], outgoing: [1, 2, 3], autoLeave: false };
const leave: Entry = { kind: "change", index: 2, term: 1, payload: "", change: { transition: "auto", changes: [] } };
const later: Entry = { kind: "normal", index: 3, term: 1, payload: "x", change: null };

function memberOf(id: number, start: Pick<RaftStart, "entries" | "configuration"> & { readonly commit: number }): Raft {
  const own = {
    ...options,
    id,
    checksQuorum: true,
    preVotes: true,
    snapshot: () => ({ ...base, configuration: joint }),
  };
  const { entries, configuration, commit } = start;
  return new Raft(own, { hardState: { term: 1, vote: 0, commit }, base, configuration, entries });
}

/** Lets each say all that it has to say, and applies what is committed. */
function turn(raft: Raft): readonly Message[] {
  const said: Message[] = [];
  while (raft.hasReady) {
    const ready = raft.ready();
    said.push(...ready.messages, ...ready.messagesAfterStore);
    for (const { change } of ready.committed) if (change !== null) raft.applyChange(change);
    raft.advance();
  }
  return said;
}

describe("the only voter that is left", () => {
  it("[R7] learns from one that left, and has a longer log, that it needs no other's vote", () => {
    const voter = memberOf(3, { entries: [leave], configuration: joint, commit: 1 });
    const left = memberOf(1, { entries: [leave, later], configuration: joint, commit: 2 });
    turn(left);
    expect([...left.members.voters[0]]).toEqual([3]);
    for (let round = 0; round < 4 && voter.role !== "leader"; round++) {
      voter.campaign();
      for (const asked of turn(voter).filter(({ to }) => to === 1)) left.step(asked);
      for (const answer of turn(left).filter(({ to }) => to === 3)) voter.step(answer);
      turn(voter);
    }
    expect(voter.role).toBe("leader");
  });
});
