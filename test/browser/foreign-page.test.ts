/** A page of an origin that the hub does not list: it may not connect, and both sides say so. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { openWindow, type Window } from "../support/devtools.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { serveModulePage } from "../support/module-page.ts";

let hub: Hub;
let window: Window;

/** What the page's own script keeps for us to look at. */
declare const page: { readonly said: string; readonly opened: number };

beforeAll(async () => {
  hub = await startHub({ advertise: "wss://hub.example.com", origins: ["https://app.example.com"] });
  window = await openWindow();
});
afterAll(async () => {
  await window?.close();
  await hub?.destroy();
});

it("is refused before a credential is sent; its client says why, and the hub counts it", async () => {
  const served = await serveModulePage(`
    import { connect } from "@copse/client";
    const auth = () => { window.page.asked++; return []; };
    window.page = { said: "", asked: 0 };
    await connect("ws://127.0.0.1:${hub.port}", { auth, connectTimeoutMs: 1_000 }).catch((error) => { window.page.said = error.message; });
  `);
  const tab = await window.open(`${served.url}/page`);
  await tab.until("has said why", () => page.said !== "");
  expect(await tab.run(() => page.said)).toMatch(
    /^TIMEOUT: not connected in 1000 ms: ws:.*: could not connect: the browser's console says why$/,
  );
  const metrics = await (await fetch(`http://127.0.0.1:${hub.port}/metrics`)).text();
  expect(Number(/copse_upgrades_refused_total\{reason="origin"\} (\d+)/.exec(metrics)?.[1])).toBeGreaterThan(0);
  await served.close();
});
