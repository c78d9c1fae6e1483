/**
 * What a server sends without being asked: watch events, session events, and the messages of subscriptions.
 */
import type { SubscribedZnode } from "./reply.ts";
import type { Stat } from "./stat.ts";

export type WatchEventKind = "created" | "deleted" | "changed" | "childrenChanged";

export function encodeWatchEvent(kind: WatchEventKind | "resync", path: string, zxid: number): string {
  return `{"event":"${kind}","path":${JSON.stringify(path)},"zxid":${zxid}}`;
}

/** Asks a silent client for a ping. */
export const pingEvent = '{"event":"ping"}';
/** The session of this connection is gone. */
export const expiredEvent = '{"event":"session","state":"expired"}';

export interface WatchEvent {
  readonly event: WatchEventKind | "resync";
  readonly path: string;
  readonly zxid: number;
}

export type ChangeKind = "created" | "changed" | "deleted" | "acl" | "children";

/** One change to what a subscription shows. */
export interface SubscriptionChange {
  readonly sub: number;
  readonly zxid: number;
  readonly change: ChangeKind;
  readonly path: string;
  readonly data?: string;
  readonly data64?: string;
  readonly denied?: boolean;
  readonly stat?: Stat;
  readonly more?: boolean;
}

/** A piece of state: after a subscribe reply with `more`, or beginning with `reset: true`. */
export interface SubscriptionPiece {
  readonly sub: number;
  readonly zxid: number;
  readonly nodes: readonly SubscribedZnode[];
  readonly more?: boolean;
  readonly reset?: boolean;
  /** The znode at the subscription's own path is there, and hidden. */
  readonly denied?: boolean;
}
