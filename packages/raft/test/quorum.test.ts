/** Quorums and configurations: properties, against the simplest thing that is right. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MemberChange } from "../src/entry.ts";
import { Changer, configurationOf, isJoint, type Members, MembershipError, noMembers, restoreMembers } from "../src/quorum/membership.ts";
import { committedBy, jointCommitted, jointVoteResult, voteResult } from "../src/quorum/quorum.ts";

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { maxLength: 7 });
const window = { countMax: 10, bytesMax: 0 };

describe("quorums", () => {
  it("[R3] commit what a majority has, and no more", () => {
    fc.assert(
      fc.property(
        ids,
        fc.dictionary(fc.constantFrom("1", "2", "3", "4", "5", "6", "7"), fc.integer({ min: 0, max: 9 })),
        (members, given) => {
          const voters = new Set(members);
          const acked = (member: number): number | undefined => given[member];
          const index = committedBy(voters, acked);
          const haveIt = (at: number): number => members.filter((member) => (acked(member) ?? 0) >= at).length;
          if (members.length === 0) return void expect(index).toBe(Number.POSITIVE_INFINITY);
          expect(haveIt(index)).toBeGreaterThan(members.length / 2);
          expect(haveIt(index + 1)).toBeLessThanOrEqual(members.length / 2);
        },
      ),
    );
  });

  it("[R1] two majorities can't both win, whatever is still to come", () => {
    fc.assert(
      fc.property(ids, ids, fc.array(fc.tuple(fc.integer({ min: 1, max: 7 }), fc.boolean()), { maxLength: 9 }), (first, second, given) => {
        const voters = [new Set(first), new Set(second)] as const;
        const votes = new Map(given);
        const against = new Map([...votes].map(([member, vote]) => [member, !vote]));
        if (first.length > 0 && voteResult(voters[0], votes) === "won") expect(voteResult(voters[0], against)).not.toBe("won");
        const joint = jointVoteResult(voters, votes);
        if (joint === "won") for (const half of voters) expect(voteResult(half, votes)).toBe("won");
        if (joint === "lost") expect(voters.some((half) => voteResult(half, votes) === "lost")).toBe(true);
        expect(jointVoteResult([voters[0], new Set()], votes)).toBe(voteResult(voters[0], votes));
        const acked = (member: number): number | undefined => (votes.has(member) ? member : undefined);
        expect(jointCommitted([voters[0], new Set()], acked)).toBe(committedBy(voters[0], acked));
      }),
    );
  });
});

describe("configurations", () => {
  const change = fc.record({
    kind: fc.constantFrom("add-voter", "add-learner", "remove", "update"),
    member: fc.integer({ min: 1, max: 6 }),
  }) as fc.Arbitrary<MemberChange>;
  const step = fc.record({
    way: fc.constantFrom("simple", "enter", "leave"),
    changes: fc.array(change, { maxLength: 4 }),
    autoLeave: fc.boolean(),
  });

  function check(members: Members): void {
    const [incoming, outgoing] = members.voters;
    for (const learner of members.learners) expect(incoming.has(learner) || outgoing.has(learner)).toBe(false);
    for (const next of members.learnersNext) expect([outgoing.has(next), members.progress.get(next)!.isLearner]).toEqual([true, false]);
    const everybody = new Set([...incoming, ...outgoing, ...members.learners, ...members.learnersNext]);
    expect(new Set(members.progress.keys())).toEqual(everybody);
    for (const [member, progress] of members.progress) expect(progress.isLearner).toBe(members.learners.has(member));
    if (!isJoint(members)) expect([members.learnersNext.size, members.autoLeave]).toEqual([0, false]);
  }

  it("[R7] keep their invariants; a simple change moves one voter at most; a refusal changes nothing; snapshots bring them back", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        let members: Members = new Changer(noMembers, 1, window).simple([{ kind: "add-voter", member: 1 }]);
        for (const { way, changes, autoLeave } of steps) {
          const before = JSON.stringify([configurationOf(members), [...members.progress.keys()]]);
          const changer = new Changer(members, 5, window);
          try {
            const next =
              way === "simple" ? changer.simple(changes) : way === "enter" ? changer.enterJoint(autoLeave, changes) : changer.leaveJoint();
            if (way === "simple") {
              const [a, b] = [members.voters[0], next.voters[0]];
              expect([...a].filter((id) => !b.has(id)).length + [...b].filter((id) => !a.has(id)).length).toBeLessThanOrEqual(1);
            }
            expect(JSON.stringify([configurationOf(members), [...members.progress.keys()]])).toBe(before);
            members = next;
          } catch (error) {
            expect(error).toBeInstanceOf(MembershipError);
            expect(JSON.stringify([configurationOf(members), [...members.progress.keys()]])).toBe(before);
          }
          check(members);
          const configuration = configurationOf(members);
          const restored = restoreMembers(configuration, 9, window);
          check(restored);
          expect(configurationOf(restored)).toEqual(configuration);
        }
      }),
      { numRuns: 300 },
    );
  });
});
