/** A znode's stat, in words. */
import type { Stat } from "@copse/client";
import { html, type TemplateResult } from "lit";
import { timeOf } from "./wording.ts";

/** @param session the page's own, or null */
export function statOf(stat: Stat, session: string | null): TemplateResult {
  const owner = stat.ephemeralOwner;
  const entries: [string, string][] = [
    ["version", String(stat.version)],
    ["children", stat.numChildren.toLocaleString("en")],
    ["bytes", stat.dataLength.toLocaleString("en")],
    ["created", timeOf(stat.ctime)],
    ["changed", timeOf(stat.mtime)],
    ["czxid", String(stat.czxid)],
    ["mzxid", String(stat.mzxid)],
    ["pzxid", String(stat.pzxid)],
    ["cversion", String(stat.cversion)],
    ["aversion", String(stat.aversion)],
  ];
  if (owner !== null) entries.push(["owner", owner === session ? "this page" : owner]);
  if (stat.ttl !== undefined) entries.push(["ttl", `${stat.ttl} ms`]);
  if (stat.container === true) entries.push(["kind", "container"]);
  return html`<section>
    <h3>Stat</h3>
    <dl>
      ${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  </section>`;
}
