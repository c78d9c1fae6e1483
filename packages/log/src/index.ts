export type { Disk, Done } from "./disk.ts";
export { type HardState, type LogEntry, noHardState } from "./hard-state.ts";
export { MemoryDisk, type MemoryDiskPorts } from "./memory-disk.ts";
export { CorruptLogError, type Recovered, recover } from "./recovery.ts";
export { SnapshotStore } from "./snapshot-store.ts";
export { Wal, type WalOptions } from "./wal.ts";
