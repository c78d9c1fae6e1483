/** What several views look alike in: buttons, fields, notices. */
import { css } from "lit";

/** A view that fills the page. */
export const wholeView = css`
  :host {
    display: block;
    min-height: 0;
  }
`;

export const controls = css`
  * {
    box-sizing: border-box;
  }
  button {
    font: inherit;
    font-size: var(--small);
    padding: var(--s1) var(--s3);
    min-height: 2rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--surface);
    color: var(--text);
    cursor: pointer;
  }
  button:hover:not(:disabled) {
    background: var(--raised);
  }
  button:disabled {
    opacity: 0.5;
    cursor: default;
  }
  button.primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  button.primary:hover:not(:disabled) {
    background: var(--accent);
    filter: brightness(1.12);
  }
  button.danger {
    color: var(--bad);
    border-color: var(--bad);
  }
  input,
  textarea,
  select {
    font: var(--small) / 1.5 var(--mono);
    color: var(--text);
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    padding: var(--s1) var(--s2);
    min-height: 2rem;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 1px;
  }
  .notice {
    margin: 0;
    padding: var(--s2) var(--s3);
    border-radius: var(--radius);
    font-size: var(--small);
  }
  .notice.warn {
    background: var(--warn-ground);
    color: var(--warn);
  }
  .notice.bad {
    background: var(--bad-ground);
    color: var(--bad);
  }
  .notice.good {
    background: var(--flash-created);
    color: var(--text);
  }
  .row {
    display: flex;
    gap: var(--s2);
    align-items: center;
    flex-wrap: wrap;
  }
  dl {
    margin: 0;
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr));
    gap: var(--s2) var(--s5);
    font-size: var(--small);
  }
  dl div {
    display: flex;
    justify-content: space-between;
    gap: var(--s3);
    border-bottom: 1px solid var(--line);
    padding-bottom: 2px;
  }
  dt {
    color: var(--muted);
  }
  dd {
    margin: 0;
    font-family: var(--mono);
    overflow-wrap: anywhere;
    text-align: end;
  }
  .view {
    display: flex;
    flex-direction: column;
    gap: var(--s4);
    padding: var(--s4) var(--s5);
    height: 100%;
    overflow: auto;
  }
  .view > h2 {
    font-size: var(--large);
    font-weight: 600;
  }
  .empty {
    color: var(--muted);
    font-size: var(--small);
  }
  .scrolls {
    overflow: auto;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--surface);
    flex: none;
  }
  table {
    border-collapse: collapse;
    width: 100%;
    font-size: var(--small);
  }
  th,
  td {
    padding: var(--s1) var(--s3);
    text-align: start;
    white-space: nowrap;
    border-block-end: 1px solid var(--line);
  }
  tr:last-child td {
    border-block-end: 0;
  }
  th {
    color: var(--muted);
    font-weight: 600;
    position: sticky;
    inset-block-start: 0;
    background: var(--raised);
  }
  td.number,
  th.number {
    text-align: end;
    font-variant-numeric: tabular-nums;
  }
  td.mono {
    font-family: var(--mono);
  }
  a {
    color: var(--accent);
  }
  h1,
  h2,
  h3,
  p {
    margin: 0;
  }
`;

/** Forms: their fields one below the other, each with its name above it. */
export const formStyle = css`
  form {
    display: flex;
    flex-direction: column;
    gap: var(--s3);
  }
  label {
    display: flex;
    flex-direction: column;
    gap: var(--s1);
    font-size: var(--small);
    color: var(--muted);
  }
`;

/** Dialogs: their frame, and the form in it. */
export const dialogStyle = css`
  ${formStyle}
  dialog {
    width: min(32rem, calc(100vw - 2rem));
    border: 1px solid var(--line);
    border-radius: 0.5rem;
    padding: var(--s5);
    background: var(--surface);
    color: var(--text);
  }
  dialog::backdrop {
    background: rgb(0 0 0 / 35%);
  }
  h2 {
    font-size: var(--large);
    overflow-wrap: anywhere;
  }
  textarea {
    min-height: 6rem;
  }
  .row {
    justify-content: flex-end;
  }
  code {
    font-family: var(--mono);
    overflow-wrap: anywhere;
  }
`;
