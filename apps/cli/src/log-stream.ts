/**
 * Where lines of the log go: written behind the loop's back, so that a reader who has stopped reading stops nobody else.
 *
 * Invariants: one write is under way at a time; what waits has a bound, and lines past it are dropped and counted, which a line says once
 * there is room again. At the end what waits is written at once, unless the reader stands still: an end does not wait for it.
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
 * A pipe is opened anew in a form in which a write never stands still: one that did would hold up the end of the process, too. Files and
 * terminals are taken as they are; so is what can't be opened, as a socket.
 */
function neverBlocking(fd: number): number {
  try {
    return fstatSync(fd).isFIFO() ? openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK) : fd;
  } catch {
    return fd;
  }
}
