/** The form where one logs in: with a provider, with a password, or with a token. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { controls, formStyle } from "../parts/shared-styles.ts";
import type { Login } from "./login.ts";

export class LoginView extends LitElement {
  static override properties = {
    login: { attribute: false },
    provider: { attribute: false },
    why: { attribute: false },
    problem: { state: true },
  };
  static override styles = [
    controls,
    formStyle,
    css`
      :host {
        display: block;
        overflow: auto;
        padding: var(--s5) var(--s4);
      }
      .card {
        display: flex;
        flex-direction: column;
        gap: var(--s4);
        width: min(24rem, 100%);
        margin: 0 auto;
        padding: var(--s5);
        border: 1px solid var(--line);
        border-radius: 0.5rem;
        background: var(--surface);
      }
      h2 {
        font-size: var(--large);
      }
      p.hint {
        margin: 0;
        font-size: var(--small);
        color: var(--muted);
      }
      details {
        border-block-start: 1px solid var(--line);
        padding-block-start: var(--s3);
      }
      summary {
        font-size: var(--small);
        cursor: pointer;
        margin-block-end: var(--s2);
      }
      textarea {
        min-height: 5rem;
        overflow-wrap: anywhere;
      }
    `,
  ];

  declare login: Login;
  /** As the login knows it by now. */
  declare provider: Login["provider"];
  /** Why one has to log in, or null where one may stay nobody. */
  declare why: string | null;
  declare problem: string | null;

  constructor() {
    super();
    this.provider = null;
    this.why = null;
    this.problem = null;
  }

  override render(): TemplateResult {
    const { provider } = this;
    const problem = this.problem ?? this.login.problem ?? (this.login.isIn ? this.why : null);
    return html`<div class="card">
      <h2>Log in</h2>
      ${problem === null ? nothing : html`<p class="notice bad" role="alert">${problem}</p>`}
      ${
        provider === null
          ? nothing
          : html`<button class="primary" @click=${() => void this.#withProvider()}>Continue with ${provider.issuer}</button>`
      }
      ${provider === null ? this.#password() : html`<details><summary>With a user and a password</summary>${this.#password()}</details>`}
      <details>
        <summary>With a token</summary>
        <form @submit=${(event: SubmitEvent) => this.#withToken(event)}>
          <label>Token<textarea name="token" required spellcheck="false" autocomplete="off"></textarea></label>
          <button>Log in</button>
        </form>
      </details>
      ${this.why === null ? html`<button @click=${() => this.dispatchEvent(new CustomEvent("stay"))}>Cancel</button>` : nothing}
    </div>`;
  }

  #password(): TemplateResult {
    return html`<form @submit=${(event: SubmitEvent) => this.#withPassword(event)}>
      <label>User<input name="user" required autocomplete="username" spellcheck="false" pattern="[^:]+" title="A user has no colon" /></label>
      <label>Password<input name="password" type="password" required autocomplete="current-password" /></label>
      <p class="hint">The user “super” has the password of <code>--super-file</code>.</p>
      <button class=${this.provider === null ? "primary" : ""}>Log in</button>
    </form>`;
  }

  async #withProvider(): Promise<void> {
    try {
      await this.login.withProvider();
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }

  #withPassword(event: SubmitEvent): void {
    event.preventDefault();
    const fields = new FormData(event.target as HTMLFormElement);
    this.login.withPassword(String(fields.get("user")), String(fields.get("password")));
  }

  #withToken(event: SubmitEvent): void {
    event.preventDefault();
    this.login.withToken(String(new FormData(event.target as HTMLFormElement).get("token")));
  }
}

customElements.define("copse-login", LoginView);
