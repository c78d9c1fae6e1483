/**
 * Names anywhere in the tree, found by the server: also below what was never expanded here.
 *
 * A search is a run of requests, each of which looks at a bounded number of znodes; what is found is shown as it comes, and a new
 * search, another view, or Stop ends it.
 */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Model } from "../model/model.ts";
import { znodeHash } from "../model/route.ts";
import { sentence } from "../parts/sentence.ts";
import { controls, wholeView } from "../parts/shared-styles.ts";
import { countOf, numberOf } from "../parts/wording.ts";

/** Paths that are shown: who finds more wants a longer text. */
const shownMax = 1_000;

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "running" }
  | { readonly kind: "done" }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly why: string };

export class SearchView extends LitElement {
  static override properties = { model: { attribute: false }, state: { state: true }, looked: { state: true } };
  static override styles = [
    controls,
    wholeView,
    css`
      form {
        display: flex;
        gap: var(--s2);
        flex-wrap: wrap;
      }
      input {
        flex: 1;
        max-width: 32rem;
        min-width: 8rem;
      }
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
        font: var(--small) / 1.9 var(--mono);
        overflow-wrap: anywhere;
      }
      mark {
        background: var(--selected);
        color: inherit;
      }
    `,
  ];

  declare model: Model;
  declare state: State;
  declare looked: number;
  #wanted = "";
  #paths: string[] = [];
  #run: AbortController | null = null;

  constructor() {
    super();
    this.state = { kind: "idle" };
    this.looked = 0;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#run?.abort();
  }

  override firstUpdated(): void {
    this.renderRoot.querySelector("input")?.focus();
  }

  override render(): TemplateResult {
    const isRunning = this.state.kind === "running";
    return html`<div class="view">
      <h2>Search</h2>
      <form @submit=${(event: SubmitEvent) => this.#begin(event)}>
        <input name="text" type="search" aria-label="Names that contain" placeholder="Names that contain …" spellcheck="false" autocomplete="off" required />
        <button class="primary">Search</button>
        ${isRunning ? html`<button type="button" @click=${() => this.#stop()}>Stop</button>` : nothing}
      </form>
      ${this.#said()}
      ${this.#paths.length === 0 ? nothing : html`<ul aria-label="Found">${this.#paths.map((path) => html`<li>${this.#link(path)}</li>`)}</ul>`}
    </div>`;
  }

  #said(): TemplateResult {
    const { state, looked } = this;
    const found = `${countOf(this.#paths.length, "path")} found in ${countOf(looked, "znode")}`;
    switch (state.kind) {
      case "idle":
        return html`<p class="empty">Searches the whole tree, including parts that are not expanded. Case is ignored.</p>`;
      case "running":
        return html`<p class="empty" role="status">${found} so far …</p>`;
      case "stopped":
        return html`<p class="notice warn" role="status">${found}. ${this.#paths.length >= shownMax ? `The first ${numberOf(shownMax)} are shown: a longer text finds fewer.` : "Stopped before the end."}</p>`;
      case "done":
        return html`<p class="empty" role="status">${found}${this.#paths.length === 0 ? ": no name contains that text" : ""}.</p>`;
      case "failed":
        return html`<p class="notice bad" role="alert">${state.why}</p>`;
    }
  }

  #link(path: string): TemplateResult {
    const at = path.toLowerCase().indexOf(this.#wanted.toLowerCase(), path.lastIndexOf("/") + 1);
    const end = at + this.#wanted.length;
    return html`<a href=${znodeHash(path)}>${at < 0 ? path : html`${path.slice(0, at)}<mark>${path.slice(at, end)}</mark>${path.slice(end)}`}</a>`;
  }

  #begin(event: SubmitEvent): void {
    event.preventDefault();
    this.#run?.abort();
    this.#run = new AbortController();
    this.#wanted = String(new FormData(event.target as HTMLFormElement).get("text"));
    this.#paths = [];
    this.looked = 0;
    this.state = { kind: "running" };
    void this.#search(this.#wanted, this.#run.signal);
  }

  #stop(): void {
    this.#run?.abort();
    this.state = { kind: "stopped" };
  }

  async #search(contains: string, signal: AbortSignal): Promise<void> {
    try {
      for (let after: string | null | undefined; after !== null; ) {
        const page = await this.model.copse.search("/", contains, { signal, ...(after === undefined ? {} : { after }) });
        if (signal.aborted) return;
        after = page.after;
        this.#paths.push(...page.paths.slice(0, shownMax - this.#paths.length));
        this.looked += page.looked;
        if (this.#paths.length >= shownMax && after !== null) return this.#stop();
      }
      this.state = { kind: "done" };
    } catch (error) {
      if (!signal.aborted) this.state = { kind: "failed", why: sentence(error) };
    }
  }
}

customElements.define("copse-search", SearchView);
