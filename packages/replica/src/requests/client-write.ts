/**
 * A client's write on its way through the order: its client is answered when it is applied.
 *
 * A thousand may wait for one sync of the disk, and whatever each holds is copied by the garbage collector: so it is one object, and no
 * closures.
 */
import { closeCode, type ErrorCode } from "@copse/protocol";
import type { Applied, Tree, WriteTxn } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";
import type { Slot } from "../connections/slot.ts";
import type { Tally } from "../figures/tally.ts";
import type { PendingTxn } from "../order/proposals.ts";
import type { Clock } from "../ports.ts";
import { type Audit, auditOf, type Denied, denialOf, permissionOf } from "./audit.ts";

/** What all writes of a member share. */
export interface WriteHost {
  readonly audit: Audit | null;
  readonly tree: Tree;
  /** Counts a refusal. */
  readonly refused: (code: ErrorCode) => void;
  readonly denied: Denied | null;
  readonly tally: Tally;
  readonly clock: Clock;
}

export class ClientWrite implements PendingTxn {
  readonly txn: WriteTxn;
  readonly #connection: Connection;
  readonly #slot: Slot;
  readonly #host: WriteHost;
  /** When its client was heard, on the member's clock. */
  readonly #heardAt: number;

  constructor(txn: WriteTxn, connection: Connection, slot: Slot, host: WriteHost) {
    this.txn = txn;
    this.#connection = connection;
    this.#slot = slot;
    this.#host = host;
    this.#heardAt = connection.heardAt;
  }

  settle(applied: Applied): void {
    const { outcome, code, reply } = applied;
    const { tally, clock } = this.#host;
    tally.answered(this.txn.write.op, clock.now() - this.#heardAt);
    const body = this.#connection.replies.written(reply!);
    if (outcome !== "repeated") this.#audit(applied);
    if (code !== null) this.#host.refused(code);
    if (code === "NO_AUTH" && this.#host.denied !== null) {
      const { write } = this.txn;
      this.#host.denied(() =>
        denialOf(this.#connection, write.op, "path" in write ? write.path : "/", permissionOf(write), true, this.#host.tree),
      );
    }
    const close = code === "SESSION_EXPIRED" ? expired : code === "AUTH_FAILED" ? failed : undefined;
    this.#connection.answer(this.#slot, close === undefined ? { body } : { body, close });
  }

  isWanted(): boolean {
    return !this.#connection.isClosed;
  }

  lost(): void {
    this.#audit({ code: "OUTCOME_UNKNOWN", zxid: this.#host.tree.zxid });
  }

  #audit(outcome: Pick<Applied, "code" | "zxid">): void {
    this.#host.audit?.(auditOf(this.#connection, this.txn.write, outcome, this.#host.tree));
  }
}

const failed = { code: closeCode.authenticationFailed, reason: "the credential is not accepted" } as const;
const expired = { code: closeCode.sessionExpired, reason: "the session has expired" } as const;
