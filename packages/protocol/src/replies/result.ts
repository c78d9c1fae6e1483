/**
 * What each op answers besides the id and the zxid, as data. The server writes it (`reply-writer`), the client reads it.
 */
import type { AclItem, Identity } from "../acl.ts";
import type { Limits } from "../limits.ts";
import type { Refusal } from "./error-code.ts";
import type { SubscribedZnode } from "./event.ts";
import type { MemberSample, MemberStats, ShownChange, ShownEnsemble, ShownQueue, ShownQuota, ShownSession, ShownWatcher } from "./shown.ts";
import type { Stat } from "./stat.ts";

/** The data of a znode: text, or bytes as base64, or neither for no data. */
export interface ShownData {
  readonly data?: string;
  readonly data64?: string;
}

/** A child with its stat. */
export interface NamedStat {
  readonly name: string;
  readonly stat: Stat;
}

export interface Paged {
  readonly total: number;
  readonly more?: true;
}

/** Why something is allowed, or not. */
export interface Explanation {
  readonly allowed: boolean;
  /** The rules whose patterns match the path, by their places in the document. */
  readonly rules?: readonly { readonly index: number; readonly granted: boolean }[];
  readonly acl?: readonly AclItem[];
  /** In words. */
  readonly because: string;
}

/** Credentials that proved this identity, and were issued before, are refused since. */
export interface Revocation {
  readonly identity: string;
  readonly before: number;
  /** When that was said. Both in milliseconds since the epoch. */
  readonly at: number;
}

type Nothing = Readonly<Record<never, never>>;

/** By op. */
export interface Results {
  connect: {
    readonly session: { readonly id: string; readonly secret: string; readonly timeout: number } | null;
    readonly resumed: boolean;
    readonly lastId: number;
    readonly cluster: string;
    readonly member: string;
    readonly role: string;
    readonly limits: Limits;
    readonly readOnly?: true;
    /** What the session has proved, where it has proved something, and when the first of it ends. */
    readonly identities?: readonly Identity[];
    readonly expiresAt?: number;
  };
  create: { readonly path: string; readonly stat: Stat };
  set: { readonly stat: Stat };
  setAcl: { readonly stat: Stat };
  /** How many went, of a recursive one. */
  delete: { readonly deleted?: number };
  check: Nothing;
  multi: { readonly results: readonly Nothing[] };
  reconfig: ShownEnsemble;
  stepTime: { readonly time: number };
  /** All identities that the session has from now on, and when the first of them ends, in milliseconds since the epoch. */
  auth: { readonly identities?: readonly Identity[]; readonly expiresAt?: number };
  logout: Nothing;
  revoke: Nothing;
  endSession: Nothing;
  /** `edges`: where edges take clients, beside `/copse/config`. */
  get: ShownData & { readonly stat: Stat; readonly edges?: readonly string[] };
  exists: { readonly stat: Stat | null };
  children: { readonly children: readonly (string | NamedStat)[]; readonly stat: Stat; readonly more?: true; readonly after?: string };
  /** A chunk of a snapshot's file, from that offset on. */
  snapshot: { readonly index: number; readonly offset: number; readonly data64: string; readonly more?: true };
  read: { readonly results: readonly (Nothing | { readonly error: Refusal })[] };
  getAcl: { readonly acl: readonly AclItem[]; readonly default?: readonly AclItem[]; readonly counter?: number; readonly stat: Stat };
  count: { readonly count: number };
  ephemerals: { readonly paths: readonly string[]; readonly more?: true };
  whoami: {
    readonly identities: readonly { readonly scheme: string; readonly id: string }[];
    readonly admin: boolean;
    readonly rootOpen?: true;
    readonly expiresAt?: number;
  };
  explain: Explanation;
  revoked: { readonly list: readonly Revocation[] };
  quotas: { readonly quotas: readonly ShownQuota[]; readonly more?: true };
  ensemble: ShownEnsemble;
  sync: Nothing;
  sessions: Paged & { readonly sessions: readonly ShownSession[] };
  queues: Paged & { readonly queues: readonly ShownQueue[] };
  watchers: { readonly watchers: readonly ShownWatcher[] };
  search: { readonly paths: readonly string[]; readonly looked: number; readonly after?: string };
  stats: {
    readonly stats: MemberStats;
    readonly history?: { readonly everyMs: number; readonly samples: readonly MemberSample[] };
    readonly changes?: readonly ShownChange[];
  };
  subscribe: {
    readonly sub: number;
    readonly resumed: boolean;
    readonly nodes?: readonly SubscribedZnode[];
    readonly denied?: true;
    readonly more?: true;
  };
  addWatch: Nothing;
  removeWatch: Nothing;
  restoreWatches: Nothing;
  unsubscribe: Nothing;
  ping: Nothing;
  close: Nothing;
}

export type Op = keyof Results;

/** A reply to a request that was done. */
export type ReplyOf<O extends Op> = { readonly id: number; readonly zxid: number; readonly error?: undefined } & Results[O];

/** A reply of which nothing is known but that it is one. */
export interface Reply {
  readonly id: number;
  readonly zxid: number;
  readonly error?: Refusal | undefined;
}
