/**
 * Copying, moving and importing a subtree: first what it would do, then doing it, with a way to stop. Exporting needs no dialog.
 *
 * Invariants: nothing is written before the dry run was shown; what was prepared in one opening of the dialog is never run in another. A
 * move deletes only what it has copied whole and what is still as it was read; ephemerals, and what exists already, are no matter for it.
 */

import { absolutePath, nameOf } from "@copse/client/path";
import {
  type CarriedZnode,
  type Conflict,
  carrySubtree,
  isSameSubtree,
  planSubtree,
  type SubtreePlan,
  type Written,
  withAcls,
  writeSubtree,
} from "@copse/client/subtree";
import { formatSubtree, parseSubtree } from "@copse/client/subtree-text";
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { sentence } from "../parts/sentence.ts";
import { controls, dialogStyle } from "../parts/shared-styles.ts";
import { countOf, numberOf } from "../parts/wording.ts";

export type Transfer = "copy" | "move" | "import";

const titles: Readonly<Record<Transfer, string>> = { copy: "Copy", move: "Move", import: "Import below" };

interface Prepared {
  readonly what: Transfer;
  /** Where it comes from, or for an import where it goes. */
  readonly path: string;
  readonly top: string;
  readonly znodes: readonly CarriedZnode[];
  readonly ephemerals: readonly string[];
  readonly plan: SubtreePlan;
}

export class TransferDialog extends LitElement {
  static override properties = {
    model: { attribute: false },
    what: { state: true },
    prepared: { state: true },
    done: { state: true },
    problem: { state: true },
    conflict: { state: true },
    result: { state: true },
  };
  static override styles = [
    controls,
    dialogStyle,
    css`
      progress {
        width: 100%;
        accent-color: var(--accent);
      }
      ul {
        margin: 0;
        padding-inline-start: var(--s4);
        font: var(--small) / 1.5 var(--mono);
        overflow-wrap: anywhere;
      }
    `,
  ];

  declare model: Model;
  declare what: Transfer | null;
  /** The dry run, once it was made. */
  declare prepared: Prepared | null;
  /** Znodes that were looked at while it runs; null while nothing runs. */
  declare done: number | null;
  declare problem: string | null;
  declare conflict: Conflict;
  declare result: string | null;
  #path = "/";
  #stopping: AbortController = new AbortController();
  /** Something is under way. */
  #isBusy = false;

  constructor() {
    super();
    this.what = null;
    this.prepared = null;
    this.done = null;
    this.problem = null;
    this.conflict = "fail";
    this.result = null;
  }

  open(what: Transfer): void {
    this.what = what;
    this.prepared = null;
    this.done = null;
    this.problem = null;
    this.result = null;
    this.conflict = "fail";
    this.#path = this.model.selectedPath;
    void this.updateComplete.then(() => this.renderRoot.querySelector("dialog")?.showModal());
  }

  /** Saves the selected subtree as a file. */
  async export(): Promise<string> {
    const path = this.model.selectedPath;
    const { copse } = this.model;
    const { znodes, ephemerals } = await carrySubtree(copse, path);
    const { salt = "" } = await copse.ensemble();
    const lines = formatSubtree(await withAcls(copse, path, znodes), salt);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(
      new Blob(
        Array.from(lines, (line) => `${line}\n`),
        { type: "application/x-ndjson" },
      ),
    );
    link.download = `${nameOf(path) || "copse"}.ndjson`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    const left = ephemerals.length === 0 ? "" : `; ${countOf(ephemerals.length, "ephemeral")} left out`;
    return `Exported ${countOf(znodes.length, "znode")}${left}.`;
  }

  override render(): TemplateResult {
    const { what } = this;
    return html`<dialog @close=${() => this.#closed()} aria-labelledby="title">
      ${what === null ? nothing : html`<form @submit=${(event: SubmitEvent) => void this.#submit(event)}>${this.#body(what)}</form>`}
    </dialog>`;
  }

  #body(what: Transfer): TemplateResult {
    return html`<h2 id="title">${titles[what]} ${this.#path}</h2>
      ${
        what === "import"
          ? html`<label>File, as exported here or by the command line<input name="file" type="file" accept=".ndjson,.json,.txt" required ?disabled=${this.prepared !== null} /></label>`
          : html`<label>To path<input name="to" autocomplete="off" spellcheck="false" required ?readonly=${this.prepared !== null} .value=${`${this.#path}-${what === "move" ? "moved" : "copy"}`} /></label>`
      }
      ${this.prepared === null ? nothing : this.#plan(what, this.prepared)}
      ${this.done === null || this.prepared === null ? nothing : html`<progress aria-label="Progress" max=${this.prepared.znodes.length} value=${this.done}></progress>`}
      ${this.problem === null ? nothing : html`<p class="notice bad" role="alert">${this.problem}</p>`}
      ${this.result === null ? nothing : html`<p class="notice good" role="status">${this.result}</p>`}
      <div class="row">${this.#buttons(what)}</div>`;
  }

  #plan(what: Transfer, { znodes, ephemerals, plan, top }: Prepared): TemplateResult {
    return html`<p>
        ${countOf(znodes.length, "znode")} to <code>${top}</code>: ${numberOf(plan.created)} to create, ${numberOf(plan.presentCount)} exist already.
        ${what === "move" ? "Then the old ones are deleted, unless they are changed meanwhile." : ""}
      </p>
      ${ephemerals.length === 0 ? nothing : html`<p>Left out, because sessions own them, ${countOf(ephemerals.length, "ephemeral")}:</p><ul>${ephemerals.slice(0, 5).map((path) => html`<li>${path}</li>`)}</ul>`}
      ${
        plan.presentCount === 0
          ? nothing
          : html`<ul>${plan.present.map((path) => html`<li>${path}</li>`)}</ul>
              <label>
                Those that exist
                <select name="conflict" @change=${(event: Event) => (this.conflict = (event.target as HTMLSelectElement).value as Conflict)}>
                  <option value="fail">Stop at the first</option>
                  <option value="skip">Leave as they are</option>
                  <option value="overwrite">Overwrite their data</option>
                </select>
              </label>`
      }`;
  }

  #buttons(what: Transfer): TemplateResult {
    if (this.done !== null && this.result === null) {
      return html`<button type="button" @click=${() => this.#stopping.abort(stopped())}>Stop</button>`;
    }
    const close = (): void => this.renderRoot.querySelector("dialog")?.close();
    if (this.result !== null) return html`<button type="button" @click=${close}>Close</button>`;
    return html`<button type="button" @click=${close}>Cancel</button>
      <button class="primary">${this.prepared === null ? "Dry run" : what === "import" ? "Import" : titles[what]}</button>`;
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const { what } = this;
    if (this.#isBusy || what === null) return;
    this.#isBusy = true;
    this.problem = null;
    const fields = new FormData(event.target as HTMLFormElement);
    const { signal } = this.#stopping;
    const path = this.#path;
    try {
      if (this.prepared === null) {
        const prepared = await this.#prepare(what, path, fields);
        // Closed meanwhile: another opening knows nothing of it.
        if (!signal.aborted) this.prepared = prepared;
      } else {
        const result = await this.#run(this.prepared, signal);
        if (!signal.aborted) this.result = result;
      }
    } catch (error) {
      if (signal === this.#stopping.signal) this.problem = error instanceof Error && !("brand" in error) ? error.message : sentence(error);
    } finally {
      if (signal === this.#stopping.signal) {
        this.#isBusy = false;
        if (this.result === null) this.done = null;
        if (signal.aborted) this.#stopping = new AbortController();
      }
      this.requestUpdate();
    }
  }

  async #prepare(what: Transfer, path: string, fields: FormData): Promise<Prepared> {
    const { copse } = this.model;
    if (what === "import") {
      const znodes = znodesOf(await (fields.get("file") as File).text());
      if (znodes.length === 0) throw new Error("There is no znode in this file.");
      return { what, path, top: path, znodes, ephemerals: [], plan: await planSubtree(copse, path, znodes) };
    }
    const top = String(fields.get("to")).trim();
    if (top === path || top.startsWith(`${path}/`)) throw new Error("A znode can't be copied or moved into itself.");
    if (what === "move" && (top === "/" || path.startsWith(`${top}/`)))
      throw new Error("The target contains the source: moving there would delete it.");
    const { znodes, ephemerals } = await carrySubtree(copse, path);
    if (what === "move" && ephemerals.length > 0) {
      throw new Error(
        `Sessions own ${countOf(ephemerals.length, "ephemeral")} here, ${ephemerals[0]} for one: it can be copied, not moved.`,
      );
    }
    const whole = await withAcls(copse, path, znodes);
    const plan = await planSubtree(copse, top, whole);
    if (what === "move" && plan.presentCount > 0) throw new Error(`${plan.present[0]} exists already: move to another path.`);
    return { what, path, top, znodes: whole, ephemerals, plan };
  }

  async #run({ what, path, top, znodes }: Prepared, signal: AbortSignal): Promise<string> {
    const { copse } = this.model;
    this.done = 0;
    const onProgress = ({ written, skipped }: Written): void => {
      if (!signal.aborted) this.done = written + skipped;
    };
    const { written, skipped } = await writeSubtree(copse, top, znodes, { conflict: this.conflict, signal, onProgress });
    signal.throwIfAborted();
    if (what === "move") {
      const { znodes: now, ephemerals } = await carrySubtree(copse, path);
      if (ephemerals.length > 0 || !isSameSubtree(znodes, now))
        throw new Error("The source was changed after it was copied: nothing was deleted.");
      signal.throwIfAborted();
      await copse.delete(path, { recursive: true });
    }
    const first = znodes[0] === undefined ? top : absolutePath(top, znodes[0].path);
    this.dispatchEvent(new CustomEvent("choose", { detail: what === "import" ? path : first, bubbles: true, composed: true }));
    return `${countOf(written, "znode")} written${skipped > 0 ? `, ${numberOf(skipped)} left as they were` : ""}.`;
  }

  #closed(): void {
    this.#stopping.abort(stopped());
    this.#stopping = new AbortController();
    this.#isBusy = false;
    this.what = null;
  }
}

/** @throws Error that names the line, as a sentence */
function znodesOf(text: string): readonly CarriedZnode[] {
  try {
    return parseSubtree(text.split(/\r?\n/), { isUnchecked: !text.slice(0, 200).includes('{"copse":"subtree"') }).znodes;
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`${message.charAt(0).toUpperCase()}${message.slice(1)}.`);
  }
}

function stopped(): Error {
  return new Error("Stopped. What was written so far stays.");
}

customElements.define("copse-transfer", TransferDialog);

declare global {
  interface HTMLElementTagNameMap {
    "copse-transfer": TransferDialog;
  }
}
