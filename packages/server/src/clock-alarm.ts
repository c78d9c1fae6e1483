/**
 * Says in the log that this machine's wall clock is far from the state's time, and that it is near again: each once.
 */
import type { Logger } from "pino";

/** A difference past this is told, in milliseconds. */
const offsetMsMax = 60_000;

export class ClockAlarm {
  readonly #logger: Logger;
  #clock: "near" | "ahead" | "behind" = "near";

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** What is wrong with the clock, in words; null where it is near. */
  get why(): string | null {
    if (this.#clock === "near") return null;
    return `the wall clock is more than ${offsetMsMax / 1_000} s ${this.#clock === "ahead" ? "ahead of" : "behind"} the state's time`;
  }

  /** @param offsetMs how far the wall clock is ahead of the state's time */
  look(offsetMs: number): void {
    const clock = offsetMs > offsetMsMax ? "ahead" : offsetMs < -offsetMsMax ? "behind" : "near";
    if (clock === this.#clock) return;
    this.#clock = clock;
    const wallOffsetSeconds = Math.round(offsetMs / 1_000);
    if (clock === "near") this.#logger.info({ wallOffsetSeconds }, "the wall clock agrees with the state's time again");
    else if (clock === "ahead") {
      this.#logger.warn(
        { wallOffsetSeconds, command: "copse time step" },
        "the wall clock is ahead of the state's time, which runs faster until it catches up; the command steps it there at once",
      );
    } else this.#logger.warn({ wallOffsetSeconds }, "the wall clock is behind the state's time, which runs slower until they meet");
  }
}
