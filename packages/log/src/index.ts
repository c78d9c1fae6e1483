export type { Disk, Done } from "./disk.ts";
export { LiveReading } from "./live-reading.ts";
export { MemoryDisk, type MemoryDiskPorts } from "./memory-disk.ts";
export { readOnly } from "./read-only-disk.ts";
export { CorruptLogError, noHardState, type Recovered, recover } from "./recovery.ts";
export type { Place } from "./segment.ts";
export {
  loadSnapshot,
  type SnapshotFile,
  type SnapshotPlace,
  type SnapshotReading,
  type SnapshotRecord,
  SnapshotStore,
  snapshotName,
} from "./snapshot-store.ts";
export { Wal, type WalOptions } from "./wal.ts";
