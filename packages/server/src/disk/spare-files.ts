/**
 * Descriptors kept free for the member's own files.
 *
 * Some transports take whatever connections the host gives them, up to a full table. Invariant: where the host has none left, one that was
 * kept is given up for the file that has to be opened, in one piece with its opening, so that no connection comes between.
 */
import * as fs from "node:fs";

const spareMax = 16;

export class SpareFiles {
  readonly #directory: string;
  readonly #spare: number[] = [];

  /** @param directory any that is there: it is what the spare descriptors are open on */
  constructor(directory: string) {
    this.#directory = directory;
    this.#fill();
  }

  /** Opens a file, with a spare descriptor where there is no other. @throws Error where it can't be opened all the same */
  open(path: string, flags: string | number, mode?: number): number {
    try {
      const fd = fs.openSync(path, flags, mode);
      if (this.#spare.length < spareMax) this.#fill();
      return fd;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const spare = code === "EMFILE" || code === "ENFILE" ? this.#spare.pop() : undefined;
      if (spare === undefined) throw error;
      fs.closeSync(spare);
      return fs.openSync(path, flags, mode);
    }
  }

  close(): void {
    for (const fd of this.#spare.splice(0)) fs.closeSync(fd);
  }

  #fill(): void {
    try {
      while (this.#spare.length < spareMax) this.#spare.push(fs.openSync(this.#directory, "r"));
    } catch {
      // There are none to spare now: the next file that is opened tries again.
    }
  }
}
