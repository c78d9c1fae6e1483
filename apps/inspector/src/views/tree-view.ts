/**
 * The tree: virtual rows at a fixed height, the keyboard of the ARIA tree pattern, marks where something has changed.
 *
 * Invariant: one row has the tab stop; rows that come and go never take the focus with them, because the focus belongs to
 * the tree and the active row is named by `aria-activedescendant`. Positions are set as properties, not as attributes, which
 * the page's policy would refuse.
 */

import { parentOf } from "@copse/client/path";
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { ModelController } from "../model/model-controller.ts";
import { znodeHash } from "../model/route.ts";
import type { Place, RowIndex } from "../model/row-index.ts";
import { controls } from "../parts/shared-styles.ts";
import { countOf, numberOf } from "../parts/wording.ts";

const rowPx = 28;
const typeAheadMs = 700;
/** Znodes that `*` expands, at most: each is a subscription. */
const expandedAtOnceMax = 100;
const glyph = { created: "+", changed: "±", deleted: "−" } as const;

export class TreeView extends LitElement {
  static override properties = { model: { attribute: false } };
  static override styles = [
    controls,
    css`
    :host {
      display: grid;
      grid-template-rows: auto minmax(0, 1fr);
      min-height: 0;
      overflow: hidden;
    }
    .bar {
      display: flex;
      gap: var(--s2);
      align-items: center;
      padding: var(--s2) var(--s3);
      border-block-end: 1px solid var(--line);
    }
    .bar input {
      flex: 1;
      min-width: 5rem;
    }
    .rate {
      font-size: 0.75rem;
      color: var(--muted);
      white-space: nowrap;
    }
    .note.hidden-changes {
      padding: 0.15rem 0.4rem;
      border-radius: 1rem;
      background: var(--flash-changed);
      color: var(--text);
    }
    .scroller {
      height: 100%;
      overflow: auto;
      contain: strict;
      outline: none;
    }
    .scroller:focus-visible .active {
      outline: 2px solid var(--accent);
      outline-offset: -2px;
    }
    .rows {
      position: relative;
      width: 100%;
    }
    .row {
      position: absolute;
      inset-inline: 0;
      height: 28px;
      display: flex;
      align-items: center;
      gap: var(--s2);
      padding-inline-end: var(--s3);
      font: var(--small) / 1 var(--mono);
      white-space: nowrap;
      cursor: default;
      color: var(--text);
      text-decoration: none;
    }
    .row:hover {
      background: var(--raised);
    }
    .row.selected {
      background: var(--selected);
      font-weight: 600;
    }
    .twist {
      flex: none;
      width: 1.25rem;
      height: 1.75rem;
      display: grid;
      place-items: center;
      color: var(--muted);
    }
    .name {
      overflow: hidden;
      text-overflow: ellipsis;
      line-height: 1.5;
    }
    .note {
      flex: none;
      color: var(--muted);
      font-size: 0.75rem;
      font-weight: 400;
    }
    .mark {
      flex: none;
      margin-inline-start: auto;
      width: 1.1rem;
      text-align: center;
      font-weight: 700;
    }
    @media (prefers-reduced-motion: no-preference) {
      .created {
        animation: created 1.6s ease-out;
      }
      .changed {
        animation: changed 1.6s ease-out;
      }
      .deleted {
        animation: deleted 1.6s ease-out;
      }
    }
    @keyframes created {
      from {
        background: var(--flash-created);
      }
    }
    @keyframes changed {
      from {
        background: var(--flash-changed);
      }
    }
    @keyframes deleted {
      from {
        background: var(--flash-deleted);
      }
    }
  `,
  ];

  declare model: Model;
  #virtualizer: Virtualizer<HTMLElement, HTMLElement> | null = null;
  #unmount: () => void = () => {};
  #activePath = "/";
  /** A path to bring into view as soon as it has a row. */
  #awaited: string | null = null;
  #typed = "";
  #typedAt = 0;

  constructor() {
    super();
    new ModelController(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unmount();
  }

  override render(): TemplateResult {
    const { rows } = this.model;
    const virtualizer = this.#virtualizer;
    virtualizer?.setOptions({ ...virtualizer.options, count: rows.length });
    const items = virtualizer?.getVirtualItems() ?? [];
    const shown = items.flatMap(({ index, start }) => {
      const place = rows.at(index);
      return place === undefined ? [] : [{ place, start }];
    });
    // A row that is scrolled out of sight is not in the page, and can't be named.
    const isActiveShown = shown.some(({ place }) => place.path === this.#activePath);
    return html`
      ${this.#bar()}
      <div
        class="scroller"
        role="tree"
        tabindex="0"
        aria-label="Znodes"
        aria-activedescendant=${isActiveShown ? this.#idOf(this.#activePath) : nothing}
        @keydown=${this.#onKey}
        @focus=${() => this.#reveal()}
      >
        <div class="rows" role="none" .style=${`height: ${rows.length * rowPx}px`}>
          ${shown.map(({ place, start }) => this.#row(place, start))}
        </div>
      </div>
    `;
  }

  #bar(): TemplateResult {
    const { model } = this;
    const { rate } = model.changes;
    const what = model.isPaused ? `${countOf(model.missed, "change")} since` : rate > 0 ? `${numberOf(rate)} changes/s` : "";
    return html`<div class="bar">
      <input
        type="search"
        aria-label="Filter names"
        placeholder="Filter names"
        spellcheck="false"
        autocomplete="off"
        .value=${model.filter}
        @input=${(event: InputEvent) => (model.filter = (event.target as HTMLInputElement).value)}
      />
      <span class="rate">${what}</span>
      <button aria-pressed=${model.isPaused} @click=${() => (model.isPaused = !model.isPaused)}>${model.isPaused ? "Resume" : "Pause"}</button>
    </div>`;
  }

  override firstUpdated(): void {
    const scroller = this.renderRoot.querySelector<HTMLElement>(".scroller");
    this.#virtualizer = new Virtualizer<HTMLElement, HTMLElement>({
      count: this.model.rows.length,
      getScrollElement: () => scroller,
      estimateSize: () => rowPx,
      overscan: 12,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.requestUpdate(),
    });
    this.#unmount = this.#virtualizer._didMount();
    this.#virtualizer._willUpdate();
    this.requestUpdate();
  }

  override updated(_changed: PropertyValues): void {
    this.#virtualizer?._willUpdate();
    if (this.#awaited !== null) this.#reveal();
  }

  /** Makes the selected row the active one, in view. */
  showSelected(): void {
    this.#activePath = this.model.selectedPath;
    this.#awaited = this.#activePath;
    this.requestUpdate();
  }

  #row(place: Place, start: number): TemplateResult {
    const { path, name, depth, stat, isExpanded, isLoading, isHidden, position, siblings } = place;
    const flash = this.model.flashOf(path);
    const isSelected = path === this.model.selectedPath;
    const hasChildren = stat.numChildren > 0;
    const hidden = isExpanded ? 0 : this.model.hiddenOf(path);
    const classes = ["row", isSelected ? "selected" : "", path === this.#activePath ? "active" : "", flash ?? ""].join(" ");
    return html`
      <div
        class=${classes}
        id=${this.#idOf(path)}
        role="treeitem"
        aria-level=${depth + 1}
        aria-posinset=${position}
        aria-setsize=${siblings}
        aria-selected=${isSelected}
        aria-expanded=${hasChildren || isExpanded ? String(isExpanded) : nothing}
        data-path=${path}
        .style=${`transform: translateY(${start}px); padding-inline-start: ${depth * 16 + 4}px`}
        @click=${(event: MouseEvent) => this.#click(event, path)}
        @dblclick=${() => this.#toggle(place)}
      >
        <span class="twist" aria-hidden="true" @click=${(event: Event) => this.#twist(event, place)}>${hasChildren ? (isExpanded ? "▾" : "▸") : ""}</span>
        <span class="name">${name}</span>
        ${hasChildren ? html`<span class="note">${stat.numChildren.toLocaleString("en")}</span>` : nothing}
        ${stat.ephemeralOwner !== null ? html`<span class="note">ephemeral</span>` : nothing}
        ${isLoading ? html`<span class="note">loading …</span>` : nothing}
        ${isHidden ? html`<span class="note">its children may not be listed</span>` : nothing}
        ${hidden > 0 ? html`<span class="note hidden-changes" title="Changes below, since it was last looked at">${hidden.toLocaleString("en")} changed below</span>` : nothing}
        ${flash !== null ? html`<span class="mark" role="img" aria-label=${flash}>${glyph[flash]}</span>` : nothing}
      </div>
    `;
  }

  /** With a modifier, a row opens as a link does. */
  #click(event: MouseEvent, path: string): void {
    if (event.ctrlKey || event.metaKey) window.open(znodeHash(path), "_blank", "noopener");
    else this.#choose(path);
  }

  #idOf(path: string): string {
    return `row-${encodeURIComponent(path)}`;
  }

  #twist(event: Event, row: Place): void {
    event.stopPropagation();
    this.#activePath = row.path;
    this.#toggle(row);
  }

  #toggle({ path, isExpanded, stat }: Place): void {
    if (isExpanded) this.model.collapse(path);
    else if (stat.numChildren > 0) this.model.expand(path);
  }

  #choose(path: string): void {
    this.#activePath = path;
    this.dispatchEvent(new CustomEvent("choose", { detail: path, bubbles: true, composed: true }));
    this.requestUpdate();
  }

  #onKey(event: KeyboardEvent): void {
    const { rows } = this.model;
    const at = Math.max(0, rows.indexOf(this.#activePath));
    const row = rows.at(at);
    if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    switch (event.key) {
      case "ArrowDown":
        this.#move(rows.at(at + 1));
        break;
      case "ArrowUp":
        this.#move(rows.at(at - 1));
        break;
      case "ArrowRight":
        if (row.isExpanded) this.#move(rows.at(at + 1)?.depth === row.depth + 1 ? rows.at(at + 1) : undefined);
        else this.#toggle(row);
        break;
      case "ArrowLeft":
        if (row.isExpanded && row.path !== "/") this.#toggle(row);
        else this.#move(rows.at(rows.indexOf(parentOf(row.path))));
        break;
      case "Home":
        this.#move(rows.at(0));
        break;
      case "End":
        this.#move(rows.at(rows.length - 1));
        break;
      case "PageDown":
        this.#move(rows.at(Math.min(rows.length - 1, at + this.#page())));
        break;
      case "PageUp":
        this.#move(rows.at(Math.max(0, at - this.#page())));
        break;
      case "*":
        this.#expandSiblings(rows, rows.indexOf(parentOf(row.path)) + 1, row);
        break;
      case "Enter":
      case " ":
        this.#choose(row.path);
        break;
      default:
        if (event.key.length !== 1) return;
        this.#typeAhead(event.key, rows, at);
    }
    event.preventDefault();
  }

  /** Expands the row and its siblings, as far as that makes sense. */
  #expandSiblings(rows: RowIndex, first: number, { path, siblings }: Place): void {
    const paths: string[] = [];
    for (let at = first, seen = 0; seen < siblings && paths.length < expandedAtOnceMax; at++) {
      const place = rows.at(at);
      if (place === undefined) break;
      if (parentOf(place.path) !== parentOf(path)) continue;
      seen++;
      if (place.stat.numChildren > 0) paths.push(place.path);
    }
    for (const one of paths) this.model.expand(one);
  }

  #typeAhead(unit: string, rows: RowIndex, at: number): void {
    const now = performance.now();
    this.#typed = now - this.#typedAt > typeAheadMs ? unit : this.#typed + unit;
    this.#typedAt = now;
    const wanted = this.#typed.toLowerCase();
    for (const place of rows.from(this.#typed.length === 1 ? at + 1 : at)) {
      if (place.name.toLowerCase().startsWith(wanted)) return this.#move(place);
    }
  }

  #page(): number {
    return Math.max(1, Math.floor((this.renderRoot.querySelector(".scroller")?.clientHeight ?? 0) / rowPx) - 1);
  }

  #move(row: Place | undefined): void {
    if (row === undefined) return;
    this.#activePath = row.path;
    this.#reveal();
  }

  #reveal(): void {
    const at = this.model.rows.indexOf(this.#activePath);
    if (at < 0 || this.#virtualizer === null) return;
    this.#awaited = null;
    this.#virtualizer.scrollToIndex(at, { align: "auto" });
    this.requestUpdate();
  }
}

customElements.define("copse-tree", TreeView);

declare global {
  interface HTMLElementTagNameMap {
    "copse-tree": TreeView;
  }
}
