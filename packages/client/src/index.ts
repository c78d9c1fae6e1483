export type { Credential, ErrorCode, Identity, Scope, Stat, WatchEvent } from "@copse/protocol";
export type { AclItem, Permission, Scheme } from "./acl.ts";
export type {
  CallOptions,
  CreateKind,
  CreateOptions,
  Data,
  Guard,
  MultiOp,
  PageOptions,
  ReadOp,
  ReadOptions,
  WriteOptions,
  Znode,
} from "./call.ts";
export { Copse, type Updated } from "./client.ts";
export { connect } from "./connect.ts";
export type { ConnectOptions } from "./connect-options.ts";
export { CopseError, type CopseErrorCode, isCopseError } from "./errors.ts";
export type {
  MemberStats,
  MemberWanted,
  Page,
  SearchPage,
  ShownEnsemble,
  ShownMember,
  ShownQueue,
  ShownQuota,
  ShownSession,
  ShownWatcher,
} from "./inspection.ts";
export { lookingSignal } from "./looking-signal.ts";
export { isMasked } from "./masked.ts";
export { defineNode, type NodeDefinition, type StandardSchema, textNode } from "./node-schema.ts";
export { compareSequences } from "./sequence.ts";
export { type ClientStatus, SessionEvent, type SessionState } from "./status.ts";
export { liveStore, type Store, type StoreOptions, type StoreSink, type StoreStatus } from "./store.ts";
export type { Change, LiveZnode, Observer } from "./subscriptions.ts";
export type { ClientPorts, Clock, Socket, SocketEvents, Transport } from "./transport.ts";
export type { WatchMode } from "./watches.ts";
export { hostPorts } from "./web-socket-transport.ts";
