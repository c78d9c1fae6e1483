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
/** Lines are written in blocks of this size, or behind `flushMs`. */
const blockBytes = 8_192;
const flushMs = 1_000;
/** Readable by its owner alone. */
const fileMode = 0o600;

export class AuditLog {
  readonly #sink: ReturnType<typeof pino.destination>;
  readonly #member: string;
  /** Lines that found no room. */
  dropped = 0;

  /** @throws Error where the file can't be opened */
  constructor(file: string, member: string) {
    this.#member = member;
    const fd = openSync(file, "a", fileMode);
    this.#sink = pino.destination({ fd, sync: false, minLength: blockBytes, periodicFlush: flushMs, maxLength: waitingBytesMax });
    this.#sink.on("drop", () => this.dropped++);
    // A full disk ends the member by its own log; an audit log that can't be written is counted by its drops.
    this.#sink.on("error", () => this.dropped++);
  }

  write(record: AuditRecord): void {
    this.#sink.write(`${JSON.stringify({ time: new Date().toISOString(), member: this.#member, ...record })}\n`);
  }

  /** Writes what waits, and closes. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#sink.once("close", () => resolve());
      this.#sink.end();
    });
  }
}
