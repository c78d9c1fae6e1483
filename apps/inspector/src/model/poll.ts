/**
 * Asks the server again and again while a view is looked at: for what no subscription tells (sessions, queues, figures).
 *
 * Invariant: one question at a time, none while the page is hidden or the view is not on it.
 */
import { html, nothing, type ReactiveController, type ReactiveControllerHost, type TemplateResult } from "lit";
import { sentence } from "../parts/sentence.ts";

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

  /** A whole view: its title, what is wrong, and the newest answer; what is needed where there is none. */
  frame(title: string, needed: string, show: (value: T) => TemplateResult): TemplateResult {
    const { value, problem } = this;
    const empty = problem === null ? "Waiting for the server …" : needed;
    return html`<div class="view">
      <h2>${title}</h2>
      ${problem === null ? nothing : html`<p class="notice bad" role="alert">${problem}</p>`}
      ${value === null ? html`<p class="empty">${empty}</p>` : show(value)}
    </div>`;
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
