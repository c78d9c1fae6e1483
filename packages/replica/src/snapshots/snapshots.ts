/** Snapshots of the state, as whoever takes them or reads them asks for them: on disk, or, where there is none, as they are read. */
import type { SnapshotReading } from "@copse/log";
import type { OrderedEntry } from "../order/order.ts";

export interface Snapshots {
  /** Snapshots written since start, for metrics. */
  readonly snapshots: number;
  /** The time of the state in the newest snapshot, in milliseconds since the epoch; 0 for none. */
  readonly newestTime: number;
  /** An entry was applied: perhaps it is time. */
  note(entry: OrderedEntry): void;
  /** Takes a snapshot now, unless one is under way. */
  take(): void;
  /** The heap is nearly full: what is kept for others alone goes. */
  relieve(): void;
  /**
   * Opens a snapshot of the state as it is now, or newer.
   * @param open gets it, perhaps in a callback of the disk, and closes it
   */
  fresh(open: (reading: SnapshotReading) => void): void;
}
