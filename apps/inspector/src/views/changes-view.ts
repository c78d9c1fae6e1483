/** What has just happened anywhere in the tree, newest first; it can be held still to be read. */
import { css, html, LitElement, type TemplateResult } from "lit";
import type { LoggedChange } from "../model/change-log.ts";
import type { Model } from "../model/model.ts";
import { ModelController } from "../model/model-controller.ts";
import { znodeHash } from "../model/route.ts";
import { controls, wholeView } from "../parts/shared-styles.ts";
import { numberOf } from "../parts/wording.ts";

/** Rows in the page; the log holds more, for the filter. */
const shownMax = 300;
const glyph = { created: "+", changed: "±", deleted: "−", acl: "⚿", children: "", childrenChanged: "", resync: "…" } as const;
const words = {
  created: "created",
  changed: "changed",
  deleted: "deleted",
  acl: "access",
  children: "children",
  childrenChanged: "children",
  resync: "some were missed",
} as const;

export class ChangesView extends LitElement {
  static override properties = { model: { attribute: false }, held: { state: true }, text: { state: true }, kind: { state: true } };
  static override styles = [
    controls,
    wholeView,
    css`
      .kind {
        width: 8rem;
      }
    `,
  ];

  declare model: Model;
  /** What is shown while it is held still; null while it is live. */
  declare held: readonly LoggedChange[] | null;
  declare text: string;
  declare kind: string;

  constructor() {
    super();
    this.held = null;
    this.text = "";
    this.kind = "";
    new ModelController(this);
  }

  override render(): TemplateResult {
    const { changes } = this.model;
    const all = this.held ?? changes.kept;
    const wanted: LoggedChange[] = [];
    for (let at = all.length - 1; at >= 0 && wanted.length < shownMax; at--) {
      const change = all[at]!;
      if ((this.kind === "" || change.kind === this.kind) && change.path.toLowerCase().includes(this.text)) wanted.push(change);
    }
    return html`<div class="view">
      <h2>Changes</h2>
      <div class="row">
        <input
          type="search"
          aria-label="Filter paths"
          placeholder="Filter paths"
          spellcheck="false"
          @input=${(event: InputEvent) => (this.text = (event.target as HTMLInputElement).value.trim().toLowerCase())}
        />
        <select aria-label="Kind" @change=${(event: Event) => (this.kind = (event.target as HTMLSelectElement).value)}>
          <option value="">all kinds</option>
          <option value="created">created</option>
          <option value="changed">changed</option>
          <option value="deleted">deleted</option>
          <option value="acl">access</option>
        </select>
        <button aria-pressed=${this.held !== null} @click=${() => (this.held = this.held === null ? [...changes.kept] : null)}>
          ${this.held === null ? "Pause" : "Resume"}
        </button>
        <span class="empty">${numberOf(changes.total)} since this page was opened · ${numberOf(changes.rate)} a second</span>
      </div>
      ${wanted.length === 0 ? this.#empty(all.length) : this.#table(wanted)}
    </div>`;
  }

  #empty(count: number): TemplateResult {
    return count === 0
      ? html`<p class="empty">Nothing has changed yet. Try: npx copse create /hello world</p>`
      : html`<p class="empty">No change fits the filter.</p>`;
  }

  #table(wanted: readonly LoggedChange[]): TemplateResult {
    return html`<div class="scrolls" tabindex="0" role="region" aria-label="Recent changes">
      <table>
        <thead>
          <tr>
            <th>Time</th>
            <th>Kind</th>
            <th>Path</th>
            <th>By</th>
            <th class="number">zxid</th>
          </tr>
        </thead>
        <tbody>
          ${wanted.map(
            ({ kind, path, zxid, at, by }) =>
              html`<tr>
                <td class="mono">${new Date(at).toLocaleTimeString("sv")}.${String(at % 1_000).padStart(3, "0")}</td>
                <td class="kind"><span aria-hidden="true">${glyph[kind]}</span> ${words[kind]}</td>
                <td class="mono"><a href=${znodeHash(path)}>${path}</a></td>
                <td>${by ?? "–"}</td>
                <td class="number">${zxid}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}

customElements.define("copse-changes", ChangesView);
