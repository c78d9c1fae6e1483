/**
 * The two dialogs: a new child, and deleting. Native dialogs, so focus, Escape and the page behind are the browser's work.
 */

import { joinPath, parentOf } from "@copse/client/path";
import { html, LitElement, nothing, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { sentence } from "../parts/sentence.ts";
import { controls, dialogStyle } from "../parts/shared-styles.ts";

export type Asked = "create" | "delete" | "export" | "import" | "copy" | "move";

export class ActionDialog extends LitElement {
  static override properties = {
    model: { attribute: false },
    asked: { state: true },
    problem: { state: true },
    kind: { state: true },
    below: { state: true },
  };
  static override styles = [controls, dialogStyle];

  declare model: Model;
  declare asked: "create" | "delete" | null;
  declare problem: string | null;
  /** Of the znode to create. */
  declare kind: string;
  /** How many znodes are below the one to delete; null until that is known. */
  declare below: number | null;
  #path = "/";

  constructor() {
    super();
    this.asked = null;
    this.problem = null;
    this.kind = "persistent";
    this.below = null;
  }

  /** Opens the dialog for the selected znode. */
  open(asked: "create" | "delete"): void {
    this.asked = asked;
    this.problem = null;
    this.#path = this.model.selectedPath;
    this.kind = "persistent";
    this.below = null;
    // Where it can't be counted, the number of children has to do.
    if (asked === "delete")
      void this.model.copse.count(this.#path).then(
        (count) => (this.below = count),
        () => {},
      );
    void this.updateComplete.then(() => this.renderRoot.querySelector("dialog")?.showModal());
  }

  override render(): TemplateResult {
    return html`<dialog @close=${() => (this.asked = null)} aria-labelledby="title">
      ${this.asked === "create" ? this.#create() : this.asked === "delete" ? this.#delete() : nothing}
    </dialog>`;
  }

  #create(): TemplateResult {
    return html`<form method="dialog" @submit=${(event: SubmitEvent) => this.#submit(event)}>
      <h2 id="title">New child of ${this.#path}</h2>
      <label>Name<input name="name" autocomplete="off" autofocus pattern="[^\\/]*" title="A name has no /: create one level at a time" /></label>
      <label>
        Kind
        <select name="kind" @change=${(event: Event) => (this.kind = (event.target as HTMLSelectElement).value)}>
          <option value="persistent">Persistent: stays until it is deleted</option>
          <option value="sequential">Sequential: a number is appended to the name</option>
          <option value="ttl">TTL: deleted once it has no children and has not changed for the given time</option>
          <option value="container">Container: removed once its last child is gone</option>
          <option value="ephemeral">Ephemeral: lives as long as this page's session</option>
          <option value="ephemeral-sequential">Ephemeral and sequential</option>
        </select>
      </label>
      ${this.kind === "ttl" ? html`<label>Time to live, in seconds<input name="ttl" type="number" min="1" value="60" required /></label>` : nothing}
      <label>Data<textarea name="data" spellcheck="false"></textarea></label>
      ${this.#buttons("Create", "primary")}
    </form>`;
  }

  #delete(): TemplateResult {
    const { selected } = this.model;
    const below = selected.kind === "present" ? selected.znode.stat.numChildren : 0;
    return html`<form method="dialog" @submit=${(event: SubmitEvent) => this.#submit(event)}>
      <h2 id="title">Delete ${this.#path}</h2>
      ${
        below === 0
          ? html`<p>The znode and its data are permanently deleted.</p>`
          : html`<p>The znode has ${below === 1 ? "one child" : `${below.toLocaleString("en")} children`}. All descendants are permanently deleted with it, in one transaction${this.below === null ? "" : `: ${(this.below + 1).toLocaleString("en")} znodes`}.</p>
            <label><span>Type <code>${this.#path}</code> to go on</span><input name="confirm" autocomplete="off" autofocus /></label>`
      }
      ${this.#buttons("Delete", "danger")}
    </form>`;
  }

  #buttons(label: string, kind: string): TemplateResult {
    return html`${this.problem === null ? nothing : html`<p class="notice bad" role="alert">${this.problem}</p>`}
      <div class="row">
        <button type="button" @click=${() => this.#close()}>Cancel</button>
        <button class=${kind}>${label}</button>
      </div>`;
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const fields = new FormData(event.target as HTMLFormElement);
    try {
      if (this.asked === "create") await this.#doCreate(fields);
      else await this.#doDelete(fields);
      this.#close();
    } catch (error) {
      this.problem = sentence(error);
    }
  }

  async #doCreate(fields: FormData): Promise<void> {
    const kind = String(fields.get("kind"));
    const data = String(fields.get("data"));
    const name = String(fields.get("name"));
    const isSequential = kind === "sequential" || kind === "ephemeral-sequential";
    if (name === "" && !isSequential) throw "Give it a name.";
    const path = joinPath(this.#path, name);
    const created = await this.model.copse.create(path, data === "" ? null : data, {
      sequential: isSequential,
      container: kind === "container",
      ephemeral: kind === "ephemeral" || kind === "ephemeral-sequential",
      ...(kind === "ttl" ? { ttl: Number(fields.get("ttl")) * 1_000 } : {}),
    });
    this.dispatchEvent(new CustomEvent("choose", { detail: created.path, bubbles: true, composed: true }));
  }

  async #doDelete(fields: FormData): Promise<void> {
    const path = this.#path;
    const confirm = fields.get("confirm");
    if (confirm !== null && confirm !== path) throw "This is not the path.";
    await this.model.copse.delete(path, { recursive: confirm !== null });
    const parent = parentOf(path);
    this.dispatchEvent(new CustomEvent("choose", { detail: parent, bubbles: true, composed: true }));
  }

  #close(): void {
    this.renderRoot.querySelector("dialog")?.close();
  }
}

customElements.define("copse-dialog", ActionDialog);

declare global {
  interface HTMLElementTagNameMap {
    "copse-dialog": ActionDialog;
  }
}
