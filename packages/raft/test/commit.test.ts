/** What a leader may count as committed (Raft, section 5.4.2 and figure 8). */
import { describe, expect, it } from "vitest";
import { type Entry, emptyConfiguration } from "../src/entry.ts";
import { message } from "../src/message.ts";
import { Raft } from "../src/raft.ts";
import { options } from "./options.ts";

const configuration = { ...emptyConfiguration, voters: [1, 2, 3] };
const base = { index: 1, term: 1 };
const older: Entry = { index: 2, term: 2, kind: "normal", payload: "of an older term", change: null };

function settle(raft: Raft): void {
  for (; raft.hasReady; raft.advance()) raft.ready();
}

describe("an entry of an older term", () => {
  it("is not committed because a quorum holds it, only with one of the leader's own term after it", () => {
    const own = { ...options, id: 1, checksQuorum: false, preVotes: false, snapshot: () => ({ ...base, configuration }) };
    const raft = new Raft(own, { hardState: { term: 2, vote: 1, commit: 1 }, base, configuration, entries: [older] });
    raft.campaign();
    settle(raft);
    raft.step(message("vote-reply", { from: 2, to: 1, term: 3 }));
    settle(raft);
    expect([raft.role, raft.term, raft.log.lastIndex]).toEqual(["leader", 3, 3]);
    // Two of three hold it now; another that has a newer entry in its place could still be elected, and replace it.
    raft.step(message("append-reply", { from: 2, to: 1, term: 3, index: 2 }));
    settle(raft);
    expect(raft.log.committed).toBe(1);
    raft.step(message("append-reply", { from: 2, to: 1, term: 3, index: 3 }));
    settle(raft);
    expect(raft.log.committed).toBe(3);
  });
});
