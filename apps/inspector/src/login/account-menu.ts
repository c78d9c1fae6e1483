/** Who is at the page, until when, and the way in and out. */
import type { Identity } from "@copse/client";
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { controls } from "../parts/shared-styles.ts";
import type { Login } from "./login.ts";

/** An end that is nearer than this is shown, in milliseconds. */
const nearMs = 120_000;

export class AccountMenu extends LitElement {
  static override properties = { model: { attribute: false }, login: { attribute: false }, now: { state: true } };
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        gap: var(--s2);
        align-items: center;
        font-size: var(--small);
      }
      details {
        position: relative;
      }
      summary {
        cursor: pointer;
        max-width: 12rem;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .menu {
        position: absolute;
        inset-inline-end: 0;
        z-index: 2;
        display: flex;
        flex-direction: column;
        gap: var(--s2);
        width: max-content;
        max-width: min(22rem, calc(100vw - 2rem));
        margin-block-start: var(--s2);
        padding: var(--s3);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--surface);
        box-shadow: 0 0.25rem 1rem rgb(0 0 0 / 15%);
      }
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
        font-family: var(--mono);
        overflow-wrap: anywhere;
      }
      .muted {
        color: var(--muted);
      }
      .ends {
        color: var(--warn);
        font-weight: 600;
      }
    `,
  ];

  declare model: Model;
  declare login: Login;
  declare now: number;
  #stop: () => void = () => {};
  #clock: ReturnType<typeof setInterval> | undefined;

  constructor() {
    super();
    this.now = Date.now();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#clock = setInterval(() => (this.now = Date.now()), 1_000);
  }

  override firstUpdated(): void {
    this.#stop = this.model.copse.identities.subscribe(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#clock);
    this.#stop();
  }

  override render(): TemplateResult {
    const identities = this.model.copse.identities.get();
    const { expiresAt } = this.model.copse;
    if (identities.length === 0) return html`<button @click=${() => this.#ask()}>Log in</button>`;
    const leftMs = expiresAt === null ? Number.POSITIVE_INFINITY : expiresAt - this.now;
    const isNear = leftMs < nearMs && !this.login.renews;
    return html`${isNear ? html`<span class="ends" role="status">${endsIn(leftMs)}</span>` : nothing}
      <details>
        <summary>${nameOf(identities)}</summary>
        <div class="menu">
          <ul>
            ${identities.map(({ scheme, id }) => html`<li>${scheme} ${scheme === "digest" || scheme === "scrypt" ? id.split(":", 1)[0] : id}</li>`)}
          </ul>
          ${
            expiresAt === null
              ? nothing
              : html`<p class="muted">${this.login.renews ? "Renews itself before" : "Ends at"} ${new Date(expiresAt).toLocaleTimeString("en-GB")}</p>`
          }
          <button @click=${() => this.#ask()}>Log in as somebody else</button>
          <button @click=${() => void this.#logOut()}>Log out</button>
        </div>
      </details>`;
  }

  #ask(): void {
    this.dispatchEvent(new CustomEvent("login", { bubbles: true, composed: true }));
  }

  async #logOut(): Promise<void> {
    // The page goes on as nobody, whether or not the hub has heard it.
    await this.model.copse.logout({ timeoutMs: 2_000 }).catch(() => {});
    this.login.out();
  }
}

/** Who it is in one word: the subject, the user, or the scheme. */
function nameOf(identities: readonly Identity[]): string {
  const first = identities[0]!;
  const at = first.id.indexOf(":");
  if (first.scheme === "token") return first.id.slice(at + 1);
  return at < 0 ? first.id : first.id.slice(0, at);
}

function endsIn(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  return seconds === 0 ? "Your login has ended" : `Your login ends in ${seconds} s`;
}

customElements.define("copse-account", AccountMenu);
