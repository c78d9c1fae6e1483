/** Who reads: the caller, how its wire writes what it is answered, and what a read may touch besides the tree. */
import type { Refusal, ReplyWriter, Results } from "@copse/protocol";
import { type Caller, permits, type Tree, type Znode } from "@copse/tree";
import type { Sight } from "../following/sight.ts";
import type { Inspected } from "./inspection.ts";
import type { StatTexts } from "./stat-texts.ts";

/** The caller of a read, and what the read may touch besides the tree. */
export interface Reader {
  readonly caller: Caller;
  /** How its wire writes what it is answered. */
  readonly replies: ReplyWriter;
  readonly stats: StatTexts;
  readonly session: string | null;
  /** True for an admin. */
  readonly isAdmin: boolean;
  readonly sight: Sight;
  /** When the first of its identities ends, in milliseconds since the epoch, or null. */
  readonly expiresAt: number | null;
  /** True where strangers may come, and everyone may change what is below the root. */
  readonly isRootExposed: boolean;
  /** Leaves one-shot watches; none where they are refused. */
  watch(wanted: readonly WatchWanted[]): Refusal | null;
  ensemble(): Results["ensemble"];
  /** Where edges take clients. */
  readonly edgeUrls: readonly string[];
  readonly inspected: Inspected;
}

export type WatchWanted = readonly [path: string, kind: "data" | "child"];

/** An ACL is for those who may read the znode, and for those who may change it. */
export function mayReadAcl(tree: Tree, { acl }: Znode, path: string, { caller }: Pick<Reader, "caller">): boolean {
  return permits(tree, "read", path, acl, caller) || permits(tree, "admin", path, acl, caller);
}
