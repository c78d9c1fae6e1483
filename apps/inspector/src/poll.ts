/**
 * Asks the server again and again while a view is looked at: for what no subscription tells (sessions, queues, figures).
 *
 * Invariant: one question at a time, none while the page is hidden or the view is not on it.
 */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { sentence } from "./sentence.ts";

/** Milliseconds between an answer and the next question. */
const pauseMs = 1_000;

export class Poll<T> implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #ask: () => Promise<T>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOn = false;
  /** The newest answer. */
  value: T | null = null;
  /** Why there is no newer one, in words. */
  problem: string | null = null;

  constructor(host: ReactiveControllerHost, ask: () => Promise<T>) {
    this.#host = host;
    this.#ask = ask;
    host.addController(this);
  }

  hostConnected(): void {
    this.#isOn = true;
    this.#timer = setTimeout(() => void this.#run(), 0);
  }

  hostDisconnected(): void {
    this.#isOn = false;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    if (document.visibilityState === "visible") {
      try {
        this.value = await this.#ask();
        this.problem = null;
      } catch (error) {
        this.problem = sentence(error);
      }
      this.#host.requestUpdate();
    }
    if (this.#isOn) this.#timer = setTimeout(() => void this.#run(), pauseMs);
  }
}
