/** The scripts that etcd's core is tested with, read from where others keep them, match ours to the line. */
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { runScript, scriptsIn } from "../../../test/raft/scripts.js";

const folder = join(import.meta.dirname, "../../../../shared/oracles/etcd-raft");

describe("etcd's scripts", () => {
  if (!existsSync(folder)) {
    it("are not on this machine: nothing was compared", () => {
      console.warn(`\n  !! ${folder} is missing, so no script of etcd's was run. Put the oracles beside the checkout to compare.\n`);
    });
    return;
  }
  it.each(scriptsIn(folder).map((file) => [relative(folder, file), file] as const))("%s", (_name, file) => {
    const { matched, differing } = runScript(readFileSync(file, "utf8"));
    expect(differing).toEqual([]);
    expect(matched).toBeGreaterThan(0);
  });

  it("would show a difference", () => {
    const script =
      "add-nodes 1 voters=(1) index=2\n----\nok\n\ncampaign 1\n----\nok\n\nraft-state\n----\n1: StateFollower (Voter) Term:0 Lead:0\n";
    expect(runScript(script).differing).toMatchObject([{ line: 9, actual: "1: StateCandidate (Voter) Term:1 Lead:0" }]);
  });
});

/** Scripts of our own, in the same words, after the election of member 1: the transcript is the assertion. */
function play(cluster: string, script: string): void {
  const elected = `add-nodes ${cluster}\n----\nok\n\ncampaign 1\n----\nok\n\nstabilize log-level=none\n----\nok\n\n`;
  expect(runScript(`${elected}${script.replace(/^ {4}/gm, "").trim()}\n`).differing).toEqual([]);
}

describe("our own scripts", () => {
  it("[R6] who can't win leaves the term alone", () => {
    play(
      "3 voters=(1,2,3) index=2 prevote=true checkquorum=true",
      `
    campaign 3
    ----
    ok

    process-ready 3
    ----
    Ready MustSync=false:
    Lead:0 State:StatePreCandidate
    Messages:
    3->1 MsgPreVote Term:2 Log:1/3
    3->2 MsgPreVote Term:2 Log:1/3

    stabilize log-level=none
    ----
    ok

    raft-state
    ----
    1: StateLeader (Voter) Term:1 Lead:1
    2: StateFollower (Voter) Term:1 Lead:1
    3: StatePreCandidate (Voter) Term:1 Lead:0
    `,
    );
  });

  it("[R7] one membership change at a time: another is put aside until the first is applied", () => {
    play(
      "3 voters=(1,2,3) index=2",
      `
    propose-conf-change 1
    r3
    ----
    ok

    propose-conf-change 1
    r2
    ----
    ok

    raft-log 1
    ----
    1/3 EntryNormal ""
    1/4 EntryConfChangeV2 r3
    1/5 EntryNormal ""

    stabilize log-level=none
    ----
    ok

    status 1
    ----
    1: StateReplicate match=5 next=6
    2: StateReplicate match=5 next=6
    `,
    );
  });

  it("[R10] a leader hands over to who has its log, and takes nothing meanwhile", () => {
    play(
      "3 voters=(1,2,3) index=2",
      `
    transfer-leadership from=1 to=3
    ----
    ok

    propose 1 late
    ----
    raft proposal dropped

    process-ready 1
    ----
    Ready MustSync=false:
    Messages:
    1->3 MsgTimeoutNow Term:1 Log:0/0

    stabilize log-level=none
    ----
    ok

    raft-state
    ----
    1: StateFollower (Voter) Term:2 Lead:3
    2: StateFollower (Voter) Term:2 Lead:3
    3: StateLeader (Voter) Term:2 Lead:3
    `,
    );
  });

  it("[R11] the window bounds how far a leader runs ahead", () => {
    play(
      "2 voters=(1,2) index=2 inflight=2",
      `
    propose 1 one
    ----
    ok

    propose 1 two
    ----
    ok

    propose 1 three
    ----
    ok

    status 1
    ----
    1: StateReplicate match=3 next=4
    2: StateReplicate match=3 next=6 paused inflight=2[full]

    stabilize log-level=none
    ----
    ok

    status 1
    ----
    1: StateReplicate match=6 next=7
    2: StateReplicate match=6 next=7
    `,
    );
  });
});
