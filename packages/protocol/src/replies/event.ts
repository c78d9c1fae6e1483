/**
 * What a server sends without being asked: watch events, session events, and the messages of subscriptions.
 */
import { encodeData, type Value } from "../text/value.ts";
import { encodeStat, type Stat } from "./stat.ts";

export type WatchEventKind = "created" | "deleted" | "changed" | "childrenChanged";

export function encodeWatchEvent(kind: WatchEventKind | "resync", path: string, zxid: number): string {
  return `{"event":"${kind}","path":${JSON.stringify(path)},"zxid":${zxid}}`;
}

/** Asks a silent client for a ping. */
export const pingEvent = '{"event":"ping"}';
/** The session of this connection is gone. */
export const expiredEvent = '{"event":"session","state":"expired"}';

/** An identity of this connection is about to end. @param identity as text @param expiresAt in milliseconds since the epoch */
export function encodeAuthEvent(identity: string, expiresAt: number): string {
  return `{"event":"auth","identity":${JSON.stringify(identity)},"expiresAt":${expiresAt}}`;
}

export interface WatchEvent {
  readonly event: WatchEventKind | "resync";
  readonly path: string;
  readonly zxid: number;
}

export type ChangeKind = "created" | "changed" | "deleted" | "acl" | "children";

/** A znode in the state that a subscription starts from. */
export interface SubscribedZnode {
  readonly path: string;
  readonly stat: Stat;
  readonly data?: string;
  readonly data64?: string;
  readonly denied?: boolean;
}

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

/** What a subscription shows of a znode's data: the value (null: no data), that it may not be read, or nothing, as it was not asked for. */
export type SeenData = Value | null | "denied" | "unasked";

/** A znode of a piece. */
export function encodeNode(path: string, data: SeenData, stat: Stat): string {
  return `{"path":${JSON.stringify(path)}${dataMembers(data)},"stat":${encodeStat(stat)}}`;
}

/** @param piece `nodes` as `encodeNode` gives them */
export function encodePiece(piece: {
  readonly sub: number;
  readonly isReset: boolean;
  readonly zxid: number;
  readonly nodes: readonly string[];
  readonly isHidden: boolean;
  readonly isLast: boolean;
}): string {
  const { sub, isReset, zxid, nodes, isHidden, isLast } = piece;
  const head = `{"sub":${sub}${isReset ? ',"reset":true' : ""},"zxid":${zxid},"nodes":[${nodes.join(",")}]`;
  return `${head}${isHidden ? ',"denied":true' : ""}${isLast ? "}" : ',"more":true}'}`;
}

/** What a change says to every subscription to which it looks the same: all but the number, and whether more of its zxid follows. */
export type ChangeText = string;

export function encodeChangeText(zxid: number, kind: ChangeKind, path: string, data: SeenData, stat: Stat | null): ChangeText {
  let text = `"zxid":${zxid},"change":"${kind}","path":${JSON.stringify(path)}`;
  if (kind === "created" || kind === "changed") text += dataMembers(data);
  return stat === null ? text : `${text},"stat":${encodeStat(stat)}`;
}

/** Changes of one zxid for one subscription, as messages that share a frame. */
export function encodeChanges(sub: number, changes: readonly ChangeText[], hasMore: boolean): string {
  const more = hasMore ? ',"more":true}' : "}";
  return changes.map((change) => `{"sub":${sub},${change}${more}`).join(",");
}

function dataMembers(data: SeenData): string {
  return data === "unasked" ? "" : data === "denied" ? ',"denied":true' : encodeData(data);
}
