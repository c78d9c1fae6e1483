/**
 * Consensus, from outside: `step` a message, `tick` the clock, take a `ready`, `advance` when it is done.
 *
 * Written from the paper (Ongaro and Ousterhout, 2014) and the dissertation (Ongaro, 2014), in the shape of etcd's core: a
 * `Ready` gathers all outstanding work, and taking it is apart from doing it. It knows neither time nor disks nor sockets,
 * and nothing of what it orders. Invariants: SPEC.md.
 */

import { Core, type RaftOptions, type RoleName, type StepResult } from "./core.ts";
import {
  type Configuration,
  type Entry,
  emptyConfiguration,
  type HardState,
  type MemberId,
  type MembershipChange,
  nobody,
  type Payload,
  type Proposal,
  type SnapshotHead,
  sizeOfAll,
} from "./entry.ts";
import { isLocal, type Message, message, transferContext } from "./message.ts";
import { Changer, type Members, restoreMembers } from "./quorum/membership.ts";
import { RaftLog } from "./raft-log.ts";
import { mustStore, type Ready } from "./ready.ts";
import { hup } from "./roles/campaign.ts";
import { candidate } from "./roles/candidate.ts";
import { follower } from "./roles/follower.ts";
import { leader } from "./roles/leader.ts";
import { switchMembers } from "./roles/replication.ts";

/** What a member starts from. */
export interface RaftStart {
  readonly hardState: HardState;
  /** Index and term that the log was compacted to; 0 and 0 for an empty one. */
  readonly base: { readonly index: number; readonly term: number };
  /** Of the snapshot; changes after it are applied again as they are committed. */
  readonly configuration: Configuration;
  /** The entries after the base, all durable. */
  readonly entries: readonly Entry[];
}

export const emptyStart: RaftStart = {
  hardState: { term: 0, vote: nobody, commit: 0 },
  base: { index: 0, term: 0 },
  configuration: emptyConfiguration,
  entries: [],
};

export class Raft {
  readonly #core: Core;
  #lastSoft: { readonly lead: MemberId; readonly role: RoleName };
  #lastHard: HardState;
  /** The Readys that are not durable yet, oldest first, with what the member says to itself once they are. */
  readonly #storing: { readonly ready: Ready; readonly own: readonly Message[] }[] = [];
  #newest: Ready | null = null;
  #number = 0;

  constructor(options: RaftOptions, start: RaftStart) {
    const log = new RaftLog(start.base, start.entries, options.applyBytesMax);
    this.#core = new Core(options, log, { follower, candidate, "pre-candidate": candidate, leader });
    const core = this.#core;
    switchMembers(core, restoreMembers(start.configuration, log.lastIndex, options.window));
    core.term = start.hardState.term;
    core.vote = start.hardState.vote;
    log.commitTo(start.hardState.commit);
    core.becomeFollower(core.term, nobody);
    core.vote = start.hardState.vote;
    this.#lastSoft = this.#soft;
    this.#lastHard = this.hardState;
  }

  get id(): MemberId {
    return this.#core.id;
  }

  get role(): RoleName {
    return this.#core.role;
  }

  get term(): number {
    return this.#core.term;
  }

  get lead(): MemberId {
    return this.#core.lead;
  }

  get log(): RaftLog {
    return this.#core.log;
  }

  get members(): Members {
    return this.#core.members;
  }

  get hardState(): HardState {
    const { term, vote, log } = this.#core;
    return { term, vote, commit: log.committed };
  }

  tick(): void {
    this.#core.tick();
  }

  /**
   * Begins from a state that came from no leader: that of the founders, who all have the same. What was promised before (a
   * vote, a term) stays promised. Without effect where there is a log already.
   */
  found(snapshot: SnapshotHead): void {
    if (this.log.lastIndex > 0) return;
    this.#step(message("snapshot", { to: this.id, term: Math.max(this.term, snapshot.term), snapshot }));
  }

  campaign(): void {
    hup(this.#core, this.#core.options.preVotes ? "pre-election" : "election");
  }

  propose(payload: Payload): StepResult {
    return this.#propose({ kind: "normal", payload, change: null });
  }

  /** Proposes a membership change. `asSimple`: as an entry of the older kind, which holds a single change. */
  proposeChange(change: MembershipChange, asSimple = false): StepResult {
    return this.#propose({ kind: asSimple ? "simple-change" : "change", payload: "", change });
  }

  /** Asks for a read; its index comes back in a Ready's `reads`, under the context. */
  read(context: string): void {
    this.#core.step(message("read-index", { context }));
  }

  transferLeadership(to: MemberId): void {
    this.#core.step(message("transfer-leader", { from: to }));
  }

  forgetLeader(): void {
    this.#core.step(message("forget-leader"));
  }

  reportUnreachable(member: MemberId): void {
    this.#core.step(message("unreachable", { from: member }));
  }

  reportSnapshot(member: MemberId, isTaken: boolean): void {
    this.#core.step(message("snapshot-status", { from: member, isRejected: !isTaken }));
  }

  /** Sets the ticks until the next election: for scripts that must not depend on chance. */
  setElectionTimeout(ticks: number): void {
    this.#core.electionTimeout = ticks;
  }

  /** Takes a message of another member. "unknown": it answers, and is not a member. */
  step(received: Message): StepResult | "unknown" {
    if (isLocal(received.kind)) throw new Error(`a ${received.kind} must come from the local host`);
    return this.#core.isKnownSender(received) ? this.#step(received) : "unknown";
  }

  /** Applies a membership change that was committed. Gives the configuration after it. @throws MembershipError */
  applyChange(change: MembershipChange): Configuration {
    const { members, log, options } = this.#core;
    return switchMembers(this.#core, new Changer(members, log.lastIndex, options.window).change(change));
  }

  get hasReady(): boolean {
    const { log, messages, afterStore, readStates } = this.#core;
    const soft = this.#soft;
    if (soft.lead !== this.#lastSoft.lead || soft.role !== this.#lastSoft.role || this.#changedHard !== null) return true;
    if (log.snapshotToStore !== null || messages.length > 0 || afterStore.length > 0 || readStates.length > 0) return true;
    return log.entriesToStore.length > 0 || log.entriesToApply.length > 0;
  }

  /**
   * Takes all outstanding work. The next may be taken before this one is durable: `persisted` says when it is, and
   * `applied` that its committed entries have been applied. `advance` says both.
   */
  ready(): Ready {
    const core = this.#core;
    const { log } = core;
    const soft = this.#soft;
    const isSame = soft.lead === this.#lastSoft.lead && soft.role === this.#lastSoft.role;
    const entries = log.entriesToStore;
    const ready: Ready = {
      number: ++this.#number,
      soft: isSame ? null : soft,
      hardState: this.#changedHard,
      reads: core.readStates,
      entries,
      snapshot: log.snapshotToStore,
      committed: log.entriesToApply,
      messages: core.messages,
      messagesAfterStore: core.afterStore.filter(({ to }) => to !== core.id && to !== nobody),
      mustStore: mustStore(this.hardState, this.#lastHard, entries.length),
    };
    this.#storing.push({ ready, own: core.afterStore.filter(({ to }) => to === core.id) });
    this.#lastSoft = soft;
    this.#lastHard = this.hardState;
    core.messages = [];
    core.afterStore = [];
    core.readStates = [];
    log.acceptStore();
    log.acceptApply(ready.committed);
    this.#newest = ready;
    return ready;
  }

  /** The newest Ready, and all before it, are done: stored, sent, applied. */
  advance(): void {
    const ready = this.#newest;
    if (ready === null) throw new Error("no Ready is under way");
    this.#newest = null;
    this.persisted(ready.number);
    this.applied(ready);
  }

  /** The hard state, entries and snapshots of this Ready, and of all before it, are durable. */
  persisted(number: number): void {
    for (let first = this.#storing[0]; first !== undefined && first.ready.number <= number; first = this.#storing[0]) {
      this.#storing.shift();
      for (const own of first.own) this.#step(own);
      if (first.ready.snapshot !== null) this.#core.log.storedSnapshot(first.ready.snapshot.index);
    }
  }

  /** The committed entries of this Ready are applied. To be called in the order of Readys. */
  applied({ committed }: Ready): void {
    const applied = committed[committed.length - 1];
    if (applied === undefined) return;
    const bytes = committed.reduce((sum, { payload }) => sum + payload.length, 0);
    this.#core.uncommittedBytes = Math.max(0, this.#core.uncommittedBytes - bytes);
    this.#applied(applied.index, sizeOfAll(committed));
  }

  #applied(index: number, bytes: number): void {
    const core = this.#core;
    core.log.appliedTo(index, bytes);
    // A joint configuration that is to be left by itself is left as soon as it is applied.
    if (core.members.autoLeave && index >= core.pendingChangeIndex && core.role === "leader") {
      this.#propose({ kind: "change", payload: "", change: { transition: "auto", changes: [] } });
    }
  }

  #propose(proposal: Proposal): StepResult {
    return this.#core.step(message("propose", { from: this.#core.id, proposals: [proposal] }));
  }

  get #soft(): { readonly lead: MemberId; readonly role: RoleName } {
    return { lead: this.#core.lead, role: this.#core.role };
  }

  get #changedHard(): HardState | null {
    const now = this.hardState;
    const { term, vote, commit } = this.#lastHard;
    const isSame = now.term === term && now.vote === vote && now.commit === commit;
    return isSame || (now.term === 0 && now.vote === nobody && now.commit === 0) ? null : now;
  }

  /** Terms first (paper, section 5.1), then votes, then what the role makes of it. */
  #step(received: Message): StepResult {
    const core = this.#core;
    const { kind, term, from } = received;
    if (term > core.term) {
      const isVote = kind === "vote" || kind === "pre-vote";
      const inLease = core.options.checksQuorum && core.lead !== nobody && core.electionElapsed < core.options.electionTicks;
      if (isVote && inLease && received.context !== transferContext) return "done";
      const keepsTerm = kind === "pre-vote" || (kind === "pre-vote-reply" && !received.isRejected);
      const isLeaders = kind === "append" || kind === "heartbeat" || kind === "snapshot";
      if (!keepsTerm) core.becomeFollower(term, isLeaders ? from : nobody);
    } else if (term !== 0 && term < core.term) {
      this.#answerOlderTerm(received);
      return "done";
    }
    if (kind !== "vote" && kind !== "pre-vote") return core.step(received);
    this.#vote(received);
    return "done";
  }

  /** A member of an older term has to learn of this one, or it could stay stuck (dissertation, section 9.6). */
  #answerOlderTerm({ kind, from }: Message): void {
    const core = this.#core;
    const { checksQuorum, preVotes } = core.options;
    if ((checksQuorum || preVotes) && (kind === "heartbeat" || kind === "append")) core.send("append-reply", from);
    else if (kind === "pre-vote") core.send("pre-vote-reply", from, { isRejected: true });
  }

  /**
   * A member that is no voter any more tells a candidate how far it has committed: it may know of the very change that took its vote away, while the
   * one voter that is left still counts on it, and could never win.
   */
  #toldByLeft(): { readonly commit: number; readonly logTerm: number } | undefined {
    const { id, log, members } = this.#core;
    if (members.voters[0].has(id) || members.voters[1].has(id)) return undefined;
    return { commit: log.committed, logTerm: log.term(log.committed) ?? 0 };
  }

  #vote({ kind, from, term, index, logTerm }: Message): void {
    const core = this.#core;
    const reply = kind === "vote" ? "vote-reply" : "pre-vote-reply";
    const isFree = core.vote === from || (core.vote === nobody && core.lead === nobody) || (kind === "pre-vote" && term > core.term);
    if (!isFree || !core.log.isUpToDate(logTerm, index)) return core.send(reply, from, { isRejected: true, ...this.#toldByLeft() });
    core.send(reply, from, { term });
    if (kind !== "vote") return;
    core.electionElapsed = 0;
    core.vote = from;
  }
}
