/**
 * A connection as one who reads: what a read may touch besides the tree.
 */
import type { Refusal, ReplyWriter, Results } from "@copse/protocol";
import { type Caller, isRootOpen, type Tree } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";
import type { Ensemble } from "../ensemble/ensemble.ts";
import type { Sight } from "../following/sight.ts";
import type { WatchTable } from "../following/watch-table.ts";
import type { Policy } from "../sessions/policy.ts";
import type { Inspected } from "./inspection.ts";
import type { Reader } from "./reader.ts";
import type { StatTexts } from "./stat-texts.ts";

/** What the reads of all connections share. */
export interface ReadsState {
  readonly tree: Tree;
  readonly watches: WatchTable;
  readonly inspected: Inspected;
  readonly policy: Policy;
  readonly sight: Sight;
  readonly ensemble: Pick<Ensemble, "shown" | "edgeUrls">;
}

/** A connection as one who reads. */
export class ConnectionReader implements Reader {
  readonly stats: StatTexts;
  readonly #connection: Connection;
  readonly #state: ReadsState;

  constructor(connection: Connection, stats: StatTexts, state: ReadsState) {
    this.stats = stats;
    this.#connection = connection;
    this.#state = state;
  }

  get replies(): ReplyWriter {
    return this.#connection.replies;
  }

  get caller(): Caller {
    return this.#connection.caller;
  }

  get session(): string | null {
    return this.#connection.session?.id ?? null;
  }

  get inspected(): Inspected {
    return this.#state.inspected;
  }

  get isRootExposed(): boolean {
    return !this.#state.policy.isWorldAdmin && isRootOpen(this.#state.tree);
  }

  get isAdmin(): boolean {
    return this.sight.isAdmin(this.caller);
  }

  get sight(): Sight {
    return this.#state.sight;
  }

  get expiresAt(): number | null {
    const { endsAt } = this.#connection.identities;
    return endsAt === Number.POSITIVE_INFINITY ? null : endsAt;
  }

  watch(wanted: readonly (readonly [path: string, kind: "data" | "child"])[]): Refusal | null {
    const { watches } = this.#state;
    const refusal = watches.refusal(this.#connection, wanted);
    if (refusal === null) for (const [path, kind] of wanted) watches.add(this.#connection, path, kind);
    return refusal;
  }

  get edgeUrls(): readonly string[] {
    return this.#state.ensemble.edgeUrls;
  }

  ensemble(): Results["ensemble"] {
    return this.#state.ensemble.shown(this.isAdmin);
  }
}
