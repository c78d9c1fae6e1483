/**
 * What admins ask that takes longer than a turn: chunks of a snapshot, and whether all members hold the same tree.
 *
 * What comes after it on the connection waits for its answer.
 */
import { type Body, type Op, type Refusal, type Results, refuse } from "@copse/protocol";
import type { Tree } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";
import type { Answer, Slot } from "../connections/slot.ts";
import type { Comparison } from "../ensemble/comparison.ts";
import type { Ensemble } from "../ensemble/ensemble.ts";
import type { Sight } from "../following/sight.ts";
import type { Downloads } from "../snapshots/downloads.ts";
import { type Denied, denialOf } from "./audit.ts";

export interface LongReadsState {
  readonly tree: Tree;
  readonly sight: Sight;
  readonly downloads: Downloads;
  readonly comparison: Pick<Comparison, "compare">;
  readonly ensemble: Pick<Ensemble, "shown">;
  readonly denied: Denied | null;
}

export class LongReads {
  readonly #state: LongReadsState;
  readonly #error: (connection: Connection, refusal: Refusal) => Body;

  constructor(state: LongReadsState, error: (connection: Connection, refusal: Refusal) => Body) {
    this.#state = state;
    this.#error = error;
  }

  /** Reads the disk. */
  download(connection: Connection, id: number, offset: number): void {
    this.#begin(connection, id, "snapshot", (answer) => this.#state.downloads.read(connection, offset, answer));
  }

  /** Asks all members. */
  compare(connection: Connection, id: number): void {
    const { comparison, ensemble } = this.#state;
    this.#begin(connection, id, "ensemble", (answer) =>
      comparison.compare((result) => {
        if ("code" in result) return answer(result);
        const { members, ...rest } = ensemble.shown(true);
        const hashed = members.map((member) => ({ ...member, hash: result.hashes.get(member.id) ?? null }));
        answer({ ...rest, members: hashed, comparedAt: result.zxid });
      }),
    );
  }

  forget(connection: Connection): void {
    this.#state.downloads.forget(connection);
  }

  #begin<O extends Op & ("snapshot" | "ensemble")>(
    connection: Connection,
    id: number,
    op: O,
    ask: (answer: (result: Results[O] | Refusal) => void) => void,
  ): void {
    const { sight, denied, tree } = this.#state;
    const run = (slot: Slot): Answer | null => {
      if (!sight.isAdmin(connection.caller)) {
        denied?.(() => denialOf(connection, op, "/", "admin", false, tree));
        return { body: this.#error(connection, refuse("NO_AUTH", "needs the permission to administer the root", "/")) };
      }
      ask((result) => {
        if (connection.isClosed) return;
        const { replies } = connection;
        const body = "code" in result ? this.#error(connection, result) : replies.body(tree.zxid, replies.result(op, result));
        connection.answer(slot, { body });
      });
      return null;
    };
    connection.enqueue(id, run);
  }
}
