export { type Acl, aclOf, type Caller, mayDo, open, shownItems } from "./acl.ts";
export { type Applied, apply, isReapable } from "./apply.ts";
export type { Change } from "./change.ts";
export { digestOf } from "./digest.ts";
export {
  configPath,
  type EnsembleTable,
  encodeConfig,
  isStaying,
  type MemberRow,
  noEnsemble,
  type ShownRole,
  shownRole,
} from "./ensemble.ts";
export { type Quota, type QuotaUse, quotaPath } from "./quota.ts";
export type { Seen, TreeReader } from "./reader.ts";
export type { Session } from "./session-table.ts";
export { ShardedMap } from "./sharded-map.ts";
export { SnapshotLoader, SnapshotWriter } from "./snapshot.ts";
export { SortedList, sortedStrings } from "./sorted-list.ts";
export { Tree, type TreeLimits } from "./tree.ts";
export {
  type Authenticate,
  type ConfigureTxn,
  decodeTxns,
  type EndTxn,
  type ExpireTxn,
  encodeEntry,
  encodeOperation,
  encodeTxn,
  formatOf,
  type OpenTxn,
  printOf,
  type ReapTxn,
  type Txn,
  txnFormats,
  type WriteTxn,
} from "./txn.ts";
export { pathOf, statOf, type Znode } from "./znode.ts";
