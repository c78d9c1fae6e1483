export type {
  Credential,
  ErrorCode,
  Explanation,
  Identity,
  MemberSample,
  MemberStats,
  QueueKind,
  Revocation,
  Scope,
  ShownChange,
  ShownEdge,
  ShownEnsemble,
  ShownMember,
  ShownQueue,
  ShownQuota,
  ShownSession,
  ShownWatcher,
  Stat,
  WatchEvent,
} from "@copse/protocol";
export type { AclIdentity, AclItem, Permission, Scheme } from "./calls/acl.ts";
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
  Updated,
  WriteOptions,
  Znode,
} from "./calls/call.ts";
export type { MemberWanted, Page, SearchPage } from "./calls/inspection.ts";
export { isMasked } from "./calls/masked.ts";
export { compareSequences } from "./calls/sequence.ts";
export { Copse } from "./client.ts";
export { connect } from "./connect.ts";
export type { ConnectOptions } from "./connect-options.ts";
export { CopseError, type CopseErrorCode, isCopseError } from "./errors.ts";
export { defineNode, type NodeDefinition, type StandardSchema, textNode } from "./following/node-schema.ts";
export { liveStore, type Store, type StoreOptions, type StoreSink, type StoreStatus } from "./following/store.ts";
export type { Change, LiveZnode, Observer } from "./following/subscriptions.ts";
export type { WatchMode } from "./following/watches.ts";
export { lookingSignal } from "./session/looking-signal.ts";
export type { AuthReason } from "./session/renewal.ts";
export { type ClientStatus, SessionEvent, type SessionState } from "./session/status.ts";
export { hostPorts } from "./session/web-socket-transport.ts";
export type { ClientPorts, Clock, Socket, SocketEvents, Transport } from "./transport.ts";
