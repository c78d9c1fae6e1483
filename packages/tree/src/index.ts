export { Acl, aclOf, type Caller, expandedFault, grantee, isSuper, mayDo, nobody, open, passesAll, shownAcl } from "./access/acl.ts";
export { AclTable } from "./access/acl-table.ts";
export { adminIdentity, Identities, noIdentities, type Proof } from "./access/identities.ts";
export { isAdmin, isRootOpen, isShown, permits } from "./access/permission.ts";
export type { Rules } from "./access/rules.ts";
export { type Applied, apply, isReapable } from "./apply.ts";
export { PathTrie } from "./collections/path-trie.ts";
export { ShardedMap } from "./collections/sharded-map.ts";
export { SortedList, sortedStrings } from "./collections/sorted-list.ts";
export type { Creator, CreatorBudget } from "./creators.ts";
export { DigestReader, digestOf } from "./digest.ts";
export {
  type ConfiguredMember,
  configOf,
  configPath,
  decodeConfig,
  type EnsembleTable,
  encodeConfig,
  isStaying,
  type MemberRow,
  noEnsemble,
  type ShownConfig,
  type ShownRole,
  shownRole,
} from "./ensemble.ts";
export { encodeLargeEntry, encodeLargeTxn, isLarge, type LargeTxn, largePrintOf } from "./large-value.ts";
export type { Change } from "./operations/change.ts";
export { isQuotaPath, type Quota, type QuotaUse, quotaPath } from "./operations/quota.ts";
export { type Proved, proofRefusal } from "./operations/write-identities.ts";
export { isRulesWrite } from "./operations/write-rules.ts";
export type { Seen, TreeReader } from "./reader.ts";
export type { Session } from "./session-table.ts";
export { type AclLine, AclLines, SnapshotLoader, SnapshotWriter, snapshotFormatOf } from "./snapshot.ts";
export { Tree, type TreeLimits } from "./tree.ts";
export {
  type Authenticate,
  asksForAdmin,
  type ConfigureTxn,
  decodeTxns,
  type EndTxn,
  type EvictTxn,
  type ExpireTxn,
  encodeEntry,
  encodeOperation,
  encodeTxn,
  formatNeeded,
  formatOf,
  isJudgedAnew,
  type LapseTxn,
  type OpenTxn,
  printOf,
  type ReapTxn,
  type Txn,
  txnFormats,
  type WriteTxn,
} from "./txn.ts";
export { pathOf, statOf, type Znode } from "./znode.ts";
