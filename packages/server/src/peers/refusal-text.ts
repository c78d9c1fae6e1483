/** Why a peer is refused, in words: for the log of both sides. */
import type { PeerRefusal } from "@copse/replica";

export function refusalText(refusal: PeerRefusal): string {
  const { kind, member } = refusal;
  switch (kind) {
    case "own-id":
      return `both sides say that they are member ${member}`;
    case "replaying":
      return "the log is still being read after a start";
    case "other-cluster":
      return `member ${member} is of another cluster (${refusal.cluster}; this one is ${refusal.own})`;
    case "not-a-founder":
      return `member ${member} is not among the peers that this member was started with`;
    case "other-founders":
      return `member ${member} was started with the peers ${refusal.founders}, this one with ${refusal.own}`;
    case "not-a-member":
      return `member ${member} is not of this ensemble; to add it: copse member add ${member} --peer HOST:PORT`;
    case "too-many-edges":
      return `edge ${member} is one too many: let it follow another edge`;
    case "older-edge":
      return `edge ${member} is of an older build than this one, and could not read what it is fed: upgrade edges first`;
    case "other-directory":
    case "empty-directory":
      return `member ${member} has ${kind === "empty-directory" ? "an empty" : "another"} data directory, and may not vote with it. ${again(member)}`;
    case "older-copy":
      return (
        `member ${member} has an older copy of its data directory, and may not vote with it: it has held entry ${refusal.acknowledged}, ` +
        `and this copy ends at entry ${refusal.lastIndex}. ${again(member)}`
      );
  }
}

function again(member: string): string {
  return `To add it again: copse member remove ${member}, then copse member add ${member} --peer HOST:PORT, and start it with an empty data directory`;
}
