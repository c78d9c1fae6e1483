/**
 * Replies: how a server writes them, and how a client reads them.
 *
 * A reply's body is the text of all its members but the id, with a leading comma: it can be kept and given again
 * under the id it belongs to.
 */
import type { Refusal } from "./error-code.ts";
import { encodeStat, type Stat } from "./stat.ts";

/** `{"id":7` followed by the body. */
export function encodeReply(id: number, body: string): string {
  return `{"id":${id}${body}}`;
}

/** A body that says why not, with the zxid that goes with it. */
export function errorBody(zxid: number, refusal: Refusal): string {
  return `,"zxid":${zxid},"error":${encodeRefusal(refusal)}`;
}

export function encodeRefusal(refusal: Refusal): string {
  let text = `{"code":"${refusal.code}","message":${JSON.stringify(refusal.message)}`;
  if (refusal.path !== undefined) text += `,"path":${JSON.stringify(refusal.path)}`;
  if (refusal.index !== undefined) text += `,"index":${refusal.index}`;
  if (refusal.stat !== undefined) text += `,"stat":${encodeStat(refusal.stat)}`;
  return `${text}}`;
}

/** Any reply as a client sees it: the members depend on the op. */
export interface Reply {
  readonly id: number;
  readonly zxid: number;
  readonly error?: Refusal;
  readonly path?: string;
  readonly stat?: Stat | null;
  readonly data?: string;
  readonly data64?: string;
  readonly children?: readonly (string | { readonly name: string; readonly stat: Stat })[];
  readonly more?: boolean;
  readonly deleted?: number;
  readonly count?: number;
  readonly paths?: readonly string[];
  readonly results?: readonly Omit<Reply, "id" | "zxid">[];
  readonly sub?: number;
  readonly resumed?: boolean;
  readonly nodes?: readonly SubscribedZnode[];
}

/** A znode in the state that a subscription starts from. */
export interface SubscribedZnode {
  readonly path: string;
  readonly stat: Stat;
  readonly data?: string;
  readonly data64?: string;
  readonly denied?: boolean;
}
