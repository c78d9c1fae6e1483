/**
 * The tree: virtual rows at a fixed height, the keyboard of the ARIA tree pattern, marks where something has changed.
 *
 * Invariant: one row has the tab stop; rows that come and go never take the focus with them, because the focus belongs to
 * the tree and the active row is named by `aria-activedescendant`. Positions are set as properties, not as attributes, which
 * the page's policy would refuse.
 */
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { parentOf } from "./child-list.ts";
import type { Model, Row } from "./model.ts";
import { ModelController } from "./model-controller.ts";

const rowPx = 28;
const typeAheadMs = 700;
const glyph = { created: "＋", changed: "±", deleted: "−" } as const;

export class TreeView extends LitElement {
  static override properties = { model: { attribute: false } };
  static override styles = css`
    :host {
      display: block;
      min-height: 0;
      overflow: hidden;
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
  `;

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
    return html`
      <div
        class="scroller"
        role="tree"
        tabindex="0"
        aria-label="Znodes"
        aria-activedescendant=${this.#idOf(this.#activePath)}
        @keydown=${this.#onKey}
        @focus=${() => this.#reveal()}
      >
        <div class="rows" role="none" .style=${`height: ${rows.length * rowPx}px`}>
          ${items.map(({ index, start }) => this.#row(rows[index], start))}
        </div>
      </div>
    `;
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

  #row(row: Row | undefined, start: number): TemplateResult | typeof nothing {
    if (row === undefined) return nothing;
    const { path, name, depth, stat, isExpanded, isLoading, position, siblings, flash } = row;
    const isSelected = path === this.model.selectedPath;
    const hasChildren = stat.numChildren > 0;
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
        @click=${() => this.#choose(path)}
        @dblclick=${() => this.#toggle(row)}
      >
        <span class="twist" aria-hidden="true" @click=${(event: Event) => this.#twist(event, row)}>${hasChildren ? (isExpanded ? "▾" : "▸") : ""}</span>
        <span class="name">${name}</span>
        ${hasChildren ? html`<span class="note">${stat.numChildren.toLocaleString("en")}</span>` : nothing}
        ${stat.ephemeralOwner !== null ? html`<span class="note">ephemeral</span>` : nothing}
        ${isLoading ? html`<span class="note">loading …</span>` : nothing}
        ${flash !== null ? html`<span class="mark" aria-label=${flash}>${glyph[flash]}</span>` : nothing}
      </div>
    `;
  }

  #idOf(path: string): string {
    return `row-${encodeURIComponent(path)}`;
  }

  #twist(event: Event, row: Row): void {
    event.stopPropagation();
    this.#activePath = row.path;
    this.#toggle(row);
  }

  #toggle({ path, isExpanded, stat }: Row): void {
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
    const at = Math.max(
      0,
      rows.findIndex(({ path }) => path === this.#activePath),
    );
    const row = rows[at];
    if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    switch (event.key) {
      case "ArrowDown":
        this.#move(rows[at + 1]);
        break;
      case "ArrowUp":
        this.#move(rows[at - 1]);
        break;
      case "ArrowRight":
        if (row.isExpanded) this.#move(rows[at + 1]?.depth === row.depth + 1 ? rows[at + 1] : undefined);
        else this.#toggle(row);
        break;
      case "ArrowLeft":
        if (row.isExpanded && row.path !== "/") this.#toggle(row);
        else this.#move(rows.find(({ path }) => path === parentOf(row.path)));
        break;
      case "Home":
        this.#move(rows[0]);
        break;
      case "End":
        this.#move(rows[rows.length - 1]);
        break;
      case "PageDown":
        this.#move(rows[Math.min(rows.length - 1, at + this.#page())]);
        break;
      case "PageUp":
        this.#move(rows[Math.max(0, at - this.#page())]);
        break;
      case "*":
        for (const sibling of rows) {
          if (sibling.depth === row.depth && parentOf(sibling.path) === parentOf(row.path) && sibling.stat.numChildren > 0)
            this.model.expand(sibling.path);
        }
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

  #typeAhead(unit: string, rows: readonly Row[], at: number): void {
    const now = performance.now();
    this.#typed = now - this.#typedAt > typeAheadMs ? unit : this.#typed + unit;
    this.#typedAt = now;
    const from = this.#typed.length === 1 ? at + 1 : at;
    const wanted = this.#typed.toLowerCase();
    const inOrder = [...rows.slice(from), ...rows.slice(0, from)];
    this.#move(inOrder.find(({ name }) => name.toLowerCase().startsWith(wanted)));
  }

  #page(): number {
    return Math.max(1, Math.floor(this.clientHeight / rowPx) - 1);
  }

  #move(row: Row | undefined): void {
    if (row === undefined) return;
    this.#activePath = row.path;
    this.#reveal();
  }

  #reveal(): void {
    const at = this.model.rows.findIndex(({ path }) => path === this.#activePath);
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
