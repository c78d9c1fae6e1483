/**
 * Majorities, simple and joint: what they have committed, and what they have decided.
 *
 * Invariants: an empty half commits everything and has won every vote, so a simple configuration is a joint one whose other
 * half is empty; a joint decision is the weaker of its halves' (dissertation, section 4.3).
 */
import type { MemberId } from "../entry.ts";

export type Voters = ReadonlySet<MemberId>;
/** The voters of a configuration and, while it is joint, those of the one that is being left. */
export type JointVoters = readonly [Voters, Voters];
export type Acked = (member: MemberId) => number | undefined;
export type VoteResult = "pending" | "lost" | "won";

export function ascending(members: Iterable<MemberId>): MemberId[] {
  return [...members].sort((a, b) => a - b);
}

/** All voters of both halves, ascending. */
export function votersOf([incoming, outgoing]: JointVoters): MemberId[] {
  return ascending(new Set([...incoming, ...outgoing]));
}

/** The highest index that a majority has acknowledged; Infinity for nobody at all. */
export function committedBy(voters: Voters, acked: Acked): number {
  if (voters.size === 0) return Number.POSITIVE_INFINITY;
  const indexes = ascending([...voters].map((member) => acked(member) ?? 0));
  return indexes[voters.size - (Math.floor(voters.size / 2) + 1)]!;
}

export function jointCommitted([incoming, outgoing]: JointVoters, acked: Acked): number {
  return Math.min(committedBy(incoming, acked), committedBy(outgoing, acked));
}

export function voteResult(voters: Voters, votes: ReadonlyMap<MemberId, boolean>): VoteResult {
  if (voters.size === 0) return "won";
  let yes = 0;
  let missing = 0;
  for (const member of voters) {
    const vote = votes.get(member);
    if (vote === undefined) missing++;
    else if (vote) yes++;
  }
  const quorum = Math.floor(voters.size / 2) + 1;
  if (yes >= quorum) return "won";
  return yes + missing >= quorum ? "pending" : "lost";
}

export function jointVoteResult([incoming, outgoing]: JointVoters, votes: ReadonlyMap<MemberId, boolean>): VoteResult {
  const [first, second] = [voteResult(incoming, votes), voteResult(outgoing, votes)];
  if (first === second) return first;
  return first === "lost" || second === "lost" ? "lost" : "pending";
}
