/**
 * What happens to a member as lines of its log.
 *
 * What concerns the ensemble is at info, what may be wrong at warn, sessions and single writes at debug: with that level one write is followed
 * through all members by its name, session and id. Invariant: what may come often is told at most once in `repeatMs` for each kind, with how
 * often it came.
 */
import type { Trace, TraceEvent } from "@copse/replica";
import type { Logger } from "pino";

type Kind = TraceEvent["kind"];
type Level = "debug" | "info" | "warn" | "error";

const repeatMs = 10_000;

const lines: Readonly<Record<Kind, readonly [Level, string]>> = {
  elected: ["info", "this member leads now"],
  following: ["info", "another member leads now"],
  "stepped-down": ["info", "this member does not lead any more"],
  "quorum-lost": ["warn", "no leader is known: there is no quorum, or an election is under way"],
  founded: ["info", "founded the ensemble"],
  "member-added": ["info", "a member was added to the ensemble"],
  "member-removed": ["info", "a member was removed from the ensemble"],
  "session-opened": ["debug", "a session was opened"],
  "session-expired": ["debug", "a session has expired"],
  "session-closed": ["debug", "a session was closed"],
  "snapshot-taken": ["debug", "a snapshot was written"],
  "snapshot-installed": ["info", "installed a snapshot from another member"],
  "snapshot-sent": ["info", "sent a snapshot to a member that was far behind"],
  "snapshot-lost": ["warn", "could not send a snapshot to a member that was far behind"],
  "over-budget": ["warn", "clients exceed a budget: they were refused or cut"],
  "members-differ": [
    "error",
    "another member's tree differs from this one at the same zxid: keep all data directories; runbook CopseMembersDiffer",
  ],
  "proposed-again": ["warn", "txns seemed lost and were proposed again"],
  "slow-sync": ["warn", "the disk was slow: a write of the log took long"],
  "slow-turn": ["warn", "the event loop was blocked: clients and peers had to wait"],
  proposed: ["debug", "a write was proposed"],
  applied: ["debug", "a write was applied"],
};

const oftenTold: ReadonlySet<Kind> = new Set<Kind>([
  "proposed-again",
  "slow-sync",
  "slow-turn",
  "quorum-lost",
  "over-budget",
  "snapshot-lost",
]);

export function traceLog(logger: Logger): Trace {
  const toldAt = new Map<Kind, number>();
  const untold = new Map<Kind, number>();
  return {
    get follows() {
      return logger.isLevelEnabled("debug");
    },
    tell: ({ kind, ...fields }) => {
      const [level, words] = lines[kind];
      if (oftenTold.has(kind)) {
        const now = performance.now();
        if (now - (toldAt.get(kind) ?? Number.NEGATIVE_INFINITY) < repeatMs) return void untold.set(kind, (untold.get(kind) ?? 0) + 1);
        toldAt.set(kind, now);
      }
      const others = untold.get(kind) ?? 0;
      untold.delete(kind);
      logger[level]({ event: kind, ...fields, ...(others === 0 ? {} : { others }) }, words);
    },
  };
}
