/**
 * Files that may change while the hub runs: read again on SIGHUP and when they change. One that can't be used keeps what was read before, and
 * says why.
 */
import { unwatchFile, watchFile } from "node:fs";
import type { Logger } from "pino";

/** How often the files are looked at, in milliseconds. */
const lookMs = 1_000;

export class ReloadedFiles {
  readonly #what: string;
  readonly #files: readonly string[];
  readonly #read: () => void;
  readonly #logger: Logger;
  readonly #look = (): void => this.reload();

  /**
   * @param what they are, for the log
   * @param read reads them and takes what they say; throws where they can't be used, and then changes nothing
   */
  constructor(what: string, files: readonly string[], read: () => void, logger: Logger) {
    this.#what = what;
    this.#files = files;
    this.#read = read;
    this.#logger = logger;
    for (const file of files) watchFile(file, { interval: lookMs, persistent: false }, this.#look);
  }

  /** Reads them again. */
  reload(): void {
    if (this.#files.length === 0) return;
    try {
      this.#read();
    } catch (error) {
      return this.#logger.error({ why: (error as Error).message }, `the ${this.#what} can't be used; what was read before still holds`);
    }
    this.#logger.info(`read the ${this.#what}`);
  }

  stop(): void {
    for (const file of this.#files) unwatchFile(file, this.#look);
  }
}
