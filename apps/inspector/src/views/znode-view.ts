/**
 * One znode: its data, its stat, and what can be done with it.
 *
 * Reading comes first; editing is a mode that is entered on purpose (edit-view.ts). Invariants: data is only ever text in the page,
 * never markup; a large value shows its head.
 */
import type { LiveZnode, Permission } from "@copse/client";
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import "./acl-view.ts";
import type { Asked } from "../dialogs/dialogs.ts";
import { type Edit, editable } from "../model/edit.ts";
import { hexOf, pretty } from "../parts/data-forms.ts";
import "./edit-view.ts";
import type { Model } from "../model/model.ts";
import { ModelController } from "../model/model-controller.ts";
import "../dialogs/more-menu.ts";
import { type TabName, znodeHash } from "../model/route.ts";
import { rawOf } from "../parts/raw.ts";
import { sentence } from "../parts/sentence.ts";
import { controls } from "../parts/shared-styles.ts";
import { statOf } from "../parts/stat.ts";
import "./watchers-view.ts";
import "./who-view.ts";

/** UTF-16 units of a value that are shown before one asks for all. */
const headUnits = 65_536;
/** Bytes that may be edited as numbers. */
const hexBytesMax = 65_536;

export class ZnodeView extends LitElement {
  static override properties = { model: { attribute: false }, tab: { attribute: false }, isWhole: { state: true }, saved: { state: true } };
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        flex-direction: column;
        gap: var(--s4);
        padding: var(--s4) var(--s5);
        overflow: auto;
        min-height: 0;
      }
      h2 {
        font: 600 var(--large) / 1.4 var(--mono);
        overflow-wrap: anywhere;
      }
      .head {
        display: flex;
        gap: var(--s3);
        align-items: flex-start;
        justify-content: space-between;
        flex-wrap: wrap;
      }
      pre {
        margin: 0;
        width: 100%;
        font: var(--small) / 1.6 var(--mono);
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        padding: var(--s3);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        tab-size: 2;
      }
      pre {
        max-height: 60vh;
        overflow: auto;
      }
      .tabs {
        display: flex;
        gap: var(--s1);
        border-block-end: 1px solid var(--line);
      }
      .tabs a {
        padding: var(--s1) var(--s3);
        font-size: var(--small);
        color: var(--text);
        text-decoration: none;
        border-block-end: 2px solid transparent;
      }
      .tabs a[aria-current] {
        border-color: var(--accent);
        font-weight: 600;
      }
      pre.line {
        flex: 1;
        padding: var(--s1) var(--s3);
      }
      section {
        display: flex;
        flex-direction: column;
        gap: var(--s2);
      }
      h3 {
        font-size: var(--small);
        font-weight: 600;
        color: var(--muted);
      }
    `,
  ];

  declare model: Model;
  declare tab: TabName;
  declare isWhole: boolean;
  declare saved: string | null;
  #shownPath = "";

  constructor() {
    super();
    this.tab = "data";
    this.isWhole = false;
    this.saved = null;
    new ModelController(this);
  }

  override willUpdate(): void {
    if (this.#shownPath === this.model.selectedPath) return;
    this.#shownPath = this.model.selectedPath;
    this.isWhole = false;
    this.saved = null;
    for (const [path, { text, base }] of this.model.edits) if (text === base) this.model.edits.delete(path);
  }

  override render(): TemplateResult {
    const { selected, selectedPath: path, permissions } = this.model;
    permissions.look(path, selected.kind === "present" ? `${selected.znode.stat.czxid}.${selected.znode.stat.aversion}` : selected.kind);
    switch (selected.kind) {
      case "loading":
        return html`<h2>${path}</h2>
          <p class="empty">Waiting for the server …</p>`;
      case "refused":
        return html`<h2>${path}</h2>
          <p class="notice bad" role="alert">${sentence(selected.error)}</p>`;
      case "hidden":
        return html`<h2>${path}</h2>
          <p class="notice bad" role="alert">Your identity may not read this znode${permissions.whyHidden === null ? "" : `: ${permissions.whyHidden}`}.</p>`;
      case "missing":
        return html`<h2>${path}</h2>
          <p class="notice warn" role="status">There is no such znode now. It is shown here as soon as it is created.</p>
          <div class="row">
            <button ?disabled=${!this.#isConnected} @click=${() => this.#createMissing(path)}>Create it, empty</button>
          </div>
          ${this.#edit(this.model.edits.get(path) ?? null, null)}`;
      case "present":
        return this.#present(selected.znode);
    }
  }

  #present(znode: LiveZnode): TemplateResult {
    const { path, stat } = znode;
    const isSystem = path === "/copse" || path.startsWith("/copse/");
    const canWrite = !isSystem && !this.model.copse.isReadOnly;
    const edit = this.model.edits.get(path) ?? null;
    const isOff = !this.#isConnected;
    const whyNot = (permission: Permission): string | null => this.model.permissions.refusal(permission);
    return html`
      <div class="head">
        <h2>${path}</h2>
        <div class="row">
          ${canWrite && edit === null && (znode.bytes === null || znode.bytes.length <= hexBytesMax) && !znode.isDenied ? html`<button ?disabled=${isOff || whyNot("write") !== null} title=${whyNot("write") ?? nothing} @click=${() => this.#begin(znode)}>Edit</button>` : nothing}
          ${canWrite && stat.ephemeralOwner === null ? html`<button ?disabled=${isOff} @click=${() => this.#ask("create")}>New child</button>` : nothing}
          <copse-more .canWrite=${canWrite} .isTop=${path === "/"} .isOff=${isOff}></copse-more>
          ${canWrite && path !== "/" ? html`<button class="danger" ?disabled=${isOff || whyNot("delete") !== null} title=${whyNot("delete") ?? nothing} @click=${() => this.#ask("delete")}>Delete</button>` : nothing}
        </div>
      </div>
      ${isSystem ? html`<p class="notice warn">This znode is maintained by the system and is read-only.</p>` : nothing}
      ${this.saved === null ? nothing : html`<p class="notice good" role="status">${this.saved}</p>`}
      ${this.#tabs(path)} ${this.#tabbed(znode, edit)}
    `;
  }

  /** Says in the page what has come of something that was asked for. */
  say(text: string): void {
    this.saved = text;
  }

  #tabs(path: string): TemplateResult {
    const titles: [TabName, string][] = [
      ["data", "Data"],
      ["acl", "ACL"],
      ["who", "Who may"],
      ["watches", "Watches"],
      ["raw", "Raw"],
    ];
    return html`<nav class="tabs" aria-label="Znode views">
      ${titles.map(([tab, title]) => html`<a href=${znodeHash(path, tab)} aria-current=${tab === this.tab ? "true" : nothing}>${title}</a>`)}
    </nav>`;
  }

  #tabbed(znode: LiveZnode, edit: Edit | null): TemplateResult {
    const { path, stat } = znode;
    switch (this.tab) {
      case "data":
        return html`${this.#edit(edit, znode) ?? this.#data(znode)} ${statOf(stat, this.model.copse.sessionId)}`;
      case "acl":
        return html`<copse-acl .model=${this.model} .path=${path} .stat=${stat}></copse-acl>`;
      case "who":
        return html`<copse-who .model=${this.model} .path=${path}></copse-who>`;
      case "watches":
        return html`<copse-watchers .model=${this.model} .path=${path}></copse-watchers>`;
      case "raw":
        return rawOf(znode);
    }
  }

  #data({ data, bytes, isDenied }: LiveZnode): TemplateResult {
    if (isDenied) return html`<p class="notice warn">Your identity may not read the data of this znode.</p>`;
    if (bytes !== null)
      return html`<section><h3>Data · ${bytes.length.toLocaleString("en")} bytes, not text</h3><pre>${hexOf(bytes.subarray(0, 4_096))}</pre></section>`;
    if (data === null) return html`<section><h3>Data</h3><p class="empty">No data.</p></section>`;
    if (data === "") return html`<section><h3>Data</h3><p class="empty">Empty text.</p></section>`;
    const isLong = data.length > headUnits && !this.isWhole;
    const shown = isLong ? data.slice(0, headUnits) : pretty(data);
    return html`<section>
      <h3>Data</h3>
      <pre tabindex="0" aria-label="Data">${shown}</pre>
      ${isLong ? html`<div class="row"><button @click=${() => (this.isWhole = true)}>Show all ${data.length.toLocaleString("en")} characters</button></div>` : nothing}
    </section>`;
  }

  #edit(edit: Edit | null, znode: LiveZnode | null): TemplateResult | null {
    if (edit === null) return null;
    return html`<copse-edit .model=${this.model} .edit=${edit} .znode=${znode} @ended=${(event: CustomEvent<string | null>) => this.#ended(event.detail)}></copse-edit>`;
  }

  #ended(said: string | null): void {
    this.saved = said;
    this.requestUpdate();
  }

  #begin(znode: LiveZnode): void {
    const { path, stat, bytes } = znode;
    const base = editable(znode);
    this.model.edits.set(path, {
      path,
      base,
      version: stat.version,
      text: base,
      isHex: bytes !== null,
      czxid: stat.czxid,
      problem: null,
      isSaving: false,
    });
    this.saved = null;
    this.requestUpdate();
  }

  get #isConnected(): boolean {
    return this.model.connection === "connected";
  }

  async #createMissing(path: string): Promise<void> {
    try {
      await this.model.copse.create(path, null, { parents: true });
    } catch (error) {
      this.saved = sentence(error);
    }
  }

  #ask(what: Asked): void {
    this.dispatchEvent(new CustomEvent("ask", { detail: what, bubbles: true, composed: true }));
  }
}

customElements.define("copse-znode", ZnodeView);

declare global {
  interface HTMLElementTagNameMap {
    "copse-znode": ZnodeView;
  }
}
