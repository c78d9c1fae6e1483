/**
 * The audit log: one line of JSON for each write, failed authentication and change of the ensemble, in a file of its own.
 *
 * Invariant: a sink that is slow or full holds nobody up; lines past `waitingBytesMax` are dropped, and counted.
 */
import { openSync } from "node:fs";
import type { AuditRecord } from "@copse/replica";
import { pino } from "pino";

/** Bytes of lines that wait to be written. */
const waitingBytesMax = 16_777_216;
/** Lines are written in blocks of this size, or after `flushMs`. */
const blockBytes = 8_192;
const flushMs = 1_000;
/** How long a sink may take to close. */
const closeMsMax = 2_000;
/** Readable by its owner alone. */
const fileMode = 0o600;

export class AuditLog {
  readonly #sink: ReturnType<typeof pino.destination>;
  readonly #member: string;
  /** Lines that found no room. */
  dropped = 0;
  #isFailing = false;

  /** @throws Error where the file can't be opened */
  constructor(file: string, member: string) {
    this.#member = member;
    const fd = openSync(file, "a", fileMode);
    this.#sink = pino.destination({ fd, sync: false, minLength: blockBytes, periodicFlush: flushMs, maxLength: waitingBytesMax });
    this.#sink.on("drop", () => this.dropped++);
    // What waits is tried again with the next line; what finds no room meanwhile is dropped.
    this.#sink.on("error", () => {
      this.#isFailing = true;
    });
    this.#sink.on("write", () => {
      this.#isFailing = false;
    });
  }

  write(record: AuditRecord): void {
    this.#sink.write(`${JSON.stringify({ time: new Date().toISOString(), member: this.#member, ...record })}\n`);
  }

  /** Writes what waits, as far as that is possible soon, and closes. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#sink.once("close", resolve));
    const failed = new Promise<void>((resolve) => {
      if (this.#isFailing) resolve();
      this.#sink.once("error", () => resolve());
    });
    this.#sink.end();
    await Promise.race([closed, failed, new Promise<void>((resolve) => setTimeout(resolve, closeMsMax).unref())]);
  }
}
