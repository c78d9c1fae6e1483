/**
 * The limits that a server announces in its connect reply.
 *
 * Every bound a client can run into has a name here, with its unit last. A server may be configured
 * with other numbers; the defaults are those of the contract (SPEC.md, part C).
 */
export interface Limits {
  /** Bytes of one znode's data, counted as UTF-8 or as decoded bytes. */
  readonly dataBytes: number;
  /** Bytes of one frame from client to server. */
  readonly frameBytes: number;
  /** Bytes of a path as UTF-8. */
  readonly pathBytes: number;
  /** Segments of a path. */
  readonly pathDepth: number;
  /** Unanswered requests on one connection. */
  readonly requests: number;
  /** Bytes of the unanswered requests of one connection. */
  readonly receivedBytes: number;
  /** Bytes that wait to be sent on one connection. */
  readonly unsentBytes: number;
  /** Operations in one multi or read. */
  readonly multiOps: number;
  /** Znodes that one recursive delete may remove. */
  readonly recursiveDeletes: number;
  /** Ephemeral znodes of one session. */
  readonly ephemerals: number;
  /** Identities of one session, or of a connection without one. */
  readonly identities: number;
  /** Watches of one connection. */
  readonly watches: number;
  /** Subscriptions of one connection. */
  readonly subscriptions: number;
  /** Changes that the history keeps for `since`, while their data fits. */
  readonly historyChanges: number;
}

export const defaultLimits: Limits = {
  dataBytes: 1_048_576,
  frameBytes: 2_097_152,
  pathBytes: 4_096,
  pathDepth: 256,
  requests: 1_000,
  receivedBytes: 33_554_432,
  unsentBytes: 67_108_864,
  multiOps: 10_000,
  recursiveDeletes: 100_000,
  ephemerals: 100_000,
  identities: 64,
  watches: 100_000,
  subscriptions: 10_000,
  historyChanges: 10_000,
};

/** Limits for reading what this system itself has written: the log was checked before it was proposed. */
export const noLimits: Limits = Object.fromEntries(
  Object.keys(defaultLimits).map((name) => [name, Number.MAX_SAFE_INTEGER]),
) as unknown as Limits;

/** Bytes of one frame from server to client; a single reply beyond it is TOO_LARGE. */
export const serverFrameBytesMax = 16_777_216;
/** Bytes of one zxid's changes to one subscription in one frame. */
export const changeFrameBytesMax = 1_048_576;
/** JSON nested deeper than this is malformed. */
export const nestingMax = 64;
/** Guards on one write. */
export const guardsMax = 16;
/** How long a socket may stay silent before its connect, in milliseconds. */
export const connectWaitMs = 5_000;
/** The largest ttl of a znode, in milliseconds. */
export const ttlMsMax = 1_099_511_627_775;
/** The largest version of a znode. */
export const versionMax = 2_147_483_647;
/** Bytes of a frame or path are counted in UTF-8; a sequence suffix has this many digits. */
export const sequenceDigits = 10;
/** The WebSocket subprotocol of this version of the contract. */
export const subprotocol = "copse.v1";

/** The highest number that the sequence of a new znode's children may begin with: many are left after it. */
export const counterMax: number = 2 ** 48;
