/**
 * How much is left on the disk of the data directory: below a reserve the member refuses writes that grow, and lives. A member whose disk is
 * full has to end, as it can't write down what it promises.
 */
import type { DiskUse } from "./disk-use.ts";

/** The reserve, where no other is set: the smaller of these. */
const reserveBytes = 268_435_456;
const reserveShare = 0.05;
/** It counts as relieved once so much more is free: what hovers at the bound would else be refused and taken in turns. */
const relief = 1.1;
const lookMs = 1_000;

export class SpaceWatch {
  readonly #use: () => DiskUse;
  readonly #reserve: number | null;
  readonly #onChange: (isPressed: boolean, use: DiskUse & { readonly reserveBytes: number }) => void;
  readonly #timer: NodeJS.Timeout;
  isPressed = false;

  /** @param reserve in bytes; null for what fits the disk */
  constructor(use: () => DiskUse, reserve: number | null, onChange: (isPressed: boolean, use: DiskUse & { reserveBytes: number }) => void) {
    this.#use = use;
    this.#reserve = reserve;
    this.#onChange = onChange;
    this.#timer = setInterval(() => this.#look(), lookMs);
    this.#timer.unref();
    this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const use = this.#use();
    const reserve = this.#reserve ?? Math.min(reserveBytes, use.totalBytes * reserveShare);
    const isPressed = use.freeBytes < (this.isPressed ? reserve * relief : reserve);
    if (isPressed === this.isPressed) return;
    this.isPressed = isPressed;
    this.#onChange(isPressed, { ...use, reserveBytes: Math.round(reserve) });
  }
}
