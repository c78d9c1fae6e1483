/**
 * An edit of one znode's data: the text, what is wrong with it, and what somebody else did to the znode meanwhile.
 *
 * Invariants: a save names the version and the znode that the edit began from, so nobody's change is overwritten unseen; what is
 * typed stays whatever happens around it, until it is saved or given up.
 */
import { isCopseError, type LiveZnode } from "@copse/client";
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { type Edit, editable } from "../model/edit.ts";
import type { Model } from "../model/model.ts";
import { bytesOfHex, jsonFault, looksLikeJson } from "../parts/data-forms.ts";
import { sentence } from "../parts/sentence.ts";
import { controls } from "../parts/shared-styles.ts";
import type { TextEditor } from "../parts/text-editor.ts";

/** UTF-16 units past which a text is not looked at as JSON: it would have to be parsed whole at every key. */
const jsonUnitsMax = 262_144;

/** UTF-16 units that are shown of the other version: all of a large one would hold the page while it is laid out. */
const theirsUnitsMax = 65_536;

function headOf(text: string): string {
  return text.length <= theirsUnitsMax
    ? text
    : `${text.slice(0, theirsUnitsMax)}\n… ${(text.length - theirsUnitsMax).toLocaleString("en")} more characters`;
}

export class EditView extends LitElement {
  static override properties = {
    model: { attribute: false },
    // The edit is one object that changes, and so is what it is compared with.
    edit: { attribute: false, hasChanged: () => true },
    znode: { attribute: false, hasChanged: () => true },
  };
  static override styles = [
    controls,
    css`
      :host,
      section {
        display: flex;
        flex-direction: column;
        gap: var(--s2);
        min-width: 0;
      }
      h3 {
        font-size: var(--small);
        font-weight: 600;
        color: var(--muted);
      }
      .editor {
        min-height: 14rem;
      }
      .versions {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--s3);
      }
      .versions.both {
        grid-template-columns: repeat(2, minmax(0, 1fr));
      }
      pre {
        margin: 0;
        min-height: 14rem;
        max-height: 60vh;
        overflow: auto;
        font: var(--small) / 1.6 var(--mono);
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        padding: var(--s3);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        tab-size: 2;
      }
      @media (max-width: 60rem) {
        .versions.both {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  declare model: Model;
  declare edit: Edit;
  /** The znode as it is now; null where it is gone. */
  declare znode: LiveZnode | null;
  /** The editor and the edit that stands in it. */
  #editor: { readonly of: Edit; readonly text: TextEditor } | null = null;
  #isLoading = false;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#closeEditor();
  }

  override render(): TemplateResult {
    const { edit, znode } = this;
    // While a save is under way its own change may be what is seen: the reply will tell.
    const isOther = znode !== null && !edit.isSaving && (znode.stat.version !== edit.version || znode.stat.czxid !== edit.czxid);
    const changed = isOther ? znode : null;
    const off = edit.isSaving || this.model.connection !== "connected";
    return html`
      <h3>Editing version ${edit.version}</h3>
      ${this.#warning(changed)}
      <div class="versions ${changed === null ? "" : "both"}">
        <section>
          ${changed === null ? nothing : html`<h3>Yours, from version ${edit.version}</h3>`}
          <div class="editor"></div>
        </section>
        ${changed === null ? nothing : html`<section><h3>Theirs, version ${changed.stat.version}</h3><pre tabindex="0">${headOf(editable(changed))}</pre></section>`}
      </div>
      <div class="row">
        ${
          changed === null
            ? html`<button class="primary" ?disabled=${off || znode === null} @click=${() => this.#save()}>Save</button>`
            : html`<button ?disabled=${off} @click=${() => this.#rebase(changed)}>Save mine over theirs</button>
                <button @click=${() => this.#takeTheirs(changed)}>Use theirs</button>
                <button class="primary" @click=${() => void this.#merge(changed)}>Merge both</button>`
        }
        <button @click=${() => this.#end(null)}>Cancel</button>
        ${this.#fault()}
      </div>
    `;
  }

  override updated(_changed: PropertyValues): void {
    const { edit } = this;
    if (this.#editor?.of !== edit) return void this.#openEditor();
    const { text } = this.#editor;
    if (text.text !== edit.text) text.show(edit.text);
    text.freeze(edit.isSaving);
  }

  get #isJson(): boolean {
    const { base, text, isHex } = this.edit;
    return !isHex && looksLikeJson(base) && Math.max(base.length, text.length) <= jsonUnitsMax;
  }

  async #openEditor(): Promise<void> {
    if (this.#isLoading) return;
    this.#isLoading = true;
    this.#closeEditor();
    try {
      const { createTextEditor } = await import("../parts/text-editor.ts");
      const place = this.renderRoot.querySelector<HTMLElement>(".editor");
      const { edit } = this;
      if (!this.isConnected || place === null) return;
      const text = createTextEditor(place, {
        text: edit.text,
        label: "Data",
        isJson: this.#isJson,
        onInput: (typed) => {
          edit.text = typed;
          this.requestUpdate();
        },
        onSave: () => void this.#save(),
        onEscape: () => edit.text === edit.base && this.#end(null),
      });
      this.#editor = { of: edit, text };
      text.focus();
    } catch {
      this.edit.problem = "The editor could not be loaded. Check the connection, then cancel and edit again. Nothing was changed.";
      this.requestUpdate();
    } finally {
      this.#isLoading = false;
    }
  }

  #closeEditor(): void {
    this.#editor?.text.end();
    this.#editor = null;
  }

  #warning(changed: LiveZnode | null): TemplateResult | typeof nothing {
    if (this.edit.problem !== null) return html`<p class="notice bad" role="alert">${this.edit.problem}</p>`;
    if (changed === null) return nothing;
    return html`<p class="notice warn" role="alert">
      The znode was changed while you were editing: it has version ${changed.stat.version} now. Nothing was overwritten.
    </p>`;
  }

  #fault(): TemplateResult | typeof nothing {
    const fault = this.#isJson ? jsonFault(this.edit.text) : null;
    return fault === null ? nothing : html`<span class="empty">This is not valid JSON: ${fault}</span>`;
  }

  async #save(): Promise<void> {
    const { edit } = this;
    if (edit.isSaving) return;
    const data = edit.isHex ? bytesOfHex(edit.text) : edit.text;
    if (data === null) {
      edit.problem = "Not valid hexadecimal: enter pairs of the digits 0 to 9 and a to f, optionally separated by white space.";
      return this.requestUpdate();
    }
    edit.isSaving = true;
    edit.problem = null;
    this.requestUpdate();
    try {
      const stat = await this.model.copse.set(edit.path, data, { version: edit.version, guard: { path: edit.path, czxid: edit.czxid } });
      this.#end(`Saved as version ${stat.version}.`, edit);
    } catch (error) {
      edit.isSaving = false;
      edit.problem = isCopseError(error, "BAD_VERSION")
        ? `Not saved: somebody has changed the znode since you began. It has version ${error.stat?.version}, and you began from ${edit.version}.`
        : sentence(error);
      this.requestUpdate();
    }
  }

  #rebase({ stat }: LiveZnode): void {
    this.edit.version = stat.version;
    this.edit.czxid = stat.czxid;
    this.edit.problem = null;
    void this.#save();
  }

  /** Goes on from theirs with both changes in the editor; nothing is saved. */
  async #merge(theirs: LiveZnode): Promise<void> {
    const { edit } = this;
    const { merge } = await import("../model/merge.ts");
    const text = editable(theirs);
    if (edit.isHex || theirs.bytes !== null) edit.problem = "Binary data can't be merged: choose one version.";
    else {
      const merged = merge(edit.base, edit.text, text);
      edit.text = merged.text;
      edit.base = text;
      edit.version = theirs.stat.version;
      edit.czxid = theirs.stat.czxid;
      edit.problem = merged.hasConflict ? "Both of you changed the same lines: they are marked below. Decide, then save." : null;
    }
    this.requestUpdate();
  }

  #takeTheirs(theirs: LiveZnode): void {
    const { edit } = this;
    edit.text = editable(theirs);
    edit.base = edit.text;
    edit.isHex = theirs.bytes !== null;
    edit.czxid = theirs.stat.czxid;
    edit.version = theirs.stat.version;
    edit.problem = null;
    this.requestUpdate();
  }

  /** The edit is over; `said` is what there is to say of it where it is still looked at. */
  #end(said: string | null, edit: Edit = this.edit): void {
    if (this.model.edits.get(edit.path) === edit) this.model.edits.delete(edit.path);
    const detail = this.model.selectedPath === edit.path ? said : null;
    this.dispatchEvent(new CustomEvent("ended", { detail }));
  }
}

customElements.define("copse-edit", EditView);
