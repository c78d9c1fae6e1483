/**
 * The page as a whole: the bar with the connection's state, the tree, the znode. The address names the selected znode.
 */
import { css, html, LitElement, type TemplateResult } from "lit";
import type { Asked } from "./dialogs.ts";
import "./dialogs.ts";
import type { Model } from "./model.ts";
import { controls } from "./shared-styles.ts";
import "./tree-view.ts";
import "./znode-view.ts";

const stateWords = {
  connecting: "Connecting …",
  connected: "Live",
  suspended: "Reconnecting … what you see may be old",
  expired: "Reconnecting … what you see may be old",
  closed: "Closed: reload the page",
} as const;

export class InspectorView extends LitElement {
  static override properties = { model: { attribute: false } };
  static override styles = [
    controls,
    css`
      :host {
        display: grid;
        grid-template-rows: auto minmax(0, 1fr);
        height: 100dvh;
      }
      header {
        display: flex;
        gap: var(--s4);
        align-items: center;
        flex-wrap: wrap;
        padding: var(--s2) var(--s4);
        border-bottom: 1px solid var(--line);
        background: var(--surface);
      }
      h1 {
        font-size: var(--large);
        font-weight: 650;
        letter-spacing: -0.01em;
        color: var(--accent);
      }
      form {
        flex: 1;
        min-width: 12rem;
        max-width: 40rem;
      }
      form input {
        width: 100%;
      }
      .state {
        display: flex;
        gap: var(--s2);
        align-items: center;
        font-size: var(--small);
        margin-inline-start: auto;
      }
      .dot {
        width: 0.6rem;
        height: 0.6rem;
        border-radius: 50%;
        background: var(--warn);
      }
      .connected .dot {
        background: var(--accent);
      }
      .closed .dot,
      .expired .dot {
        background: var(--bad);
      }
      .zxid {
        font-family: var(--mono);
        color: var(--muted);
      }
      main {
        display: grid;
        grid-template: minmax(0, 1fr) / minmax(16rem, 2fr) minmax(0, 3fr);
        min-height: 0;
      }
      .stale copse-tree {
        opacity: 0.6;
      }
      copse-tree {
        border-inline-end: 1px solid var(--line);
        background: var(--surface);
      }
      @media (max-width: 44rem) {
        main {
          grid-template: minmax(10rem, 2fr) minmax(0, 3fr) / minmax(0, 1fr);
        }
        copse-tree {
          border-inline-end: 0;
          border-block-end: 1px solid var(--line);
        }
      }
    `,
  ];

  declare model: Model;
  readonly #onHash = (): void => this.#follow();

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.#onHash);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.#onHash);
  }

  override firstUpdated(): void {
    this.model.listen(() => this.requestUpdate());
    this.#follow();
  }

  override render(): TemplateResult {
    const { model } = this;
    const { connection } = model;
    return html`
      <header>
        <h1>copse</h1>
        <form @submit=${(event: SubmitEvent) => this.#go(event)}>
          <input name="path" aria-label="Go to path" placeholder="Go to path" spellcheck="false" autocomplete="off" .value=${model.selectedPath} />
        </form>
        <div class="state ${connection}">
          <span class="dot" aria-hidden="true"></span>
          <span role="status">${stateWords[connection]}</span>
          <span class="zxid" title="The newest change this page has seen">zxid ${model.copse.zxid}</span>
        </div>
      </header>
      <main class=${connection === "connected" ? "" : "stale"} @choose=${(event: CustomEvent<string>) => this.#choose(event.detail)} @ask=${(event: CustomEvent<Asked>) => this.#ask(event.detail)}>
        <copse-tree .model=${model}></copse-tree>
        <copse-znode .model=${model}></copse-znode>
      </main>
      <copse-dialog .model=${model} @choose=${(event: CustomEvent<string>) => this.#choose(event.detail)}></copse-dialog>
    `;
  }

  #go(event: SubmitEvent): void {
    event.preventDefault();
    const path = String(new FormData(event.target as HTMLFormElement).get("path")).trim();
    const whole = path.startsWith("/") ? path : `/${path}`;
    this.#choose(whole.length > 1 ? whole.replace(/\/+$/, "") : whole);
  }

  #choose(path: string): void {
    const hash = `#/n${path.split("/").map(encodeURIComponent).join("/")}`;
    if (location.hash === hash) this.#follow();
    else location.hash = hash;
  }

  #ask(asked: Asked): void {
    this.renderRoot.querySelector("copse-dialog")?.open(asked);
  }

  /** Selects what the address names. */
  #follow(): void {
    const named = /^#\/n(\/.*)$/.exec(location.hash)?.[1];
    let path = "/";
    try {
      if (named !== undefined) path = named.split("/").map(decodeURIComponent).join("/");
    } catch {
      // An address that was cut or mistyped names no znode: the root is shown.
    }
    this.model.select(path);
    document.title = path === "/" ? "copse" : `${path} · copse`;
    this.renderRoot.querySelector("copse-tree")?.showSelected();
  }
}

customElements.define("copse-inspector", InspectorView);

declare global {
  interface HTMLElementTagNameMap {
    "copse-inspector": InspectorView;
  }
}
