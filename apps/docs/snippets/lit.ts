/** Lit: a controller that follows a store while its element is on the page. */
import type { Store } from "@copse/client";
import { html, LitElement, type ReactiveController, type ReactiveControllerHost, type TemplateResult } from "lit";
import type { WebConfig } from "./web-config.ts";

export class StoreController<T> implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #store: Store<T>;
  #stop: () => void = () => {};

  constructor(host: ReactiveControllerHost, store: Store<T>) {
    this.#host = host;
    this.#store = store;
    host.addController(this);
  }

  get value(): T {
    return this.#store.get();
  }

  hostConnected(): void {
    this.#stop = this.#store.subscribe(() => this.#host.requestUpdate());
  }

  hostDisconnected(): void {
    this.#stop();
  }
}

/** Defines an element that shows the theme of this store. */
export function defineTheme(name: string, config: Store<WebConfig>): void {
  class Theme extends LitElement {
    readonly #config: StoreController<WebConfig> = new StoreController(this, config);

    override render(): TemplateResult {
      return html`<p>${this.#config.value.theme}</p>`;
    }
  }
  customElements.define(name, Theme);
}
