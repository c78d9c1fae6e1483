/** What a member is told at start, and the world that it is given. */
import type { Disk } from "@copse/log";
import type { ElectionTimes, RaftSizes } from "./order/raft-settings.ts";
import type { Gateway, Mesh } from "./ports.ts";
import type { ReplicaOptions } from "./replica-options.ts";

export interface MemberOptions extends ReplicaOptions {
  readonly disk: Disk;
  readonly gateway: Gateway;
  readonly mesh: Mesh;
  readonly times: ElectionTimes;
  readonly sizes: RaftSizes;
  /** In [0, below): the share of chance in elections. */
  readonly chance: (below: number) => number;
  /** Calls `run` soon, after what is happening now. */
  readonly schedule: (run: () => void) => void;
  /** The disk has failed: nothing more will be acknowledged, and the process has to end. */
  readonly onFatal: (error: Error) => void;
  /** Connections that are sent to in one turn of the loop. */
  readonly deliveriesMax: number;
  /** Bytes of data that the history holds at most. */
  readonly historyBytes: number;
  /** Bytes of log after which a snapshot is taken. */
  readonly snapshotLogBytes: number;
  /** Bytes of a segment of the log. */
  readonly segmentBytes: number;
}
