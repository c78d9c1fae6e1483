/**
 * Writes the lines of the log without blocking the event loop, so a reader that stops reading does not stop the hub.
 *
 * Invariants: one write is in progress at a time. The queue is bounded; lines that do not fit are dropped and counted, and a later line gives
 * the count. When the process ends, the queue is written at once, unless the reader has stalled: the process does not wait for it.
 */
import { constants, fstatSync, openSync, write, writeSync } from "node:fs";

/** UTF-16 units that may wait. */
const waitingMax = 1_048_576;
/** A write that takes longer has met a reader who does not read, in milliseconds. */
const stalledMs = 500;

export class LogStream {
  readonly #fd: number;
  #waiting: string[] = [];
  #units = 0;
  #dropped = 0;
  /** When the write that is under way began, or null. */
  #writingSince: number | null = null;

  constructor(fd: number) {
    this.#fd = neverBlocking(fd);
  }

  write(line: string): void {
    if (this.#units + line.length > waitingMax) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#units += line.length;
    if (this.#writingSince === null) this.#next();
  }

  /** Writes what waits at once: nothing is written after it. */
  end(): void {
    const isStalled = this.#writingSince !== null && performance.now() - this.#writingSince >= stalledMs;
    const text = this.#take();
    if (isStalled || text === "") return;
    try {
      writeSync(this.#fd, text);
    } catch {
      // Nobody is there to be told.
    }
  }

  #next(): void {
    const bytes = Buffer.from(this.#take());
    if (bytes.length === 0) return;
    this.#writingSince = performance.now();
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    write(this.#fd, bytes, (error, written) => {
      // A descriptor that does not block says so; others fail for good, and the lines with them.
      if (error !== null && error.code === "EAGAIN") return void setTimeout(() => this.#write(bytes), 10).unref();
      if (error === null && written < bytes.length) return this.#write(bytes.subarray(written));
      this.#writingSince = null;
      this.#next();
    });
  }

  #take(): string {
    const dropped =
      this.#dropped === 0
        ? ""
        : `${JSON.stringify({ level: 40, time: Date.now(), dropped: this.#dropped, msg: "lines of the log were dropped: nobody read them" })}\n`;
    const text = this.#waiting.join("") + dropped;
    this.#waiting = [];
    this.#units = 0;
    this.#dropped = 0;
    return text;
  }
}

/**
 * Opens a pipe again in non-blocking mode: a write that blocks would also delay the end of the process. Files and terminals are used as they
 * are, and so is anything that can't be opened again, such as a socket.
 */
function neverBlocking(fd: number): number {
  try {
    return fstatSync(fd).isFIFO() ? openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK) : fd;
  } catch {
    return fd;
  }
}
