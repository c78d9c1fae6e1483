/** Who is connected: sessions of the whole ensemble, and what belongs to their connections to this member. */
import type { ShownSession } from "@copse/client";
import { html, LitElement, nothing, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { Poll } from "../model/poll.ts";
import { controls, wholeView } from "../parts/shared-styles.ts";
import { bytesOf, numberOf, shortId, spanOf } from "../parts/wording.ts";

export class SessionsView extends LitElement {
  static override properties = { model: { attribute: false }, behind: { state: true } };
  static override styles = [controls, wholeView];

  declare model: Model;
  /** The page that is shown begins after this id. */
  declare behind: string | null;
  readonly #poll: Poll<{ sessions: readonly ShownSession[]; total: number; more: boolean }> = new Poll(this, () =>
    this.model.copse.sessions({ limit: 200, ...(this.behind === null ? {} : { after: this.behind }) }),
  );

  constructor() {
    super();
    this.behind = null;
  }

  override render(): TemplateResult {
    return this.#poll.frame("Sessions", "You need admin on / to see them.", (value) => this.#table(value));
  }

  #table({ sessions, total, more }: { sessions: readonly ShownSession[]; total: number; more: boolean }): TemplateResult {
    return html`<p class="empty">${numberOf(total)} in the ensemble. Addresses, watches and queues are shown only for sessions connected to this member.</p>
      <div class="scrolls" tabindex="0" role="region" aria-label="Sessions">
        <table>
          <thead>
            <tr>
              <th>Session</th>
              <th>Identities</th>
              <th>Address</th>
              <th class="number">Connected for</th>
              <th class="number">Silent for</th>
              <th class="number">Timeout</th>
              <th class="number">Ephemerals</th>
              <th class="number">Watches</th>
              <th class="number">Subscriptions</th>
              <th class="number">Queue</th>
            </tr>
          </thead>
          <tbody>
            ${sessions.map((session) => this.#row(session))}
          </tbody>
        </table>
      </div>
      <div class="row">
        ${this.behind === null ? nothing : html`<button @click=${() => (this.behind = null)}>First page</button>`}
        ${more ? html`<button @click=${() => (this.behind = sessions[sessions.length - 1]!.id)}>Next page</button>` : nothing}
      </div>`;
  }

  #row({ id, timeout, ephemerals, identities, connection }: ShownSession): TemplateResult {
    const number = (shown: string | null): TemplateResult => html`<td class="number">${shown ?? "–"}</td>`;
    return html`<tr>
      <td class="mono" title=${id}>${shortId(id)}${id === this.model.copse.sessionId ? " (this page)" : ""}</td>
      <td>${identities.length === 0 ? "–" : identities.map(({ scheme, id: name }) => `${scheme}:${name}`).join(", ")}</td>
      <td class="mono">${connection?.address ?? "not connected to this member"}</td>
      ${number(connection === null ? null : spanOf(connection.ageMs))} ${number(connection === null ? null : spanOf(connection.silentMs))}
      ${number(spanOf(timeout))} ${number(numberOf(ephemerals))} ${number(connection === null ? null : numberOf(connection.watches))}
      ${number(connection === null ? null : numberOf(connection.subscriptions))} ${number(connection === null ? null : bytesOf(connection.queueBytes))}
    </tr>`;
  }
}

customElements.define("copse-sessions", SessionsView);
