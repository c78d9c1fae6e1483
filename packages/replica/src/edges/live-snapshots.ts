/** Snapshots of a state that is kept on no disk: made while they are read. */
import { type Disk, LiveReading } from "@copse/log";
import type { Tree } from "@copse/tree";
import type { History } from "../following/history.ts";
import type { Applier } from "../order/applier.ts";
import type { Order } from "../order/order.ts";
import { piecesOf } from "../snapshots/pieces.ts";
import type { Snapshots } from "../snapshots/snapshots.ts";

export interface LiveSnapshotsOptions {
  readonly codec: Pick<Disk, "encode" | "crc32" | "base64">;
  readonly directory: string;
  readonly tree: Tree;
  readonly history: History;
  readonly applier: Applier;
  readonly order: Pick<Order, "configuration">;
}

export class LiveSnapshots implements Snapshots {
  readonly #options: LiveSnapshotsOptions;
  readonly snapshots = 0;
  readonly newestTime = 0;

  constructor(options: LiveSnapshotsOptions) {
    this.#options = options;
  }

  /** Opens one of the state as it is now. The caller closes it. */
  open(): LiveReading {
    const { codec, directory, tree, history, applier, order } = this.#options;
    const { index } = tree;
    const pieces = piecesOf(tree, history);
    const place = { index, term: applier.term, configuration: order.configuration(index) };
    return new LiveReading({ codec, directory, place, nextPiece: pieces.next, release: pieces.close });
  }

  fresh(open: (reading: LiveReading) => void): void {
    open(this.open());
  }

  /** Nothing is kept, so it is never time. */
  note(): void {}

  take(): void {}

  relieve(): void {
    this.#options.history.shed();
  }
}
