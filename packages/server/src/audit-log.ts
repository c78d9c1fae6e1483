/**
 * The audit log: one line of JSON for each write, failed authentication and change of the ensemble, in a file of its own.
 *
 * Invariants: a sink that is slow holds nobody up; lines that can't be written are never left out in silence: they are counted, and where
 * the hub is to stop for that, it stops. Nothing here runs when the process ends, so that a full disk can't hold up its end.
 */
import { close, openSync, write } from "node:fs";
import type { AuditRecord, Denial } from "@copse/replica";
import type { ServerConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";

/** Bytes of lines that wait to be written. */
const waitingBytesMax = 16_777_216;
/** Lines are written together, after this long. */
const gatherMs = 200;
/** How long a sink may take to close, in milliseconds. */
const closeMsMax = 2_000;
/** Readable by its owner alone. */
const fileMode = 0o600;

export class AuditLog {
  #fd: number;
  readonly #file: string;
  readonly #member: string;
  readonly #onError: (error: Error) => void;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #isFailing = false;
  /** Files of before, which a write may still use. */
  #left: number[] = [];
  #timer: NodeJS.Timeout | null = null;
  /** Is called once nothing waits. */
  #onIdle: () => void = () => {};
  /** Lines that could not be written. */
  dropped = 0;

  /** @param onError lines are lost @throws Error where the file can't be opened */
  constructor(file: string, member: string, onError: (error: Error) => void) {
    this.#member = member;
    this.#onError = onError;
    this.#file = file;
    this.#fd = openSync(file, "a", fileMode);
  }

  /** Goes on in a file of the same name, where another program has moved the one before. @throws Error where it can't be opened: the old one stays */
  reopen(): void {
    const before = this.#fd;
    this.#fd = openSync(this.#file, "a", fileMode);
    if (this.#isWriting) this.#left.push(before);
    else close(before, () => {});
  }

  write(record: AuditRecord): void {
    const line = `${JSON.stringify({ time: new Date().toISOString(), member: this.#member, ...record })}\n`;
    if (this.#waitingBytes + line.length > waitingBytesMax) return this.#lose(1, new Error("the audit log takes too long to write"));
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#timer ??= setTimeout(() => this.#flush(), gatherMs);
  }

  /** Writes what waits, as far as that is possible soon, and closes. */
  async close(): Promise<void> {
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    this.#flush();
    await Promise.race([idle, new Promise<void>((resolve) => setTimeout(resolve, closeMsMax).unref())]);
    close(this.#fd, () => {});
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isWriting) return;
    if (this.#waiting.length === 0) return this.#onIdle();
    const lines = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#isWriting = true;
    this.#put(this.#fd, Buffer.from(lines.join("")), lines.length);
  }

  #put(fd: number, bytes: Buffer, lines: number): void {
    write(fd, bytes, (error, written) => {
      if (error === null && written < bytes.length) return this.#put(fd, bytes.subarray(written), lines);
      this.#isWriting = false;
      for (const left of this.#left.splice(0)) close(left, () => {});
      if (error !== null) this.#lose(lines, error);
      else this.#isFailing = false;
      this.#flush();
    });
  }

  /** Says so once for each time that it begins. */
  #lose(lines: number, error: Error): void {
    this.dropped += lines;
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#onError(error);
  }
}

/** Refusals for want of a permission go to the log at level debug, and those of reads to the audit log where that is wanted. */
export function denialLog({ logger, auditsDenials }: ServerConfig, audit: AuditLog | null): (denial: () => Denial) => void {
  const isAudited = auditsDenials && audit !== null;
  return (denial) => {
    const isLogged = logger.isLevelEnabled("debug");
    if (!isLogged && !isAudited) return;
    const { isWrite, rules, ...record } = denial();
    if (isLogged) logger.debug({ ...record, rules }, "refused");
    if (isAudited && !isWrite) audit.write(record);
  };
}

/** @throws ConfigError where the file can't be written */
export function openAuditLog(file: string, { member, auditOnError, logger, onFatal }: ServerConfig): AuditLog {
  const onError = (error: Error): void => {
    if (auditOnError === "stop") onFatal(new Error(`the audit log can't be written, and the hub stops for that: ${error.message}`));
    else logger.error({ why: error.message }, "lines of the audit log are lost: it can't be written");
  };
  try {
    return new AuditLog(file, member, onError);
  } catch (error) {
    throw new ConfigError(`audit-file: ${file} can't be written (${(error as NodeJS.ErrnoException).code})`);
  }
}
