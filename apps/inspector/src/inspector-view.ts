/**
 * The page as a whole: the bar with the connection's state, the tree, the znode. The address names the selected znode.
 */
import { isCopseError } from "@copse/client";
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Asked } from "./dialogs/dialogs.ts";
import "./dialogs/dialogs.ts";
import "./login/account-menu.ts";
import type { Login } from "./login/login.ts";
import "./login/login-view.ts";
import "./views/changes-view.ts";
import { joinPath, nameOf, parentOf } from "@copse/client/path";
import "./views/ensemble-view.ts";
import "./views/locks-view.ts";
import type { Model } from "./model/model.ts";
import { type Route, routeOf, type ViewName, viewHash, znodeHash } from "./model/route.ts";
import "./views/search-view.ts";
import "./views/sessions-view.ts";
import { sentence } from "./parts/sentence.ts";
import { controls } from "./parts/shared-styles.ts";
import "./dialogs/transfer-dialog.ts";
import "./views/tree-view.ts";
import "./views/znode-view.ts";

/** Names that are offered at once. */
const offeredMax = 20;

const stateWords = {
  connecting: "Connecting …",
  connected: "Live",
  suspended: "Reconnecting … what you see may be old",
  expired: "Session expired, its ephemerals are gone. Reconnecting …",
  closed: "Closed: reload the page",
} as const;

const viewNames: readonly { readonly view: ViewName; readonly title: string }[] = [
  { view: "tree", title: "Tree" },
  { view: "search", title: "Search" },
  { view: "changes", title: "Changes" },
  { view: "sessions", title: "Sessions" },
  { view: "locks", title: "Locks" },
  { view: "ensemble", title: "Ensemble" },
];

export class InspectorView extends LitElement {
  static override properties = {
    model: { attribute: false },
    login: { attribute: false },
    route: { state: true },
    isAsking: { state: true },
  };
  static override styles = [
    controls,
    css`
      :host {
        display: grid;
        grid-template: auto minmax(0, 1fr) / minmax(0, 1fr);
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
      nav {
        display: flex;
        flex-wrap: wrap;
        gap: var(--s1);
      }
      nav a {
        padding: var(--s1) var(--s2);
        border-radius: var(--radius);
        font-size: var(--small);
        color: var(--text);
        text-decoration: none;
      }
      nav a:hover {
        background: var(--raised);
      }
      nav a[aria-current] {
        background: var(--selected);
        font-weight: 600;
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
        min-width: 0;
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
      .reason {
        max-width: 24rem;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        color: var(--muted);
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
      main.whole {
        grid-template: minmax(0, 1fr) / minmax(0, 1fr);
      }
      .stale > * {
        opacity: 0.6;
      }
      .exposed {
        flex-basis: 100%;
        margin: 0;
        padding: var(--s1) var(--s2);
        border-inline-start: 3px solid var(--warn);
        background: var(--warn-ground);
        color: var(--warn);
        overflow-wrap: anywhere;
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
  declare login: Login;
  declare route: Route;
  /** The form to log in is shown. */
  declare isAsking: boolean;
  /** Why the server does not take whoever is at the page, or null. */
  #refusal: string | null = null;
  /** Paths that complete what is typed. */
  #known: readonly string[] = [];
  /** Everyone may change what is below the root, although strangers may come. */
  #isRootOpen = false;
  readonly #onKey = (event: KeyboardEvent): void => this.#key(event);
  readonly #onHash = (): void => this.#follow();

  constructor() {
    super();
    this.route = routeOf(location.hash);
    this.isAsking = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.#onHash);
    addEventListener("keydown", this.#onKey);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.#onHash);
    removeEventListener("keydown", this.#onKey);
  }

  override firstUpdated(): void {
    this.model.listen(() => this.requestUpdate());
    const { copse } = this.model;
    // A login may be refused at once, or end later.
    copse.status.subscribe(({ state }) => {
      if (state === "closed") copse.connected().catch((error: unknown) => this.#refused(error));
    });
    this.model.copse
      .standing()
      .then(({ isRootOpen }) => {
        this.#isRootOpen = isRootOpen;
        this.requestUpdate();
      })
      // A page that can't ask shows its connection's state.
      .catch(() => {});
    this.#follow();
  }

  override render(): TemplateResult {
    const { model } = this;
    const { connection } = model;
    return html`
      <header>
        <h1>copse</h1>
        <nav aria-label="Views">
          ${viewNames.map(
            ({ view, title }) =>
              html`<a href=${viewHash(view, model.selectedPath)} aria-current=${view === this.route.view ? "page" : nothing}>${title}</a>`,
          )}
        </nav>
        <form @submit=${(event: SubmitEvent) => this.#go(event)}>
          <input
            name="path"
            aria-label="Go to path"
            placeholder="Go to path (g)"
            spellcheck="false"
            autocomplete="off"
            list="known-paths"
            .value=${model.selectedPath}
            @input=${(event: InputEvent) => void this.#complete((event.target as HTMLInputElement).value)}
          />
          <datalist id="known-paths">${this.#known.map((path) => html`<option value=${path}></option>`)}</datalist>
        </form>
        <div class="state ${connection}" @login=${() => (this.isAsking = true)}>
          <span class="dot" aria-hidden="true"></span>
          <span role="status">${connection === "connected" && model.copse.isReadOnly ? "Live · read-only" : this.#refusal === null ? stateWords[connection] : "Not logged in"}</span>
          ${model.reason === null || this.#refusal !== null ? nothing : html`<span class="reason" title=${model.reason}>${model.reason}</span>`}
          ${this.isAsking ? nothing : html`<copse-account .model=${model} .login=${this.login}></copse-account>`}
          <span class="zxid" title="The newest change this page has seen">zxid ${model.copse.zxid}</span>
        </div>
        ${
          this.#isRootOpen
            ? html`<p class="exposed" role="alert">
                Everyone who connects may change what is below the root. To lock it:
                <code>copse --super PASSWORD setacl / world:anyone:read</code>
              </p>`
            : nothing
        }
      </header>
      <main
        class=${[connection === "connected" || this.isAsking ? "" : "stale", this.route.view === "tree" && !this.isAsking ? "" : "whole"].join(" ")}
        @choose=${(event: CustomEvent<string>) => this.#choose(event.detail)}
        @ask=${(event: CustomEvent<Asked>) => this.#ask(event.detail)}
      >
        ${this.isAsking ? html`<copse-login .login=${this.login} .provider=${this.login.provider} .why=${this.#refusal} @stay=${() => (this.isAsking = false)}></copse-login>` : this.#view()}
      </main>
      <copse-dialog .model=${model} @choose=${(event: CustomEvent<string>) => this.#choose(event.detail)}></copse-dialog>
      <copse-transfer .model=${model} @choose=${(event: CustomEvent<string>) => this.#choose(event.detail)}></copse-transfer>
    `;
  }

  /** Whoever is at the page has to log in. */
  #refused(error: unknown): void {
    if (!isCopseError(error, "AUTH_FAILED")) return;
    this.#refusal = error.reason === "expired" ? "Your login has expired." : "The server does not accept this.";
    this.isAsking = true;
  }

  #go(event: SubmitEvent): void {
    event.preventDefault();
    const path = String(new FormData(event.target as HTMLFormElement).get("path")).trim();
    const whole = path.startsWith("/") ? path : `/${path}`;
    this.#choose(whole.length > 1 ? whole.replace(/\/+$/, "") : whole);
  }

  #view(): TemplateResult {
    const { model } = this;
    switch (this.route.view) {
      case "tree":
        return html`<copse-tree .model=${model}></copse-tree><copse-znode .model=${model} .tab=${this.route.tab}></copse-znode>`;
      case "search":
        return html`<copse-search .model=${model}></copse-search>`;
      case "changes":
        return html`<copse-changes .model=${model}></copse-changes>`;
      case "sessions":
        return html`<copse-sessions .model=${model}></copse-sessions>`;
      case "locks":
        return html`<copse-locks .model=${model}></copse-locks>`;
      case "ensemble":
        return html`<copse-ensemble .model=${model}></copse-ensemble>`;
    }
  }

  /** `g` goes to the path, wherever nothing is being typed. */
  #key(event: KeyboardEvent): void {
    const [at] = event.composedPath() as HTMLElement[];
    const isTyping = ["INPUT", "TEXTAREA", "SELECT"].includes(at?.tagName ?? "") || at?.isContentEditable === true;
    if (event.key !== "g" || event.ctrlKey || event.metaKey || event.altKey || isTyping || at?.getAttribute("role") === "tree") return;
    event.preventDefault();
    const input = this.renderRoot.querySelector<HTMLInputElement>("input[name=path]");
    input?.focus();
    input?.select();
  }

  /** Offers the children of what is typed so far, as far as the server says. */
  async #complete(typed: string): Promise<void> {
    const parent = parentOf(typed);
    const begun = nameOf(typed);
    // One before the first that fits, in code units, is where the page of names begins.
    const { children } = await this.model.copse
      .children(parent, { after: before(begun), limit: offeredMax })
      .catch(() => ({ children: [] }));
    this.#known = children.filter((name) => name.startsWith(begun)).map((name) => joinPath(parent, name));
    this.requestUpdate();
  }

  #choose(path: string): void {
    const hash = znodeHash(path);
    if (location.hash === hash) this.#follow();
    else location.hash = hash;
  }

  #ask(asked: Asked): void {
    const transfer = this.renderRoot.querySelector("copse-transfer");
    if (asked === "create" || asked === "delete") this.renderRoot.querySelector("copse-dialog")?.open(asked);
    else if (asked === "export") {
      const say = (text: string): void => this.renderRoot.querySelector("copse-znode")?.say(text);
      transfer?.export().then(say, (error: unknown) => say(sentence(error)));
    } else transfer?.open(asked);
  }

  /** Selects what the address names. */
  #follow(): void {
    const before = this.route;
    this.route = routeOf(location.hash);
    const { view, path } = this.route;
    if (view !== "tree") {
      document.title = `${viewNames.find((one) => one.view === view)?.title} · copse`;
      return;
    }
    this.model.select(path);
    document.title = path === "/" ? "copse" : `${path} · copse`;
    if (before.view !== view) void this.updateComplete.then(() => this.renderRoot.querySelector("copse-tree")?.showSelected());
    this.renderRoot.querySelector("copse-tree")?.showSelected();
  }
}

/** A name that stands right before all that begin so. */
function before(begun: string): string {
  if (begun === "") return "";
  const last = begun.charCodeAt(begun.length - 1);
  return `${begun.slice(0, -1)}${String.fromCharCode(last - 1)}\uffff`;
}

customElements.define("copse-inspector", InspectorView);

declare global {
  interface HTMLElementTagNameMap {
    "copse-inspector": InspectorView;
  }
}
