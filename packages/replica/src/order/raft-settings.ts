/** What consensus is set to: how it keeps time, how much it holds, and where it begins. */
import type { Recovered, SnapshotPlace } from "@copse/log";
import { emptyConfiguration, type MemberId, type RaftOptions, type RaftStart } from "@copse/raft";

/** How consensus keeps time: by ticks of its host. */
export interface ElectionTimes {
  /** Milliseconds of one tick. */
  readonly tickMs: number;
  /** Ticks between heartbeats. */
  readonly heartbeatTicks: number;
  /** Ticks without a leader before an election; chance adds up to as many again. */
  readonly electionTicks: number;
}

export const defaultElectionTimes: ElectionTimes = { tickMs: 50, heartbeatTicks: 2, electionTicks: 20 };

/** Sizes in UTF-16 units of entries' payloads. */
export interface RaftSizes {
  /** Entries in one message; one entry always fits. */
  readonly appendUnitsMax: number;
  /** Entries that stay in memory after a snapshot, so that a follower a little behind needs none. */
  readonly tailUnits: number;
}

export const defaultRaftSizes: RaftSizes = { appendUnitsMax: 1_048_576, tailUnits: 16_777_216 };

/** Units of entries in one Ready to be applied, and not yet applied. */
const applyBytesMax = 4_194_304;
const uncommittedBytesMax = 268_435_456;
/** Appends on their way to one follower, and their bytes. */
const window = { countMax: 256, bytesMax: 67_108_864 } as const;
/** @param newestSnapshot what the newest durable snapshot stands for */
export function raftOptions(
  id: MemberId,
  times: ElectionTimes,
  sizes: RaftSizes,
  random: (below: number) => number,
  newestSnapshot: () => SnapshotPlace,
): RaftOptions {
  return {
    id,
    electionTicks: times.electionTicks,
    heartbeatTicks: times.heartbeatTicks,
    appendBytesMax: sizes.appendUnitsMax,
    applyBytesMax,
    uncommittedBytesMax,
    window,
    checksQuorum: true,
    preVotes: true,
    reads: "safe",
    stepsDownOnRemoval: false,
    skipsChangeValidation: false,
    random,
    snapshot: newestSnapshot,
  };
}

/** Where every founder begins: after an entry that nobody ever wrote. */
export const foundingPlace = { index: 1, term: 1 } as const;

/** What consensus starts from. A member that was never founded has no members to count, and may have voted all the same. */
export function startOf({ snapshot, hardState, entries }: Recovered, id: MemberId): RaftStart {
  const lastIndex = snapshot.index + entries.length;
  // Format 1 before 0.2 has no configuration: its hubs were alone.
  const alone = lastIndex === 0 ? emptyConfiguration : { ...emptyConfiguration, voters: [id] };
  return {
    hardState: { ...hardState, commit: Math.min(lastIndex, Math.max(hardState.commit, snapshot.index)) },
    base: { index: snapshot.index, term: snapshot.term },
    configuration: snapshot.configuration ?? alone,
    entries,
  };
}
