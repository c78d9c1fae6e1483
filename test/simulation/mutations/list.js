/**
 * Known ways to be wrong, as changes of the product's sources: the simulator has to notice each of them.
 *
 * `seed` is one that caught it: the test run tries that one first; null where none has yet. A patch whose text is gone fails.
 */
import { edgeMutations } from "./edges.js";
import { identityMutations } from "./identities.js";
import { recipeMutations } from "./recipes.js";

const raft = "packages/raft/src";
const replica = "packages/replica/src";
const tree = "packages/tree/src";
const client = "packages/client/src";

export const mutations = [
  {
    name: "M1",
    what: "a vote leaves before it is synced",
    seed: 8,
    patches: [
      {
        file: `${raft}/core.ts`,
        from: 'kind === "append-reply" || kind === "vote-reply" || kind === "pre-vote-reply"',
        to: 'kind === "append-reply" || (kind === "vote-reply" && to === this.id) || kind === "pre-vote-reply"',
      },
    ],
  },
  {
    name: "M2",
    what: "an append is acknowledged before it is synced",
    seed: 1,
    patches: [
      {
        file: `${raft}/core.ts`,
        from: 'kind === "append-reply" || kind === "vote-reply" || kind === "pre-vote-reply"',
        to: '(kind === "append-reply" && to === this.id) || kind === "vote-reply" || kind === "pre-vote-reply"',
      },
    ],
  },
  {
    name: "M3",
    what: "a quorum is half of the members",
    seed: 1,
    patches: [
      {
        file: `${raft}/quorum/quorum.ts`,
        from: "indexes[voters.size - (Math.floor(voters.size / 2) + 1)]!",
        to: "indexes[voters.size - Math.max(1, Math.floor(voters.size / 2))]!",
      },
    ],
  },
  {
    name: "M4",
    what: "entries of older terms are committed by counting",
    // One seed in thousands meets it: packages/raft/test/commit.test.ts holds it without chance.
    seed: null,
    patches: [
      {
        file: `${raft}/core.ts`,
        from: "if (index <= this.log.committed || this.log.term(index) !== this.term) return false;",
        to: "if (index <= this.log.committed) return false;",
      },
    ],
  },
  {
    name: "M5",
    what: "the entry before is not checked",
    seed: 11,
    patches: [
      {
        file: `${raft}/raft-log.ts`,
        from: "if (!this.matches(term, index)) return null;\n    const conflict",
        to: "if (index > this.lastIndex) return null;\n    const conflict",
      },
    ],
  },
  {
    name: "M6",
    what: "an append that matches cuts what is after it",
    seed: 2,
    patches: [
      {
        file: `${raft}/raft-log.ts`,
        from: "if (conflict >= 0) this.append(entries.slice(conflict));",
        to: "if (conflict >= 0) this.append(entries.slice(conflict));\n    else if (entries.length > 0 && entries[0]!.index > this.committed) this.append(entries);",
      },
    ],
  },
  {
    name: "M7",
    what: "a vote does not look at how new the candidate's log is",
    seed: 4,
    patches: [{ file: `${raft}/raft.ts`, from: "if (!isFree || !core.log.isUpToDate(logTerm, index))", to: "if (!isFree)" }],
  },
  {
    name: "M8",
    what: "a higher term in a reply is ignored",
    seed: 171,
    patches: [
      {
        file: `${raft}/raft.ts`,
        from: "if (!keepsTerm) core.becomeFollower(",
        to: 'if (!keepsTerm && kind !== "append-reply" && kind !== "heartbeat-reply" && kind !== "vote-reply") core.becomeFollower(',
      },
    ],
  },
  {
    name: "M9",
    what: "entries are applied before they are committed",
    seed: 1,
    patches: [
      {
        file: `${raft}/raft-log.ts`,
        from: "if (this.#isApplyingPaused || this.hasSnapshot || this.applying >= this.committed) return [];\n    return this.slice(this.applying + 1, this.committed + 1,",
        to: "if (this.#isApplyingPaused || this.hasSnapshot || this.applying >= this.lastIndex) return [];\n    return this.slice(this.applying + 1, this.lastIndex + 1,",
      },
      {
        file: `${raft}/raft-log.ts`,
        from: "if (index > this.committed) throw new Error(`applied",
        to: "if (index > this.lastIndex) throw new Error(`applied",
      },
    ],
  },
  {
    name: "M10",
    what: "a read index is given without asking a quorum",
    seed: 3,
    patches: [
      {
        file: `${raft}/roles/leader.ts`,
        from: 'if (isAlone || core.options.reads === "lease") return',
        to: 'if (isAlone || core.options.reads !== "lease") return',
      },
    ],
  },
  {
    name: "M11",
    what: "a new leader answers reads before its term has committed",
    seed: 13,
    patches: [
      {
        file: `${raft}/roles/leader.ts`,
        from: "if (core.log.term(core.log.committed) !== core.term) {\n    core.waitingReads.push(request);\n    return;\n  }\n",
        to: "",
      },
    ],
  },
  {
    name: "M12",
    what: "two membership changes are under way at once",
    seed: 10,
    patches: [
      {
        file: `${raft}/roles/leader.ts`,
        from: "if (core.pendingChangeIndex > core.log.applied) return false;\n  return core.isJoint === leavesJoint(change);",
        to: "return core.isJoint === leavesJoint(change) || change.changes.length > 0;",
      },
      {
        file: `${raft}/quorum/membership.ts`,
        from: 'if (isJoint(this.#members)) throw new MembershipError("config is already joint");',
        to: "",
      },
      {
        file: `${raft}/quorum/membership.ts`,
        from: 'if (isJoint(this.#members)) throw new MembershipError("can\'t apply simple config change in joint config");',
        to: "",
      },
      {
        file: `${raft}/quorum/membership.ts`,
        from: 'if (differing > 1) throw new MembershipError("more than one voter changed without entering joint config");',
        to: "if (differing > 9) return draft.finish();",
      },
      {
        file: `${raft}/quorum/membership.ts`,
        from: 'return transition === "auto" && changes.length <= 1 ? null : { autoLeave: transition !== "explicit" };',
        to: 'return transition === "auto" ? null : { autoLeave: true };',
      },
      { file: `${tree}/operations/reconfigure.ts`, from: "if (!table.isSettled) return", to: "if (table.version < 0) return" },
      {
        file: `${replica}/ensemble/upkeep.ts`,
        from: "if (changes.length === 0 || this.#isJoint) return;",
        to: "if (changes.length === 0) return;",
      },
    ],
  },
  {
    name: "M13",
    what: "taking a snapshot keeps a tail that conflicts with it",
    seed: 67,
    patches: [
      {
        file: `${raft}/raft-log.ts`,
        from: "this.#base = { index: snapshot.index, term: snapshot.term };\n    this.#entries = [];",
        to: "this.#entries = this.#entries.filter(({ index }) => index > snapshot.index);\n    this.#base = { index: snapshot.index, term: snapshot.term };",
      },
      { file: `${raft}/raft-log.ts`, from: "this.#handedOut = snapshot.index;", to: "this.#handedOut = this.lastIndex;" },
    ],
  },
  {
    name: "M14",
    what: "damage in the middle of the log is taken for a torn tail",
    seed: 28,
    patches: [
      {
        file: "packages/log/src/recovery.ts",
        from: "if (!isNewest) throw new Error(`a record",
        to: "if (offset < 0) throw new Error(`a record",
      },
      { file: "packages/log/src/recovery.ts", from: "if (whole >= 0) throw", to: "if (whole < -1) throw" },
    ],
  },
  {
    name: "M15",
    what: "the applied index is kept apart from the state it belongs to",
    seed: 1,
    patches: [
      {
        file: `${replica}/snapshots/compaction.ts`,
        from: "store.write({ index, term, configuration }",
        to: "store.write({ index: index + 1, term, configuration }",
      },
    ],
  },
  {
    name: "M16",
    what: "every member decides on expiry by its own clock",
    seed: 1,
    patches: [
      { file: `${replica}/sessions/sessions.ts`, from: "if (this.#state.coordinator.isHere && !hasPaused)", to: "if (!hasPaused)" },
      { file: `${replica}/sessions/sessions.ts`, from: "coordinator.isHereIn(term);", to: "true;" },
    ],
  },
  {
    name: "M17",
    what: "expiry leaves an ephemeral behind",
    seed: 1,
    patches: [
      {
        file: `${tree}/operations/write-identities.ts`,
        from: "removeEphemerals(work, session.ephemerals.after(null));",
        to: "removeEphemerals(work, [...session.ephemerals.after(null)].slice(1));",
      },
    ],
  },
  {
    name: "M18",
    what: "an event leaves after the reply that shows its change",
    seed: 4,
    patches: [
      {
        file: `${replica}/order/applier.ts`,
        from: "this.#history.add(applied.zxid, applied.changes);\n",
        to: "this.#history.add(applied.zxid, applied.changes);\n      settle?.(at, applied);\n",
      },
      {
        file: `${replica}/order/applier.ts`,
        from: "told.onApplied(txn, applied);\n      }\n      settle?.(at, applied);",
        to: "told.onApplied(txn, applied);\n      }",
      },
    ],
  },
  {
    name: "M19",
    what: "what is caught up on after a reconnect begins one too late",
    seed: 1,
    patches: [
      {
        file: `${replica}/following/history.ts`,
        from: "if (this.#txns[middle]!.zxid <= zxid)",
        to: "if (this.#txns[middle]!.zxid <= zxid + 1)",
      },
    ],
  },
  {
    name: "M20",
    what: "a write that comes again is done again",
    seed: 3,
    patches: [
      { file: `${tree}/apply.ts`, from: "if (kept !== undefined) {", to: "if (kept === null) {" },
      { file: `${tree}/apply.ts`, from: "if (txn.id <= session.lastId) {", to: "if (txn.id < 0) {" },
      { file: `${tree}/apply.ts`, from: "if (txn.after !== session.lastId) return", to: "if (txn.after > session.lastId) return" },
    ],
  },
  {
    name: "M21",
    what: "a ping is answered by the member it reached",
    seed: 1,
    patches: [
      {
        file: `${replica}/requests/requests.ts`,
        from: "if (!sessions.touch(connection)) return;\n    const barrier",
        to: "if (!sessions.touch(connection)) return;\n    if (connection.number > 0) return connection.reply(id, this.#done());\n    const barrier",
      },
    ],
  },
  // Beyond the list of the design: what its own invariants would otherwise show on no seed.
  {
    name: "M22",
    what: "whoever asks may read",
    seed: 5,
    patches: [
      {
        file: `${tree}/access/acl.ts`,
        from: "return (acl.world & wanted) !== 0 ||",
        to: 'return permission === "read" || (acl.world & wanted) !== 0 ||',
      },
    ],
  },
  {
    name: "M23",
    what: "a child's end is not counted in its parent's cversion",
    seed: 1,
    patches: [
      {
        file: `${tree}/tree.ts`,
        from: "parentState.cversion = nextVersion(cversion);",
        to: "if (step > 0) parentState.cversion = nextVersion(cversion);",
      },
    ],
  },
  {
    name: "M24",
    what: "who hears no leader stands without asking first",
    seed: 9,
    patches: [{ file: `${raft}/roles/follower.ts`, from: 'core.options.preVotes ? "pre-election" : "election"', to: '"election"' }],
  },
  {
    name: "M25",
    what: "a session keeps the replies that its client has",
    seed: 6,
    patches: [{ file: `${tree}/session-table.ts`, from: "this.#replies[0]!.id <= id", to: "this.#replies[0]!.id < 0" }],
  },
  {
    name: "M26",
    what: "a signal says what it was told last, and does not look",
    seed: 334,
    patches: [{ file: `${client}/session/looking-signal.ts`, from: "      look();\n      return Reflect", to: "      return Reflect" }],
  },
  {
    name: "M27",
    what: "another cluster where a member was said to be is a new beginning",
    seed: 14,
    patches: [{ file: `${client}/session/session.ts`, from: "if (isNewCluster && !(", to: "if (isNewCluster && this.zxid < 0 && !(" }],
  },
  {
    name: "M28",
    what: "what a peer sends is believed",
    seed: 94,
    patches: [
      {
        file: `${client}/session/received.ts`,
        from: "return messages.every(fits) ? messages.filter(isKnown) : null;",
        to: "return messages as Message[];",
      },
    ],
  },
  {
    name: "M29",
    what: "entries are stamped with the leader's wall clock",
    seed: 19,
    patches: [{ file: `${replica}/order/order-raft.ts`, from: "this.#options.time.now()", to: "this.#options.clock.wall()" }],
  },
  {
    name: "M30",
    what: "a new leader begins at its own clock, whatever the time was",
    seed: 19,
    patches: [{ file: `${replica}/order/state-time.ts`, from: "if (time > 0) this.#known = {", to: "if (time < 0) this.#known = {" }],
  },
  {
    name: "M34",
    what: "a vote does not say the time",
    seed: 1040,
    patches: [
      { file: `${replica}/member.ts`, from: 'sent.message.kind === "vote-reply") this.#say', to: "sent.message.index < 0) this.#say" },
    ],
  },
  {
    name: "M35",
    what: "a leader that leaves hands over to another that leaves",
    // It takes a removal of two while the third is far behind: packages/replica/test/upkeep.test.ts holds it without chance.
    seed: null,
    patches: [
      {
        file: `${replica}/ensemble/upkeep.ts`,
        from: "if (ready.length > 0) return consensus.handOver(ready);",
        to: "return consensus.handOver(voters);",
      },
    ],
  },
  {
    name: "M36",
    what: "a proposal that was dropped alone is waited for while others are settled",
    // One seed in hundreds meets it: packages/replica/test/proposals.test.ts holds it without chance.
    seed: null,
    patches: [{ file: `${replica}/order/proposals.ts`, from: "if (own === oldest) this.#begin();", to: "this.#begin();" }],
  },
  ...identityMutations,
  ...edgeMutations,
  ...recipeMutations({ R1: 39, R2: 1, R3: 4, R4: 8, R5: 112, R6: 6, R7: 1, R8: 9 }),
];
