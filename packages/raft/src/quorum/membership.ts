/**
 * Configurations and the ways from one to another (dissertation, chapter 4).
 *
 * A simple change touches one voter; anything more goes through a joint configuration, in which both majorities decide.
 * Invariants: a learner is not a voter of the incoming configuration; a member that is to become a learner is a voter of the outgoing
 * one; the members of a configuration have a progress, and no others do. A refused change changes nothing.
 */
import { type Configuration, type MemberChange, type MemberId, type MembershipChange, nobody } from "../entry.ts";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";
import { ascending, type JointVoters } from "./quorum.ts";

export interface Members {
  readonly voters: JointVoters;
  readonly learners: ReadonlySet<MemberId>;
  readonly learnersNext: ReadonlySet<MemberId>;
  readonly autoLeave: boolean;
  readonly progress: ReadonlyMap<MemberId, Progress>;
}

export const noMembers: Members = {
  voters: [new Set(), new Set()],
  learners: new Set(),
  learnersNext: new Set(),
  autoLeave: false,
  progress: new Map(),
};

/** A change that is not allowed: the message says why. */
export class MembershipError extends Error {
  override readonly name: string = "MembershipError";
}

export interface Window {
  readonly countMax: number;
  readonly bytesMax: number;
}

export function isJoint({ voters }: Members): boolean {
  return voters[1].size > 0;
}

/** True if the change asks for leaving a joint configuration. */
export function leavesJoint({ transition, changes }: MembershipChange): boolean {
  return transition === "auto" && changes.length === 0;
}

/** The way through a joint configuration that a change takes, or null where it is simple. */
export function jointWay({ transition, changes }: MembershipChange): { readonly autoLeave: boolean } | null {
  return transition === "auto" && changes.length <= 1 ? null : { autoLeave: transition !== "explicit" };
}

/** A configuration under construction: copies, so that a refusal leaves the original alone. */
class Draft {
  readonly incoming: Set<MemberId>;
  outgoing: Set<MemberId>;
  readonly learners: Set<MemberId>;
  learnersNext: Set<MemberId>;
  autoLeave: boolean;
  readonly progress: Map<MemberId, Progress>;
  readonly #lastIndex: number;
  readonly #window: Window;

  constructor(members: Members, lastIndex: number, window: Window) {
    this.incoming = new Set(members.voters[0]);
    this.outgoing = new Set(members.voters[1]);
    this.learners = new Set(members.learners);
    this.learnersNext = new Set(members.learnersNext);
    this.autoLeave = members.autoLeave;
    this.progress = new Map([...members.progress].map(([member, progress]) => [member, progress.copy()]));
    this.#lastIndex = lastIndex;
    this.#window = window;
  }

  apply(changes: readonly MemberChange[]): void {
    for (const { kind, member } of changes) {
      if (member === nobody) continue;
      if (kind === "add-voter") this.#makeVoter(member);
      else if (kind === "add-learner") this.#makeLearner(member);
      else if (kind === "remove") this.#remove(member);
    }
    if (this.incoming.size === 0) throw new MembershipError("removed all voters");
  }

  finish(): Members {
    const { incoming, outgoing, learners, learnersNext, autoLeave, progress } = this;
    const inOrder = new Map(ascending(progress.keys()).map((member) => [member, progress.get(member)!]));
    return { voters: [incoming, outgoing], learners, learnersNext, autoLeave, progress: inOrder };
  }

  #makeVoter(member: MemberId): void {
    const progress = this.progress.get(member);
    if (progress === undefined) return this.#begin(member, false);
    progress.isLearner = false;
    this.learners.delete(member);
    this.learnersNext.delete(member);
    this.incoming.add(member);
  }

  #makeLearner(member: MemberId): void {
    const progress = this.progress.get(member);
    if (progress === undefined) return this.#begin(member, true);
    if (progress.isLearner) return;
    this.#remove(member);
    this.progress.set(member, progress);
    // A voter of the configuration that is being left can't be a learner before it is left.
    if (this.outgoing.has(member)) this.learnersNext.add(member);
    else {
      progress.isLearner = true;
      this.learners.add(member);
    }
  }

  #remove(member: MemberId): void {
    if (!this.progress.has(member)) return;
    this.incoming.delete(member);
    this.learners.delete(member);
    this.learnersNext.delete(member);
    if (!this.outgoing.has(member)) this.progress.delete(member);
  }

  #begin(member: MemberId, isLearner: boolean): void {
    (isLearner ? this.learners : this.incoming).add(member);
    const inflights = new Inflights(this.#window.countMax, this.#window.bytesMax);
    // Active at first: else a check of the quorum could count a member out before it had any chance to speak.
    const born = { match: 0, next: Math.max(this.#lastIndex, 1), isLearner, isActive: true, inflights };
    this.progress.set(member, new Progress(born));
  }
}

export class Changer {
  readonly #members: Members;
  readonly #lastIndex: number;
  readonly #window: Window;

  constructor(members: Members, lastIndex: number, window: Window) {
    this.#members = members;
    this.#lastIndex = lastIndex;
    this.#window = window;
  }

  /** Applies a change as its transition asks. @throws MembershipError */
  change(change: MembershipChange): Members {
    if (leavesJoint(change)) return this.leaveJoint();
    const way = jointWay(change);
    return way === null ? this.simple(change.changes) : this.enterJoint(way.autoLeave, change.changes);
  }

  enterJoint(autoLeave: boolean, changes: readonly MemberChange[]): Members {
    if (isJoint(this.#members)) throw new MembershipError("config is already joint");
    if (this.#members.voters[0].size === 0) throw new MembershipError("can't make a zero-voter config joint");
    const draft = this.#draft();
    draft.outgoing = new Set(draft.incoming);
    draft.apply(changes);
    draft.autoLeave = autoLeave;
    return draft.finish();
  }

  leaveJoint(): Members {
    if (!isJoint(this.#members)) throw new MembershipError("can't leave a non-joint config");
    const draft = this.#draft();
    for (const member of draft.learnersNext) {
      draft.learners.add(member);
      draft.progress.get(member)!.isLearner = true;
    }
    draft.learnersNext = new Set();
    for (const member of draft.outgoing) if (!draft.incoming.has(member) && !draft.learners.has(member)) draft.progress.delete(member);
    draft.outgoing = new Set();
    draft.autoLeave = false;
    return draft.finish();
  }

  simple(changes: readonly MemberChange[]): Members {
    if (isJoint(this.#members)) throw new MembershipError("can't apply simple config change in joint config");
    const draft = this.#draft();
    draft.apply(changes);
    const [before] = this.#members.voters;
    const differing =
      [...before].filter((member) => !draft.incoming.has(member)).length +
      [...draft.incoming].filter((member) => !before.has(member)).length;
    if (differing > 1) throw new MembershipError("more than one voter changed without entering joint config");
    return draft.finish();
  }

  #draft(): Draft {
    return new Draft(this.#members, this.#lastIndex, this.#window);
  }
}

/** The members of a configuration as a snapshot carries it, with fresh progress. */
export function restoreMembers(configuration: Configuration, lastIndex: number, window: Window): Members {
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration;
  const add =
    (kind: MemberChange["kind"]) =>
    (member: MemberId): MemberChange => ({ kind, member });
  const joining: MemberChange[] = [
    ...outgoing.map(add("remove")),
    ...voters.map(add("add-voter")),
    ...learners.map(add("add-learner")),
    ...learnersNext.map(add("add-learner")),
  ];
  let members = noMembers;
  const one = (change: MemberChange): void => {
    members = new Changer(members, lastIndex, window).simple([change]);
  };
  if (outgoing.length === 0) {
    for (const change of joining) one(change);
    return members;
  }
  for (const member of outgoing) one({ kind: "add-voter", member });
  return new Changer(members, lastIndex, window).enterJoint(autoLeave, joining);
}

export function configurationOf({ voters, learners, learnersNext, autoLeave }: Members): Configuration {
  return {
    voters: ascending(voters[0]),
    outgoing: ascending(voters[1]),
    learners: ascending(learners),
    learnersNext: ascending(learnersNext),
    autoLeave,
  };
}
