/** Who may do what with a znode, and changing that: compared and set by `aversion`. */
import { type AclItem, isCopseError, type Stat } from "@copse/client";
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { jsonFault } from "../parts/data-forms.ts";
import { permissions } from "../parts/permissions.ts";
import { sentence } from "../parts/sentence.ts";
import { controls } from "../parts/shared-styles.ts";

export class AclView extends LitElement {
  static override properties = {
    model: { attribute: false },
    path: { attribute: false },
    stat: { attribute: false },
    shown: { state: true },
    text: { state: true },
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
      textarea {
        width: 100%;
        min-height: 10rem;
      }
    `,
  ];

  declare model: Model;
  declare path: string;
  declare stat: Stat;
  /** What the server said last, and the aversion it said it at. */
  declare shown: { readonly acl: readonly AclItem[]; readonly aversion: number } | null;
  /** What is being edited, or null. */
  declare text: string | null;
  declare problem: string | null;
  /** The aversion that the edit began from. */
  #base = 0;

  constructor() {
    super();
    this.shown = null;
    this.text = null;
    this.problem = null;
  }

  override willUpdate(changed: PropertyValues): void {
    const isOther = changed.has("path");
    if (isOther) {
      this.shown = null;
      this.text = null;
      this.problem = null;
    }
    if (isOther || (changed.has("stat") && this.stat.aversion !== this.shown?.aversion)) void this.#load();
  }

  override render(): TemplateResult {
    const { shown } = this;
    return html`${this.problem === null ? nothing : html`<p class="notice bad" role="alert">${this.problem}</p>`}
      ${shown === null ? html`<p class="empty">${this.problem === null ? "Waiting for the server …" : nothing}</p>` : this.#table(shown.acl)}
      ${this.text === null ? this.#begin() : this.#editor(this.text)}`;
  }

  #table(acl: readonly AclItem[]): TemplateResult {
    return html`<div class="scrolls" tabindex="0" role="region" aria-label="ACL">
      <table>
        <thead>
          <tr>
            <th>Scheme</th>
            <th>Who</th>
            ${permissions.map((permission) => html`<th>${permission}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${acl.map(
            ({ scheme, id, perms }) =>
              html`<tr>
                <td>${scheme}</td>
                <td class="mono">${id}</td>
                ${permissions.map((permission) => html`<td>${perms.includes(permission) ? "yes" : "–"}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  #begin(): TemplateResult | typeof nothing {
    const { shown } = this;
    if (shown === null || this.model.copse.isReadOnly || this.path === "/copse" || this.path.startsWith("/copse/")) return nothing;
    const edit = (): void => {
      this.#base = shown.aversion;
      this.text = JSON.stringify(shown.acl, null, 2);
    };
    return html`<div class="row"><button ?disabled=${this.model.connection !== "connected"} @click=${edit}>Edit ACL</button></div>`;
  }

  #editor(text: string): TemplateResult {
    const fault = jsonFault(text);
    const isOff = fault !== null || this.model.connection !== "connected";
    return html`<textarea
        aria-label="ACL as JSON"
        spellcheck="false"
        .value=${text}
        @input=${(event: InputEvent) => (this.text = (event.target as HTMLTextAreaElement).value)}
      ></textarea>
      ${fault === null ? nothing : html`<p class="empty">Not JSON yet: ${fault}</p>`}
      <div class="row">
        <button class="primary" ?disabled=${isOff} @click=${() => void this.#save(text)}>Save ACL</button>
        <button @click=${() => (this.text = null)}>Cancel</button>
      </div>`;
  }

  async #load(): Promise<void> {
    const { path } = this;
    try {
      const { acl, stat } = await this.model.copse.getAcl(path);
      if (path === this.path) this.shown = { acl, aversion: stat.aversion };
    } catch (error) {
      if (path === this.path) this.problem = sentence(error);
    }
  }

  async #save(text: string): Promise<void> {
    const { path } = this;
    try {
      await this.model.copse.setAcl(path, JSON.parse(text) as AclItem[], { version: this.#base });
      if (path !== this.path) return;
      this.text = null;
      this.problem = null;
      await this.#load();
    } catch (error) {
      if (path !== this.path) return;
      this.problem = isCopseError(error, "BAD_VERSION")
        ? "Not saved: somebody has changed the ACL since you began. It is shown above."
        : sentence(error);
      if (!isCopseError(error, "BAD_VERSION")) return;
      // What is saved next is saved over what is shown then.
      this.#base = error.stat?.aversion ?? this.#base;
      await this.#load();
    }
  }
}

customElements.define("copse-acl", AclView);
