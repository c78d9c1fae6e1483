/**
 * One subscription: what it shows, how far its state has been sent, and whether it can go on.
 */
import { isWithin, parentOf, type Scope } from "@copse/protocol";
import type { TreeReader } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";
import { backlogBytesLow } from "../ports.ts";

export type SubscriptionState =
  | { readonly kind: "live" }
  | { readonly kind: "streaming"; readonly reader: TreeReader; isFirstPiece: boolean; readonly isReset: boolean }
  | { readonly kind: "dropped" };

export interface Subscription {
  readonly number: number;
  readonly connection: Connection;
  readonly path: string;
  readonly scope: Scope;
  readonly withData: boolean;
  state: SubscriptionState;
}

export function isInScope({ path, scope }: Subscription, changed: string): boolean {
  if (scope === "tree") return isWithin(changed, path);
  return changed === path || (scope === "children" && changed !== "/" && parentOf(changed) === path);
}

/** True if the ACL of the znode at `changed` has a say in what the subscription shows. */
export function decidesSight(subscription: Subscription, changed: string): boolean {
  const { path } = subscription;
  return isInScope(subscription, changed) || (path !== "/" && changed === parentOf(path));
}

/** True where the connection has not taken yet what was sent before. */
export function isSlow({ connection }: Subscription): boolean {
  return connection.isCongested || connection.unsentBytes > backlogBytesLow;
}

/** A piece goes to a connection that has read what was sent before; a state is begun if there is room for it. */
export function canGoOn(subscription: Subscription, hasRoom: boolean): boolean {
  const { state } = subscription;
  if (state.kind === "streaming" && state.reader.isOverrun) return !subscription.connection.isCongested;
  return !isSlow(subscription) && (state.kind === "streaming" || hasRoom);
}

/** Bytes that a subscription is weighed with, beside its path. */
const subscriptionBytes = 1_000;

export function bytesOf(path: string): number {
  return subscriptionBytes + 2 * path.length;
}
