/** The members, what this one does, and the last hour of it: as charts, and as a table for readers who can't see them. */
import type { MemberSample, MemberStats } from "@copse/client";
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { Poll } from "../model/poll.ts";
import type { Chart } from "../parts/chart.ts";
import { Figures } from "../parts/figures.ts";
import { controls, wholeView } from "../parts/shared-styles.ts";
import { numberOf, spanOf } from "../parts/wording.ts";

interface ShownMember {
  readonly id: string;
  readonly role: "leader" | "follower" | "observer";
  readonly url: string;
  readonly state: "up" | "down";
  readonly zxid: number;
  readonly drained?: true;
}

interface Seen {
  readonly members: readonly ShownMember[];
  readonly stats: MemberStats | null;
}

type Line = Exclude<keyof MemberSample, "time">;
const lines: readonly { readonly name: Line; readonly title: string; readonly head: string; readonly unit: string }[] = [
  { name: "requests", title: "Requests a second, of this member", head: "Requests/s", unit: "" },
  { name: "answerMs", title: "Time to answer, mean", head: "Answer, ms", unit: " ms" },
  { name: "txns", title: "Txns a second, of the ensemble", head: "Txns/s", unit: "" },
  { name: "syncMs", title: "Disk: one write of the log, mean", head: "Disk, ms", unit: " ms" },
  { name: "connections", title: "Connections of this member", head: "Connections", unit: "" },
  { name: "sessions", title: "Sessions of the ensemble", head: "Sessions", unit: "" },
];
/** Rows of the table beside the charts: one for each so many samples, which are ten seconds apart. */
const rowSamples = 30;

export class EnsembleView extends LitElement {
  static override properties = { model: { attribute: false } };
  static override styles = [
    controls,
    wholeView,
    css`
      .charts {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
        gap: var(--s4);
      }
      figure {
        margin: 0;
        padding: var(--s3);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--surface);
        min-width: 0;
      }
      figcaption {
        font-size: var(--small);
        color: var(--muted);
        margin-block-end: var(--s2);
      }
      .plot {
        min-height: 130px;
      }
      .down td {
        color: var(--bad);
      }
      summary {
        font-size: var(--small);
        cursor: pointer;
      }
      details .scrolls {
        margin-block-start: var(--s2);
      }
    `,
  ];

  declare model: Model;
  #figures: Figures | null = null;
  readonly #charts: Map<Line, Chart> = new Map();
  #isDrawing = false;
  readonly #poll: Poll<Seen> = new Poll(this, () => this.#look());
  readonly #resized: ResizeObserver = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries)
      this.#charts.get((target as HTMLElement).dataset["line"] as Line)?.resize(contentRect.width);
  });

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const chart of this.#charts.values()) chart.end();
    this.#charts.clear();
    this.#resized.disconnect();
  }

  override render(): TemplateResult {
    return this.#poll.frame("Ensemble", "Shown as soon as a member responds.", ({ members, stats }) => {
      return html`${this.#members(members)} ${this.#own(stats)}`;
    });
  }

  override updated(): void {
    void this.#draw();
  }

  async #look(): Promise<Seen> {
    const { members } = (await this.model.copse.ensemble()) as unknown as { members: readonly ShownMember[] };
    this.#figures ??= new Figures(this.model);
    // A user who is no admin sees the members all the same.
    const stats = await this.#figures.look().catch(() => null);
    return { members, stats };
  }

  #members(members: readonly ShownMember[]): TemplateResult {
    const newest = Math.max(...members.map(({ zxid }) => zxid));
    return html`<p class="notice ${spareOf(members) < 0 ? "bad" : spareOf(members) === 0 && members.length > 1 ? "warn" : "good"}" role="status">${healthOf(members)}</p>
      <div class="scrolls" tabindex="0" role="region" aria-label="Members">
        <table>
          <thead>
            <tr>
              <th>Member</th>
              <th>State</th>
              <th>Role</th>
              <th>Address</th>
              <th class="number">zxid</th>
              <th class="number">Behind</th>
            </tr>
          </thead>
          <tbody>
            ${members.map(
              ({ id, role, url, state, zxid, drained }) =>
                html`<tr class=${state}>
                  <td class="mono">${id}</td>
                  <td>${state === "up" ? "up" : "down ✕"}${drained === true ? ", drained" : nothing}</td>
                  <td>${role}</td>
                  <td class="mono">${url}</td>
                  <td class="number">${numberOf(zxid)}</td>
                  <td class="number">${state === "up" ? numberOf(newest - zxid) : "–"}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`;
  }

  #own(stats: MemberStats | null): TemplateResult {
    if (stats === null) return html`<p class="empty">You need admin on / to see this member's statistics.</p>`;
    const entries: [string, string][] = [
      ["member", stats.member],
      ["term", numberOf(stats.term)],
      ["applied log index", numberOf(stats.index)],
      ["committed, not yet applied", numberOf(Math.max(0, stats.committed - stats.index))],
      ["disk, p99", stats.syncMsP99 === null ? "–" : `${stats.syncMsP99.toFixed(1)} ms`],
      ["newest snapshot", stats.snapshotAgeMs === null ? "empty tree" : `${spanOf(stats.snapshotAgeMs)} old`],
      ["snapshots since start", numberOf(stats.snapshots)],
      ["connections", numberOf(stats.connections)],
      ["sessions", numberOf(stats.sessions)],
      ["znodes", numberOf(stats.znodes)],
      ["watches", numberOf(stats.watches)],
      ["subscriptions", numberOf(stats.subscriptions)],
      ["pending transactions", numberOf(stats.pendingTxns)],
    ];
    const hasSamples = (this.#figures?.samples.length ?? 0) > 0;
    return html`${stats.pressures.map((what) => html`<p class="notice bad" role="alert">${pressed[what] ?? `${what} is nearly full.`}</p>`)}
      <h3>This member</h3>
      <dl>
        ${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
      </dl>
      <div class="charts">
        ${lines.map(
          ({ name, title }) =>
            html`<figure><figcaption>${title}, last hour</figcaption><div class="plot" data-line=${name} aria-hidden="true">${
              hasSamples ? nothing : html`<p class="empty">no data yet</p>`
            }</div></figure>`,
        )}
      </div>
      ${this.#table()}`;
  }

  #table(): TemplateResult {
    const samples = this.#figures?.samples ?? [];
    const rows: (readonly MemberSample[])[] = [];
    for (let end = samples.length; end > 0; end -= rowSamples) rows.push(samples.slice(Math.max(0, end - rowSamples), end));
    const mean = (of: readonly MemberSample[], name: Line): string =>
      (of.reduce((sum, sample) => sum + sample[name], 0) / of.length).toFixed(1);
    return html`<details>
      <summary>Show as a table, five minutes a row</summary>
      <div class="scrolls" tabindex="0" role="region" aria-label="Figures of the last hour">
        <table>
          <thead>
            <tr>
              <th>Until</th>
              ${lines.map(({ head }) => html`<th class="number">${head}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${rows.map(
              (of) => html`<tr>
                <td>${new Date(of[of.length - 1]!.time).toLocaleTimeString("sv")}</td>
                ${lines.map(({ name }) => html`<td class="number">${mean(of, name)}</td>`)}
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>`;
  }

  async #draw(): Promise<void> {
    const samples = this.#figures?.samples ?? [];
    const places = [...this.renderRoot.querySelectorAll<HTMLElement>(".plot")];
    if (places.length === 0 || samples.length === 0 || this.#isDrawing) return;
    this.#isDrawing = true;
    const { drawChart } = await import("../parts/chart.ts");
    this.#isDrawing = false;
    if (!this.isConnected) return;
    const times = samples.map(({ time }) => time / 1_000);
    for (const place of places) {
      const line = lines.find(({ name }) => name === place.dataset["line"])!;
      let chart = this.#charts.get(line.name);
      if (chart === undefined) {
        chart = drawChart(place, line.unit);
        this.#charts.set(line.name, chart);
        this.#resized.observe(place);
      }
      chart.show(
        times,
        samples.map((sample) => sample[line.name]),
      );
    }
  }
}

/** What is nearly full, and what follows from it. */
const pressed: Readonly<Record<string, string>> = {
  disk: "The disk of this member is nearly full: writes that grow are refused. Delete znodes, or enlarge the disk.",
  leader: "The member that leads has little disk or memory left: writes that grow are refused. Hand over to another, or make room there.",
  heap: "The heap of this member is nearly full: requests that need memory are refused.",
};

/** How many voters more may fail before nothing can be written; negative where nothing can already. */
function spareOf(members: readonly ShownMember[]): number {
  const voters = members.filter(({ role }) => role !== "observer");
  return voters.filter(({ state }) => state === "up").length - (Math.floor(voters.length / 2) + 1);
}

function healthOf(members: readonly ShownMember[]): string {
  const spare = spareOf(members);
  if (members.length === 1) return "Single member: no failure is tolerated. More members can be added without downtime.";
  if (spare < 0) return "There is no majority: writes are refused until members come back.";
  if (spare === 0) return "Operational, but no further failure is tolerated. Restart the member that is down.";
  return `The ensemble tolerates the loss of ${spare} more ${spare === 1 ? "member" : "members"}.`;
}

customElements.define("copse-ensemble", EnsembleView);
