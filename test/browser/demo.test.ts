/** `npm run demo`, as a newcomer starts it: the page follows the config, the workers take turns. */
import { join } from "node:path";
import type { Browser } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { expectNoComplaints, launch, openPage } from "../support/chromium.ts";
import { copse, freePort, killAll, Process, root } from "../support/processes.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  killAll();
});

/** The issue asks for a second; a test on a busy machine allows five. The bench reports the figure. */
const shownMsMax = 5_000;

it("shows a value soon after copse set, changes it itself, and three workers count without a gap", async () => {
  const [port, pagePort] = [await freePort(), await freePort()];
  const env = { ...process.env, COPSE_DEMO_PORT: String(port), COPSE_DEMO_PAGE_PORT: String(pagePort) };
  const demo = new Process(process.execPath, [join(root, "apps/cli/bin/demo.js")], { cwd: root, env });
  const [, address] = await demo.printed(/Open\s+(http:\S+)/);
  const opened = await openPage(browser, address!);
  const { page } = opened;
  await page.getByRole("heading", { name: "The copse shop" }).waitFor();
  const url = `ws://127.0.0.1:${port}`;
  await copse(url, "set", "/config/web", '{"title":"Set from outside","theme":"dark","limit":7,"banner":"now"}');
  await page.getByRole("heading", { name: "Set from outside" }).waitFor({ timeout: shownMsMax });
  expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
  await page.getByRole("button", { name: "Raise the limit" }).click();
  await page.getByText("8", { exact: true }).waitFor();
  expect(JSON.parse((await copse(url, "get", "/config/web")).out)).toMatchObject({ limit: 8 });
  await demo.printed(/count 6\b/);
  const counts = [...demo.out.matchAll(/count (\d+)/g)].map((found) => Number(found[1]));
  expect(counts).toEqual(counts.map((_, at) => at + 1));
  expect(new Set([...demo.out.matchAll(/^(\w+): turn/gm)].map((found) => found[1])).size).toBe(3);
  expectNoComplaints(opened);
  demo.child.kill("SIGTERM");
  expect(await demo.exited).toBe(0);
});
