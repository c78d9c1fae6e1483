/** Who may do what with a znode, and why: of oneself, or, for admins, of anyone. */
import type { Explanation, Permission } from "@copse/client";
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { permissions } from "../parts/permissions.ts";
import { sentence } from "../parts/sentence.ts";
import { controls } from "../parts/shared-styles.ts";

export class WhoView extends LitElement {
  static override properties = {
    model: { attribute: false },
    path: { attribute: false },
    answers: { state: true },
    problem: { state: true },
  };
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        flex-direction: column;
        gap: var(--s3);
      }
      form {
        display: flex;
        flex-wrap: wrap;
        gap: var(--s2);
        align-items: flex-end;
      }
      label {
        flex: 1;
        min-width: 12rem;
        display: flex;
        flex-direction: column;
        gap: var(--s1);
        font-size: var(--small);
        color: var(--muted);
      }
      .no {
        color: var(--bad);
      }
    `,
  ];

  declare model: Model;
  declare path: string;
  declare answers: readonly (readonly [Permission, Explanation])[] | null;
  declare problem: string | null;
  #asked = "";
  #as: readonly string[] = [];

  constructor() {
    super();
    this.answers = null;
    this.problem = null;
  }

  override willUpdate(): void {
    if (this.#asked === this.path) return;
    this.#asked = this.path;
    void this.#ask();
  }

  override render(): TemplateResult {
    return html`<form @submit=${(event: SubmitEvent) => this.#submit(event)}>
        <label>Who<input name="as" placeholder="you; or: token acme:ada" spellcheck="false" autocomplete="off" /></label>
        <button>Ask</button>
      </form>
      ${this.problem === null ? nothing : html`<p class="notice bad" role="alert">${this.problem}</p>`}
      ${this.answers === null ? nothing : this.#table(this.answers)}`;
  }

  #table(answers: readonly (readonly [Permission, Explanation])[]): TemplateResult {
    return html`<div class="scrolls" tabindex="0" role="region" aria-label="Permissions">
      <table>
        <thead>
          <tr>
            <th>Permission</th>
            <th>Allowed</th>
            <th>Because</th>
          </tr>
        </thead>
        <tbody>
          ${answers.map(
            ([permission, { allowed, because, rules = [] }]) =>
              html`<tr>
                <td>${permission}</td>
                <td class=${allowed ? "" : "no"}>${allowed ? "yes" : "no"}</td>
                <td>${because}${rules.length === 0 ? "" : ` (rules that match: ${rules.map(({ index, granted }) => `${index}${granted ? " grants" : ""}`).join(", ")})`}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    const as = String(new FormData(event.target as HTMLFormElement).get("as"));
    this.#as = as
      .split(",")
      .map((one) => one.trim())
      .filter((one) => one !== "");
    void this.#ask();
  }

  async #ask(): Promise<void> {
    const path = this.path;
    const options = this.#as.length === 0 ? {} : { as: this.#as };
    try {
      const asked = permissions.map(async (permission) => [permission, await this.model.copse.explain(path, permission, options)] as const);
      const answers = await Promise.all(asked);
      if (path !== this.path) return;
      [this.answers, this.problem] = [answers, null];
    } catch (error) {
      [this.answers, this.problem] = [null, sentence(error)];
    }
  }
}

customElements.define("copse-who", WhoView);
