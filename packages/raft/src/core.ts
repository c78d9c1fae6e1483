/**
 * The state of one member, and what all roles share: sending, appending, changing the role.
 *
 * Behaviour is the state: a role is a pair of functions, `step` and `tick`, and changing the role swaps them. Invariants: the
 * term never falls; one vote in a term; messages that speak of what must be durable first (`afterStore`) are kept apart
 * from those that may leave at once.
 */
import { type Entry, type MemberId, nobody, type Proposal, type SnapshotHead } from "./entry.ts";
import { isReply, type Message, type MessageKind, message } from "./message.ts";
import { Inflights } from "./quorum/inflights.ts";
import { configurationOf, isJoint, type Members, noMembers, type Window } from "./quorum/membership.ts";
import { Progress } from "./quorum/progress.ts";
import { jointCommitted, jointVoteResult, type VoteResult } from "./quorum/quorum.ts";
import { ReadIndex } from "./quorum/read-index.ts";
import type { RaftLog } from "./raft-log.ts";

export type RoleName = "follower" | "pre-candidate" | "candidate" | "leader";

export interface RaftOptions {
  readonly id: MemberId;
  /** Ticks without a leader before an election, and between heartbeats. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Bytes of entries in one append. */
  readonly appendBytesMax: number;
  /** Bytes of committed entries in one Ready. */
  readonly applyBytesMax: number;
  /** Bytes of entries that are proposed and not applied yet; a proposal beyond is dropped. */
  readonly uncommittedBytesMax: number;
  readonly window: Window;
  readonly checksQuorum: boolean;
  readonly preVotes: boolean;
  /** safe: a quorum confirms each batch of reads. lease: the leader trusts its clock; needs checksQuorum. */
  readonly reads: "safe" | "lease";
  readonly stepsDownOnRemoval: boolean;
  /** Another layer makes sure that membership changes do not overlap. */
  readonly skipsChangeValidation: boolean;
  /** In [0, below): the election timeout's share of chance. */
  readonly random: (below: number) => number;
  /** The newest snapshot of this member's state. */
  readonly snapshot: () => SnapshotHead;
}

export interface Role {
  readonly step: (core: Core, message: Message) => StepResult;
  readonly tick: (core: Core) => void;
}

/** dropped: a proposal that nobody takes now. */
export type StepResult = "done" | "dropped";

export interface ReadState {
  readonly index: number;
  readonly context: string;
}

export class Core {
  readonly id: MemberId;
  readonly options: RaftOptions;
  readonly log: RaftLog;
  readonly #roles: Readonly<Record<RoleName, Role>>;
  term = 0;
  vote: MemberId = nobody;
  lead: MemberId = nobody;
  role: RoleName = "follower";
  members: Members = noMembers;
  /** The members that count, by group; replaced as a whole when they change. */
  votes: Map<MemberId, boolean> = new Map();
  messages: Message[] = [];
  afterStore: Message[] = [];
  readStates: ReadState[] = [];
  transferee: MemberId = nobody;
  /** No other membership change is proposed before this index is applied. */
  pendingChangeIndex = 0;
  uncommittedBytes = 0;
  readIndex: ReadIndex = new ReadIndex();
  waitingReads: Message[] = [];
  electionElapsed = 0;
  heartbeatElapsed = 0;
  electionTimeout = 0;

  constructor(options: RaftOptions, log: RaftLog, roles: Readonly<Record<RoleName, Role>>) {
    this.id = options.id;
    this.options = options;
    this.log = log;
    this.#roles = roles;
  }

  step(received: Message): StepResult {
    return this.#roles[this.role].step(this, received);
  }

  tick(): void {
    this.#roles[this.role].tick(this);
  }

  progress(member: MemberId): Progress | undefined {
    return this.members.progress.get(member);
  }

  /** True if this member may stand for election. */
  get isPromotable(): boolean {
    const own = this.progress(this.id);
    return own !== undefined && !own.isLearner && !this.log.hasSnapshot;
  }

  send(kind: MessageKind, to: MemberId, fields: Partial<Message> = {}): void {
    const isUntermed = kind === "propose" || kind === "read-index";
    const sent = message(kind, { from: this.id, to, ...(isUntermed ? {} : { term: this.term }), ...fields });
    const waits = kind === "append-reply" || kind === "vote-reply" || kind === "pre-vote-reply";
    (waits ? this.afterStore : this.messages).push(sent);
  }

  /** Passes a message on to another member, as it came. */
  forward(received: Message, to: MemberId): void {
    this.messages.push({ ...received, to, from: received.from === nobody ? this.id : received.from });
  }

  reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = nobody;
    }
    this.lead = nobody;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    this.transferee = nobody;
    this.votes = new Map();
    const { countMax, bytesMax } = this.options.window;
    const { lastIndex } = this.log;
    const progress = new Map<MemberId, Progress>();
    for (const [member, { isLearner }] of this.members.progress) {
      const inflights = new Inflights(countMax, bytesMax);
      const match = member === this.id ? lastIndex : 0;
      progress.set(member, new Progress({ match, next: lastIndex + 1, isLearner, isActive: false, inflights }));
    }
    this.members = { ...this.members, progress };
    this.pendingChangeIndex = 0;
    this.uncommittedBytes = 0;
    this.readIndex = new ReadIndex();
  }

  drawElectionTimeout(): void {
    const { electionTicks, random } = this.options;
    this.electionTimeout = electionTicks + random(electionTicks);
  }

  becomeFollower(term: number, lead: MemberId): void {
    this.reset(term);
    this.lead = lead;
    this.role = "follower";
  }

  becomeCandidate(): void {
    this.reset(this.term + 1);
    this.vote = this.id;
    this.role = "candidate";
  }

  /** Asks before it raises its term: who can't win disturbs nobody (dissertation, section 9.6). */
  becomePreCandidate(): void {
    this.votes = new Map();
    this.lead = nobody;
    this.role = "pre-candidate";
  }

  becomeLeader(): void {
    this.reset(this.term);
    this.lead = this.id;
    this.role = "leader";
    const own = this.progress(this.id)!;
    own.becomeReplicate();
    own.isActive = true;
    // What is pending from before is unknown: no membership change until all of it is applied.
    this.pendingChangeIndex = this.log.lastIndex;
    this.append([{ kind: "normal", payload: "", change: null }]);
  }

  /** Gives proposals their places. False where too much is uncommitted already. */
  append(proposals: readonly Proposal[]): boolean {
    const bytes = proposals.reduce((sum, { payload }) => sum + payload.length, 0);
    if (this.uncommittedBytes > 0 && bytes > 0 && this.uncommittedBytes + bytes > this.options.uncommittedBytesMax) return false;
    this.uncommittedBytes += bytes;
    const first = this.log.lastIndex + 1;
    const entries: Entry[] = proposals.map(({ kind, payload, change }, at) => ({
      term: this.term,
      index: first + at,
      kind,
      payload,
      change,
    }));
    // The leader counts itself like any other: once what it has written is durable.
    this.send("append-reply", this.id, { index: this.log.append(entries) });
    return true;
  }

  /** Counts a vote and tells what the votes say so far. */
  countVote(member: MemberId, isYes: boolean): VoteResult {
    if (!this.votes.has(member)) this.votes.set(member, isYes);
    return jointVoteResult(this.members.voters, this.votes);
  }

  /** Commits what a quorum has, if it is of this term (paper, section 5.4.2). */
  maybeCommit(): boolean {
    const index = jointCommitted(this.members.voters, (member) => this.progress(member)?.match);
    if (index <= this.log.committed || this.log.term(index) !== this.term) return false;
    this.log.commitTo(index);
    return true;
  }

  get configuration(): ReturnType<typeof configurationOf> {
    return configurationOf(this.members);
  }

  get isJoint(): boolean {
    return isJoint(this.members);
  }

  isKnownSender({ kind, from }: Message): boolean {
    return !isReply(kind) || from === this.id || this.members.progress.has(from);
  }
}
