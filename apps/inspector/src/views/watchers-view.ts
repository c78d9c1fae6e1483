/** Who watches a znode, on the member that this page is connected to. */
import type { ShownWatcher } from "@copse/client";
import { css, html, LitElement, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { Poll } from "../model/poll.ts";
import { controls } from "../parts/shared-styles.ts";
import { shortId } from "../parts/wording.ts";

export class WatchersView extends LitElement {
  static override properties = { model: { attribute: false }, path: { attribute: false } };
  static override styles = [
    controls,
    css`
      :host {
        display: block;
      }
    `,
  ];

  declare model: Model;
  declare path: string;
  readonly #poll: Poll<readonly ShownWatcher[]> = new Poll(this, () => this.model.copse.watchers(this.path));

  override render(): TemplateResult {
    const { value, problem } = this.#poll;
    if (problem !== null) return html`<p class="notice bad" role="alert">${problem}</p>`;
    if (value === null) return html`<p class="empty">Waiting for the server …</p>`;
    if (value.length === 0)
      return html`<p class="empty">There are no watches on exactly this path on this member. Subscriptions and recursive watches further up are not counted.</p>`;
    return html`<div class="scrolls" tabindex="0" role="region" aria-label="Watches">
      <table>
        <thead>
          <tr>
            <th>Session</th>
            <th>Address</th>
            <th>Watches</th>
          </tr>
        </thead>
        <tbody>
          ${value.map(
            ({ session, address, kinds }) =>
              html`<tr>
                <td class="mono" title=${session ?? ""}>${session === null ? "read-only" : shortId(session)}</td>
                <td class="mono">${address}</td>
                <td>${kinds.join(", ")}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}

customElements.define("copse-watchers", WatchersView);
