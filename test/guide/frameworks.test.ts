/** The guide's snippets for frameworks, bundled as an application would, in a real Chromium against a real hub. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect } from "@copse/client";
import { compile } from "svelte/compiler";
import { build, type Plugin, transformWithOxc } from "vite";
import { expect, it } from "vitest";
import { expectNoComplaints, launch, openPage } from "../support/chromium.ts";
import { startHub } from "../support/hub.ts";
import { root } from "../support/processes.ts";

const snippets = join(root, "apps/docs/snippets");

const main = (url: string): string => `
  import { connect } from "@copse/client";
  import { createElement } from "react";
  import { createRoot } from "react-dom/client";
  import { mount } from "svelte";
  import { webConfig } from "${snippets}/web-config.ts";
  import { showTheme } from "${snippets}/plain.ts";
  import { Theme } from "${snippets}/react.tsx";
  import SvelteTheme from "${snippets}/Theme.svelte";
  import { defineTheme } from "${snippets}/lit.ts";
  const config = webConfig(await connect(${JSON.stringify(url)}));
  const place = (id) => document.body.appendChild(Object.assign(document.createElement("div"), { id }));
  showTheme(place("plain"), config);
  createRoot(place("react")).render(createElement(Theme, { config }));
  mount(SvelteTheme, { target: place("svelte"), props: { config } });
  defineTheme("lit-theme", config);
  place("lit").append(document.createElement("lit-theme"));
`;

const entry = "virtual:main";

function sources(url: string): Plugin {
  return {
    name: "snippets",
    resolveId: (id) => (id === entry ? join(root, "apps/docs/main.js") : null),
    load: (id) => (id === join(root, "apps/docs/main.js") ? main(url) : null),
    async transform(code, id) {
      if (!id.endsWith(".svelte")) return null;
      const { js } = compile(code, { filename: id, generate: "client" });
      return (await transformWithOxc(js.code, `${id}.ts`)).code;
    },
  };
}

it("each shows the value, and each change of it", async () => {
  const hub = await startHub();
  const copse = await connect(hub.url);
  await copse.create("/config/web", '{"theme":"light","limit":1}', { parents: true });
  const result = await build({
    root: join(root, "apps/docs"),
    configFile: false,
    logLevel: "error",
    mode: "production",
    define: { "process.env.NODE_ENV": JSON.stringify("production") },
    oxc: { jsx: { runtime: "automatic", development: false } },
    plugins: [sources(hub.url)],
    build: { write: false, target: "es2022", modulePreload: false, rollupOptions: { input: entry } },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !("output" in output)) throw new Error("nothing was bundled");
  const [chunk] = output.output;
  const server = createServer((request, response) => {
    const isPage = request.url === "/";
    response.writeHead(200, { "Content-Type": isPage ? "text/html" : "text/javascript" });
    response.end(
      isPage ? '<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="/main.js"></script>' : chunk.code,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await launch();
  const opened = await openPage(browser, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  expectNoComplaints(opened);
  for (const theme of ["light", "dark", "light again"]) {
    await copse.set("/config/web", JSON.stringify({ theme, limit: 1 }));
    for (const id of ["plain", "react", "svelte", "lit"]) await opened.page.locator(`#${id}`).getByText(theme, { exact: true }).waitFor();
  }
  // All of them follow one subscription.
  expect(hub.member.figures.subscriptions).toBe(1);
  expectNoComplaints(opened);
  await browser.close();
  await new Promise((resolve) => server.close(resolve));
  await copse.close();
  await hub.destroy();
});

it("the guide shows these very files", () => {
  const page = readFileSync(join(root, "apps/docs/frameworks.md"), "utf8");
  for (const name of ["web-config.ts", "plain.ts", "react.tsx", "Theme.svelte", "lit.ts"]) expect(page).toContain(`<<< ./snippets/${name}`);
});
