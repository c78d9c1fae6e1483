/**
 * Group membership: who is here, kept through sessions, and a live list of all.
 *
 * Each member is an ephemeral below the group's path. Invariants: a member is listed from the moment `join` resolves until it leaves or
 * its session expires; after a lost session it joins again by itself, under the same id.
 *
 * Failure story: a member that crashes is listed until its session expires.
 */
import type { Copse, Store } from "@copse/client";
import { nameOf } from "@copse/client/path";
import { nanoid } from "nanoid";
import { type KeepOptions, type PersistentEphemeral, persistentEphemeral } from "./persistent-ephemeral.ts";
import { liveChildren } from "./waiting/live-children.ts";

export interface GroupMember {
  readonly id: string;
  /** What the member said of itself, or null. */
  readonly data: string | null;
  /** Grows with each time that anybody joins: the smallest has been here longest. */
  readonly token: number;
}

export interface Membership extends PersistentEphemeral {
  readonly id: string;
}

export interface Group {
  /** All members, in the order of their ids. */
  readonly members: Store<readonly GroupMember[]>;
  /** Joins, under a random id unless one is given. If another holds that id, the call waits for it. */
  join(data?: string | null, options?: KeepOptions & { readonly id?: string }): Promise<Membership>;
}

/**
 * The group at `path`: who has joined, live, and a way to join.
 * @example
 * const workers = group(copse, "/groups/workers");
 * const self = await workers.join("10.0.0.7");
 * console.log(workers.members.get());
 * await self.close();
 */
export function group(copse: Copse, path: string): Group {
  return {
    members: liveChildren(copse, path, (znode) => ({ id: nameOf(znode.path), data: znode.data, token: znode.stat.czxid })),
    join: async (data = null, { id = nanoid(), ...options } = {}) =>
      Object.assign(await persistentEphemeral(copse, `${path}/${id}`, data, options), { id }),
  };
}
