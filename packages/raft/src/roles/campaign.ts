/**
 * Standing for election (paper, section 5.2; dissertation, section 9.6).
 */
import type { Core } from "../core.ts";
import type { MemberId } from "../entry.ts";
import { transferContext } from "../message.ts";
import { votersOf } from "../quorum/quorum.ts";

export type Campaign = "pre-election" | "election" | "transfer";

/** Begins a campaign, if this member may. A membership change that is committed and not applied forbids it. */
export function hup(core: Core, campaign: Campaign): void {
  if (core.role === "leader" || !core.isPromotable) return;
  const { log } = core;
  if (log.applied < log.committed && log.slice(log.applied + 1, log.committed + 1).some(({ kind }) => kind !== "normal")) return;
  stand(core, campaign);
}

export function stand(core: Core, campaign: Campaign): void {
  if (campaign === "pre-election") core.becomePreCandidate();
  else core.becomeCandidate();
  const isPre = campaign === "pre-election";
  const term = isPre ? core.term + 1 : core.term;
  const ask = (voter: MemberId): void => {
    if (voter === core.id) {
      // Its own vote counts once it is durable, like anybody's.
      core.send(isPre ? "pre-vote-reply" : "vote-reply", voter, { term });
      return;
    }
    const { lastIndex: index, lastTerm: logTerm } = core.log;
    core.send(isPre ? "pre-vote" : "vote", voter, { term, index, logTerm, context: campaign === "transfer" ? transferContext : "" });
  };
  for (const voter of votersOf(core.members.voters)) ask(voter);
}
