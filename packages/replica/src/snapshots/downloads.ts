/**
 * Snapshots on their way to operators: the file as it stands on disk, a chunk for each request.
 *
 * The one who asks sets the pace, so nothing is held for it but the right to read the file. Invariants: a connection reads one snapshot at
 * a time, and few connections do; whoever says nothing for `silenceMs` has to begin anew.
 */
import type { SnapshotReading } from "@copse/log";
import { type Refusal, type Results, refuse } from "@copse/protocol";
import type { Connection } from "../connections/connection.ts";
import type { Clock } from "../ports.ts";
import type { Snapshots } from "./snapshots.ts";

export interface DownloadsOptions {
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  /** Runs what follows a read of the disk, in a turn of the loop. */
  readonly defer: (run: () => void) => void;
}

/** Bytes of one chunk. */
const chunkBytes = 262_144;
/** Connections that may read a snapshot at once. */
const downloadsMax = 4;
const silenceMs = 60_000;

interface Download {
  /** Null while it is being written. */
  reading: SnapshotReading | null;
  heardAt: number;
}

export class Downloads {
  readonly #options: DownloadsOptions;
  readonly #downloads: Map<Connection, Download> = new Map();

  constructor(options: DownloadsOptions) {
    this.#options = options;
  }

  /**
   * Gives the chunk at `offset` of the snapshot that the connection reads; at offset 0 of one of the state as it is now.
   * @param done called once, perhaps at once
   */
  read(connection: Connection, offset: number, done: (result: Results["snapshot"] | Refusal) => void): void {
    const { snapshots, clock, defer } = this.#options;
    const now = clock.now();
    if (offset > 0) {
      const download = this.#downloads.get(connection);
      if (download === undefined || download.reading === null) {
        return done(refuse("BAD_ARGUMENTS", "the connection reads no snapshot (any more): begin at offset 0"));
      }
      download.heardAt = now;
      return this.#chunk(connection, download.reading, offset, done);
    }
    this.forget(connection);
    for (const [other, { reading, heardAt }] of this.#downloads) if (reading !== null && now - heardAt >= silenceMs) this.forget(other);
    if (this.#downloads.size >= downloadsMax) return done(refuse("THROTTLED", "too many snapshots are being read from this member"));
    const download: Download = { reading: null, heardAt: now };
    this.#downloads.set(connection, download);
    snapshots.fresh((reading) =>
      defer(() => {
        if (this.#downloads.get(connection) !== download) {
          reading.close();
          return done(refuse("UNAVAILABLE", "the snapshot is not wanted any more"));
        }
        download.reading = reading;
        download.heardAt = clock.now();
        this.#chunk(connection, reading, 0, done);
      }),
    );
  }

  forget(connection: Connection): void {
    this.#downloads.get(connection)?.reading?.close();
    this.#downloads.delete(connection);
  }

  #chunk(connection: Connection, reading: SnapshotReading, offset: number, done: (result: Results["snapshot"] | Refusal) => void): void {
    reading.bytes(offset, chunkBytes, (error, data64, count) =>
      this.#options.defer(() => {
        if (error !== null) return done(refuse("UNAVAILABLE", "the snapshot can't be read"));
        const hasMore = count === chunkBytes;
        if (!hasMore) this.forget(connection);
        const { index } = reading.place;
        done(hasMore ? { index, offset, data64, more: true } : { index, offset, data64 });
      }),
    );
  }
}
