/** The queues of locks, semaphores and elections: who holds, who waits, in order. */
import type { QueueKind, ShownQueue } from "@copse/client";
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { Poll } from "../model/poll.ts";
import { znodeHash } from "../model/route.ts";
import { controls, wholeView } from "../parts/shared-styles.ts";
import { numberOf, shortId, spanOf } from "../parts/wording.ts";

/** Places of a queue in the page. */
const placesShown = 20;
const titles: Readonly<Record<QueueKind, string>> = {
  lock: "Lock",
  read: "Read-write lock",
  write: "Read-write lock",
  candidate: "Election",
  lease: "Semaphore's leases",
};

export class LocksView extends LitElement {
  static override properties = { model: { attribute: false } };
  static override styles = [
    controls,
    wholeView,
    css`
      h3 {
        font-size: var(--base);
        font-weight: 600;
        overflow-wrap: anywhere;
      }
      section {
        display: flex;
        flex-direction: column;
        gap: var(--s2);
      }
      .holds td {
        font-weight: 600;
      }
    `,
  ];

  declare model: Model;
  readonly #poll: Poll<{ queues: readonly ShownQueue[]; total: number; more: boolean }> = new Poll(this, () =>
    this.model.copse.queues({ limit: 100 }),
  );

  override render(): TemplateResult {
    return this.#poll.frame("Locks and elections", "You need admin on / to see them.", ({ queues, total, more }) => {
      if (queues.length === 0) return this.#empty();
      return html`${queues.map((queue) => this.#queue(queue))}
        ${more ? html`<p class="empty">The first ${queues.length} of ${numberOf(total)} queues.</p>` : nothing}`;
    });
  }

  #empty(): TemplateResult {
    return html`<p class="empty">There are no locks, waiters or candidates. Try: npx copse lock /locks/demo -- sleep 60</p>`;
  }

  #queue({ path, size, places }: ShownQueue): TemplateResult {
    const kind = (places[0]?.name.split("-")[0] ?? "lock") as QueueKind;
    return html`<section>
      <h3>${titles[kind]} <a href=${znodeHash(path)}>${path}</a></h3>
      <div class="scrolls" tabindex="0" role="region" aria-label=${`Queue at ${path}`}>
        <table>
          <thead>
            <tr>
              <th>Place</th>
              <th>State</th>
              <th>Client</th>
              <th>Session</th>
              <th class="number">Token</th>
              <th class="number">Held for</th>
            </tr>
          </thead>
          <tbody>
            ${places.slice(0, placesShown).map(
              ({ name, session, client, czxid, ctime }, at) =>
                html`<tr class=${standsAs(places, at) === "waits" ? "" : "holds"}>
                  <td class="mono"><a href=${znodeHash(`${path}/${name}`)}>${name}</a></td>
                  <td>${standsAs(places, at)}</td>
                  <td>${client ?? "–"}</td>
                  <td class="mono" title=${session}>${shortId(session)}</td>
                  <td class="number">${czxid}</td>
                  <td class="number">${spanOf(Date.now() - ctime)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
      ${size > placesShown ? html`<p class="empty">and ${numberOf(size - placesShown)} more, in this order</p>` : nothing}
    </section>`;
  }
}

/** Readers share, leases are all held, of all others the first holds. */
function standsAs(places: ShownQueue["places"], at: number): "holds" | "leads" | "reads" | "waits" {
  const { name } = places[at]!;
  if (name.startsWith("lease-")) return "holds";
  if (name.startsWith("read-")) return places.slice(0, at).some((place) => place.name.startsWith("write-")) ? "waits" : "reads";
  if (at > 0) return "waits";
  return name.startsWith("candidate-") ? "leads" : "holds";
}

customElements.define("copse-locks", LocksView);
