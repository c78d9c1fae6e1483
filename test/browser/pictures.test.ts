/**
 * The pictures of the page that the README and the guide show, taken of a real hub with a small shop in it. With COPSE_PICTURES=1 they are
 * written where the guide has them; otherwise the test only sees that the page still looks like what they show.
 */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Copse, connect } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import { services } from "@copse/recipes/service";
import type { Browser } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch } from "../support/chromium.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { root } from "../support/processes.ts";

const folder = process.env["COPSE_PICTURES"] === "1" ? join(root, "apps/docs/public") : join(root, "test/.artifacts/pictures");
const inspector = join(root, "apps/cli/dist/inspector");

let browser: Browser;
let hub: Hub;
let copse: Copse;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  const { readPage } = await import("../../apps/cli/src/inspector-files.ts");
  hub = await startHub({ files: readPage(inspector) });
  copse = await connect(hub.url);
  browser = await launch();
  await copse.create("/config/web", '{\n  "theme": "light",\n  "limit": 20,\n  "banner": "Free shipping until Sunday"\n}', {
    parents: true,
  });
  await copse.create("/config/mail", '{ "from": "shop@example.com" }');
  for (const name of ["/jobs/job-", "/jobs/job-"]) await copse.create(name, "resize", { sequential: true, parents: true });
  await lock(copse, "/locks/billing");
  await services(copse).register("payments", { url: "https://10.0.0.7:8443", zone: "a" }, { id: "pay-1" });
  await services(copse).register("payments", { url: "https://10.0.0.8:8443", zone: "b" }, { id: "pay-2" });
});
afterAll(async () => {
  await browser?.close();
  await copse?.close();
  await hub?.destroy();
});

it.each(["light", "dark"] as const)("show the tree, in %s", async (colorScheme) => {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1_120, height: 560 }, deviceScaleFactor: 2 });
  await page.goto(`http://127.0.0.1:${hub.port}/#/n/config/web`);
  await page.getByText("Free shipping until Sunday").waitFor();
  // Rows move when children come: each click waits for those of the one before.
  const row = (path: string): string => `[role=treeitem][data-path="${path}"]`;
  await page.locator(row("/config/mail")).waitFor();
  for (const [path, child] of [
    ["/jobs", "/jobs/job-0000000000"],
    ["/locks", "/locks/billing"],
    ["/services", "/services/payments"],
  ] as const) {
    await page.locator(`${row(path)} .twist`).click();
    await page.locator(row(child)).waitFor();
  }
  await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== "running"));
  const file = join(folder, `inspector-${colorScheme}.png`);
  await page.screenshot({ path: file });
  expect(statSync(file).size).toBeGreaterThan(30_000);
  await page.close();
});
