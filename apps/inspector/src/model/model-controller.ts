/**
 * Draws a view again after each change of the model, while the view is in the page.
 */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { Model } from "./model.ts";

export class ModelController implements ReactiveController {
  readonly #host: ReactiveControllerHost & { readonly model: Model };
  #stop: () => void = () => {};

  constructor(host: ReactiveControllerHost & { readonly model: Model }) {
    this.#host = host;
    host.addController(this);
  }

  hostConnected(): void {
    this.#stop = this.#host.model.listen(() => this.#host.requestUpdate());
  }

  hostDisconnected(): void {
    this.#stop();
  }
}
