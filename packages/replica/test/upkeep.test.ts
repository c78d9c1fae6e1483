/** What a coordinator does to bring consensus in line with the table, where it leaves itself. */
import type { MemberChange } from "@copse/raft";
import { type MemberRow, Tree } from "@copse/tree";
import { expect, it } from "vitest";
import type { EnsembleOptions, EnsembleState } from "../src/ensemble/ensemble-options.ts";
import { type EnsembleView, Upkeep } from "../src/ensemble/upkeep.ts";

type Said = readonly ["change", readonly MemberChange[]] | readonly ["hand over", readonly number[]];

/** What member 1 says to consensus, which it leads with these voters, while the table names these roles; `caughtUp` lack nothing. */
function said(voters: readonly number[], roles: Readonly<Record<string, MemberRow["role"]>>, caughtUp: readonly number[]): readonly Said[] {
  const heard: Said[] = [];
  const tree = new Tree();
  const members = Object.entries(roles).map(
    ([id, role]): MemberRow => ({ id, role, isVoting: voters.includes(Number(id)), url: "", peer: "", directory: id, isUp: true }),
  );
  tree.ensemble = { cluster: "c", version: 1, leader: "1", isSettled: false, members };
  const consensus: EnsembleState["consensus"] = {
    isFounded: true,
    members: { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false },
    needsSnapshot: false,
    lastIndex: 1,
    committedAtStart: 1,
    isCaughtUp: (id) => caughtUp.includes(id),
    acknowledged: () => 0,
    relayed: { up: {}, isPressed: false, isDrained: false, waitsFor: null },
    change: (changes) => heard.push(["change", changes]),
    handOver: (to = []) => heard.push(["hand over", to]),
  };
  const facts = { member: "1", url: "", peer: "", directory: "1", cluster: "c", isFounded: true, version: 1, founders: [], time: 0 };
  const view: EnsembleView = { facts, peers: new Map(), cluster: "c", canUse: () => true };
  const state = {
    tree,
    consensus,
    coordinator: { isHere: true, term: 1, isHereIn: () => true },
    proposals: { add: () => {} },
    clock: { now: () => 1_000, wall: () => 0 },
  };
  new Upkeep(
    { member: "1", limits: tree.limits, rootAcl: null } as unknown as EnsembleOptions,
    state as unknown as EnsembleState,
    view,
  ).look();
  return heard;
}

it("hands over to one that stays and lacks nothing, never to another that leaves: those two would do so for ever", () => {
  const roles = { 1: "leaving", 2: "voter", 3: "leaving" } as const;
  expect(said([1, 2, 3], roles, [2])).toEqual([["hand over", [2]]]);
  expect(said([1, 2, 3], roles, [])).toEqual([]);
});

it("brings in those who come while nobody is ready to lead, and removes the others once it does not leave", () => {
  const comes = { 1: "leaving", 2: "voter" } as const;
  expect(said([1], comes, [])).toEqual([["change", [{ kind: "add-learner", member: 2 }]]]);
  expect(said([1], comes, [2])).toEqual([["change", [{ kind: "add-learner", member: 2 }]]]);
  expect(said([1, 2], comes, [2])).toEqual([["hand over", [2]]]);
  const stays = { 1: "voter", 2: "voter", 3: "leaving" } as const;
  expect(said([1, 2, 3], stays, [2])).toEqual([["change", [{ kind: "remove", member: 3 }]]]);
});
