/** What else can be done with a subtree: a menu behind one button. */
import { css, html, LitElement, type TemplateResult } from "lit";
import { controls } from "../parts/shared-styles.ts";
import type { Asked } from "./dialogs.ts";

const all: readonly (readonly [Asked, string])[] = [
  ["export", "Export"],
  ["import", "Import"],
  ["copy", "Copy to …"],
  ["move", "Move to …"],
];

export class MoreMenu extends LitElement {
  static override properties = { canWrite: { attribute: false }, isTop: { attribute: false }, isOff: { attribute: false } };
  static override styles = [
    controls,
    css`
      details {
        position: relative;
      }
      summary {
        list-style: none;
        padding: var(--s1) var(--s3);
        min-height: 2rem;
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--surface);
        font-size: var(--small);
        line-height: calc(1.5rem - 2px);
        cursor: pointer;
      }
      summary:hover {
        background: var(--raised);
      }
      div {
        position: absolute;
        inset-inline-end: 0;
        z-index: 1;
        display: flex;
        flex-direction: column;
        min-width: 9rem;
        margin-block-start: var(--s1);
        padding: var(--s1);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--surface);
      }
      div button {
        border: 0;
        text-align: start;
      }
    `,
  ];

  declare canWrite: boolean;
  /** The root can be copied into nothing but itself. */
  declare isTop: boolean;
  declare isOff: boolean;

  override render(): TemplateResult {
    const offered = all.filter(([asked]) => asked === "export" || (this.canWrite && (asked === "import" || !this.isTop)));
    return html`<details @keydown=${(event: KeyboardEvent) => event.key === "Escape" && this.#fold()}>
      <summary>More</summary>
      <div>${offered.map(([asked, title]) => html`<button ?disabled=${this.isOff} @click=${() => this.#ask(asked)}>${title}</button>`)}</div>
    </details>`;
  }

  #fold(): void {
    this.renderRoot.querySelector("details")?.removeAttribute("open");
  }

  #ask(asked: Asked): void {
    this.#fold();
    this.dispatchEvent(new CustomEvent("ask", { detail: asked, bubbles: true, composed: true }));
  }
}

customElements.define("copse-more", MoreMenu);
