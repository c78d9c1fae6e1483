/** A znode without interpretation. */
import type { LiveZnode } from "@copse/client";
import { html, type TemplateResult } from "lit";
import { hexOf } from "./data-forms.ts";

/** Bytes that are shown as numbers. */
const rawBytes = 4_096;

/** The bytes of a znode, and the command and code that lead to it. */
export function rawOf({ path, data, bytes, stat, isDenied }: LiveZnode): TemplateResult {
  const head = (bytes ?? new TextEncoder().encode((data ?? "").slice(0, rawBytes))).subarray(0, rawBytes);
  const quoted = `'${path.replaceAll("'", "'\\''")}'`;
  const lines: [string, string][] = [
    ["Path", path],
    ["Command", `npx copse --url ${location.origin.replace(/^http/, "ws")} get ${quoted}`],
    ["Code", `copse.store(${JSON.stringify(path)}).subscribe((value) => …)`],
  ];
  return html`${lines.map(
    ([name, text]) => html`<section>
        <h3>${name}</h3>
        <div class="row">
          <pre class="line">${text}</pre>
          <button @click=${() => void navigator.clipboard.writeText(text)}>Copy</button>
        </div>
      </section>`,
  )}
    <section>
      <h3>Bytes${stat.dataLength > rawBytes ? `, the first ${rawBytes.toLocaleString("en")} of ${stat.dataLength.toLocaleString("en")}` : ""}</h3>
      ${isDenied || head.length === 0 ? html`<p class="empty">${isDenied ? "They may not be read." : "None."}</p>` : html`<pre tabindex="0" aria-label="Bytes">${hexOf(head)}</pre>`}
    </section>`;
}
