/**
 * The newest changes, and who made each: for operators who come after an incident.
 *
 * Only this member's memory holds them, from its start on. Invariant: at most `changesMax` of them count, and `unitsMax` of text; what is
 * dropped is let go before it is more than what counts.
 */
import type { Identity, ShownChange } from "@copse/protocol";
import type { Applied, Tree, Txn } from "@copse/tree";

const changesMax = 2_000;
/** UTF-16 units of paths, names and identities, each counted for every change that names it. */
const unitsMax = 1_048_576;

interface Noted {
  readonly zxid: number;
  readonly time: number;
  readonly op: string;
  readonly kind: ShownChange["kind"];
  readonly path: string;
  readonly session: string | null;
  readonly address: string | null;
  readonly name: string;
  readonly identities: readonly Identity[];
  readonly units: number;
}

export class RecentChanges {
  readonly #tree: Tree;
  #noted: Noted[] = [];
  #head = 0;
  #units = 0;
  readonly #nameOf: (session: string) => string;

  /** @param nameOf what the client of a session calls itself, or "" */
  constructor(tree: Tree, nameOf: (session: string) => string) {
    this.#tree = tree;
    this.#nameOf = nameOf;
  }

  note(txn: Txn, { changes, zxid }: Applied): void {
    if (changes.length === 0) return;
    const session = "session" in txn ? txn.session : null;
    const op = txn.kind === "write" ? txn.write.op : txn.kind;
    const address = txn.kind === "write" ? txn.address : null;
    const identities = session === null ? nobody : (this.#tree.sessions.get(session)?.identities ?? nobody);
    const name = session === null ? "" : this.#nameOf(session);
    const { time } = this.#tree;
    const who = identities.reduce((sum, { id }) => sum + id.length, name.length);
    // Of a txn with more changes than are kept, the last ones.
    for (let at = Math.max(0, changes.length - changesMax); at < changes.length; at++) {
      const { kind, path } = changes[at]!;
      if (kind === "children") continue;
      const units = path.length + who;
      this.#noted.push({ zxid, time, op, kind, path, session, address, name, identities, units });
      this.#units += units;
    }
    while (this.#noted.length - this.#head > changesMax || this.#units > unitsMax) this.#units -= this.#noted[this.#head++]!.units;
    if (2 * this.#head > this.#noted.length) {
      this.#noted = this.#noted.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Those of later zxids, oldest first. */
  *after(zxid: number): Iterable<Noted> {
    for (let at = this.#head; at < this.#noted.length; at++) if (this.#noted[at]!.zxid > zxid) yield this.#noted[at]!;
  }
}

const nobody: readonly Identity[] = [];
