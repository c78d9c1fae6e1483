export { Acl, aclOf, type Caller, expandedFault, grantee, isSuper, mayDo, open, shownAcl } from "./acl.ts";
export { AclTable } from "./acl-table.ts";
export { isAdmin, isRootOpen } from "./admin.ts";
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
export { joined, renewed } from "./identities.ts";
export { PathTrie } from "./path-trie.ts";
export { type Quota, type QuotaUse, quotaPath } from "./quota.ts";
export type { Seen, TreeReader } from "./reader.ts";
export type { Session } from "./session-table.ts";
export { ShardedMap } from "./sharded-map.ts";
export { type AclLine, AclLines, SnapshotLoader, SnapshotWriter, snapshotFormatOf } from "./snapshot.ts";
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
  formatNeeded,
  formatOf,
  isJudgedAnew,
  type OpenTxn,
  printOf,
  type ReapTxn,
  type Txn,
  txnFormats,
  type WriteTxn,
} from "./txn.ts";
export { pathOf, statOf, type Znode } from "./znode.ts";
