/**
 * What follows an operation of the disk, by number: an input names the number, so that inputs are data and can be logged and compared.
 * Numbers are given in the order of the operations, which is the same whenever the same inputs come.
 */
export class Completions {
  readonly #waiting: Map<number, () => void> = new Map();
  #count = 0;

  /** Notes what is to run. @returns the number that the input names */
  note(run: () => void): number {
    this.#waiting.set(++this.#count, run);
    return this.#count;
  }

  /** Runs what was noted under a number, once. */
  run(number: number): void {
    const run = this.#waiting.get(number);
    this.#waiting.delete(number);
    run?.();
  }
}
