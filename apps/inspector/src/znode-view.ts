/**
 * One znode: its data, its stat, and what can be done with it.
 *
 * Reading comes first; editing is a mode that is entered on purpose. Invariants: a save names the version that the edit began
 * from, so nobody's change is overwritten unseen; data is only ever text in the page, never markup; a large value shows
 * its head.
 */
import { isCopseError, type LiveZnode } from "@copse/client";
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import "./acl-view.ts";
import { bytesOfHex, hexOf, hexText, jsonFault, looksLikeJson, pretty } from "./data-forms.ts";
import type { Asked } from "./dialogs.ts";
import type { Edit } from "./edit.ts";
import type { Model } from "./model.ts";
import { ModelController } from "./model-controller.ts";
import "./more-menu.ts";
import { rawOf } from "./raw.ts";
import { type TabName, znodeHash } from "./route.ts";
import { sentence } from "./sentence.ts";
import { controls } from "./shared-styles.ts";
import { statOf } from "./stat.ts";
import "./watchers-view.ts";

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
      pre,
      textarea {
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
      textarea {
        min-height: 14rem;
        resize: vertical;
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
      .versions {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: var(--s3);
      }
      .theirs {
        min-height: 14rem;
      }
      @media (max-width: 60rem) {
        .versions {
          grid-template-columns: 1fr;
        }
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
    const { selected, selectedPath: path } = this.model;
    switch (selected.kind) {
      case "loading":
        return html`<h2>${path}</h2>
          <p class="empty">Waiting for the server …</p>`;
      case "refused":
        return html`<h2>${path}</h2>
          <p class="notice bad" role="alert">${sentence(selected.error)}</p>`;
      case "missing":
        return html`<h2>${path}</h2>
          <p class="notice warn" role="status">There is no such znode now. It is shown here as soon as it is created.</p>
          <div class="row">
            <button ?disabled=${!this.#isConnected} @click=${() => this.#createMissing(path)}>Create it, empty</button>
          </div>
          ${this.model.edits.has(path) ? this.#editor(this.model.edits.get(path)!, null) : nothing}`;
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
    return html`
      <div class="head">
        <h2>${path}</h2>
        <div class="row">
          ${canWrite && edit === null && (znode.bytes === null || znode.bytes.length <= hexBytesMax) && !znode.isDenied ? html`<button ?disabled=${isOff} @click=${() => this.#begin(znode)}>Edit</button>` : nothing}
          ${canWrite && stat.ephemeralOwner === null ? html`<button ?disabled=${isOff} @click=${() => this.#ask("create")}>New child</button>` : nothing}
          <copse-more .canWrite=${canWrite} .isTop=${path === "/"} .isOff=${isOff}></copse-more>
          ${canWrite && path !== "/" ? html`<button class="danger" ?disabled=${isOff} @click=${() => this.#ask("delete")}>Delete</button>` : nothing}
        </div>
      </div>
      ${isSystem ? html`<p class="notice warn">The system keeps this znode itself; it can be read, not changed.</p>` : nothing}
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
      ["watches", "Watches"],
      ["raw", "Raw"],
    ];
    return html`<nav class="tabs" aria-label="Of this znode">
      ${titles.map(([tab, title]) => html`<a href=${znodeHash(path, tab)} aria-current=${tab === this.tab ? "true" : nothing}>${title}</a>`)}
    </nav>`;
  }

  #tabbed(znode: LiveZnode, edit: Edit | null): TemplateResult {
    const { path, stat } = znode;
    switch (this.tab) {
      case "data":
        return html`${edit === null ? this.#data(znode) : this.#editor(edit, znode)} ${statOf(stat, this.model.copse.sessionId)}`;
      case "acl":
        return html`<copse-acl .model=${this.model} .path=${path} .stat=${stat}></copse-acl>`;
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

  #editor(edit: Edit, znode: LiveZnode | null): TemplateResult {
    const isStale = znode !== null && (znode.stat.version !== edit.version || znode.stat.czxid !== edit.czxid);
    const off = edit.isSaving || !this.#isConnected;
    return html`<section>
      <h3>Editing version ${edit.version}</h3>
      ${this.#warning(edit, isStale ? znode : null)} ${isStale ? this.#bothVersions(edit, znode) : this.#area(edit)}
      <div class="row">
        ${
          isStale
            ? html`<button ?disabled=${off} @click=${() => this.#rebase(edit, znode)}>Save mine over theirs</button>
                <button @click=${() => this.#takeTheirs(edit, znode)}>Take theirs</button>
                <button class="primary" @click=${() => void this.#merge(edit, znode)}>Merge both</button>`
            : html`<button class="primary" ?disabled=${off || znode === null} @click=${() => this.#save(edit)}>Save</button>`
        }
        <button @click=${() => this.#end(edit)}>Cancel</button>
        ${looksLikeJson(edit.base) ? this.#lint(edit.text) : nothing}
      </div>
    </section>`;
  }

  #lint(text: string): TemplateResult | typeof nothing {
    const fault = jsonFault(text);
    return fault === null ? nothing : html`<span class="empty">This is not valid JSON: ${fault}</span>`;
  }

  #warning(edit: Edit, changed: LiveZnode | null): TemplateResult | typeof nothing {
    if (edit.problem !== null) return html`<p class="notice bad" role="alert">${edit.problem}</p>`;
    if (changed === null) return nothing;
    return html`<p class="notice warn" role="alert">
      Changed under you: the znode has version ${changed.stat.version} now. Nothing was overwritten.
    </p>`;
  }

  #bothVersions(edit: Edit, znode: LiveZnode): TemplateResult {
    return html`<div class="versions">
      <section><h3>Yours, from version ${edit.version}</h3>${this.#area(edit)}</section>
      <section><h3>Theirs, version ${znode.stat.version}</h3><pre class="theirs" tabindex="0">${editable(znode)}</pre></section>
    </div>`;
  }

  #area(edit: Edit): TemplateResult {
    return html`<textarea
      aria-label="Data"
      spellcheck="false"
      ?readonly=${edit.isSaving}
      .value=${edit.text}
      @input=${(event: InputEvent) => {
        edit.text = (event.target as HTMLTextAreaElement).value;
        this.requestUpdate();
      }}
      @keydown=${(event: KeyboardEvent) => {
        if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          void this.#save(edit);
        } else if (event.key === "Escape" && edit.text === edit.base) this.#end(edit);
      }}
    ></textarea>`;
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
    void this.updateComplete.then(() => this.renderRoot.querySelector("textarea")?.focus());
  }

  async #save(edit: Edit): Promise<void> {
    const data = edit.isHex ? bytesOfHex(edit.text) : edit.text;
    if (data === null) {
      edit.problem = "These are not bytes: pairs of the digits 0 to 9 and a to f, with anything blank between them.";
      this.requestUpdate();
      return;
    }
    edit.isSaving = true;
    edit.problem = null;
    this.requestUpdate();
    try {
      const stat = await this.model.copse.set(edit.path, data, { version: edit.version, guard: { path: edit.path, czxid: edit.czxid } });
      this.#end(edit);
      if (this.model.selectedPath === edit.path) this.saved = `Saved as version ${stat.version}.`;
    } catch (error) {
      edit.isSaving = false;
      edit.problem = isCopseError(error, "BAD_VERSION")
        ? `Not saved: somebody has changed the znode since you began. It has version ${error.stat?.version}, and you began from ${edit.version}.`
        : sentence(error);
      this.requestUpdate();
    }
  }

  #rebase(edit: Edit, { stat }: LiveZnode): void {
    edit.version = stat.version;
    edit.czxid = stat.czxid;
    edit.problem = null;
    void this.#save(edit);
  }

  /** Goes on from theirs with both changes in the editor; nothing is saved. */
  async #merge(edit: Edit, znode: LiveZnode): Promise<void> {
    const { merge } = await import("./merge.ts");
    const theirs = editable(znode);
    if (edit.isHex || znode.bytes !== null) {
      edit.problem = "Bytes are not merged: take one or the other.";
      return this.requestUpdate();
    }
    const { text, hasConflict } = merge(edit.base, edit.text, theirs);
    edit.text = text;
    edit.base = theirs;
    edit.version = znode.stat.version;
    edit.czxid = znode.stat.czxid;
    edit.problem = hasConflict ? "Both of you changed the same lines: they are marked below. Decide, then save." : null;
    this.requestUpdate();
  }

  #takeTheirs(edit: Edit, znode: LiveZnode): void {
    edit.text = editable(znode);
    edit.base = edit.text;
    edit.isHex = znode.bytes !== null;
    edit.czxid = znode.stat.czxid;
    edit.version = znode.stat.version;
    edit.problem = null;
    this.requestUpdate();
  }

  #end(edit: Edit): void {
    if (this.model.edits.get(edit.path) === edit) this.model.edits.delete(edit.path);
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

/** What stands in the editor: the text, or the bytes as numbers. */
function editable({ data, bytes }: LiveZnode): string {
  return bytes === null ? (data ?? "") : hexText(bytes);
}

customElements.define("copse-znode", ZnodeView);

declare global {
  interface HTMLElementTagNameMap {
    "copse-znode": ZnodeView;
  }
}
