/** A real Chromium, and a page that tells of everything it should not do. */
import { type Browser, chromium, type Page } from "playwright";
import { expect } from "vitest";

export const chromiumFlags: readonly string[] =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(
    " ",
  );

/** `npm test` finds or installs it, and says where. */
export function launch(): Promise<Browser> {
  const executablePath = process.env["COPSE_CHROMIUM"];
  return chromium.launch({ ...(executablePath === undefined ? {} : { executablePath }), args: [...chromiumFlags] });
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors, policy reports and dialogs: anything that should never happen. */
  readonly complaints: string[];
}

export async function openPage(browser: Browser, url: string): Promise<WatchedPage> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A connection that is refused while the hub is down is told by the browser itself.
    if (message.type() === "error" && !message.text().includes("WebSocket connection")) complaints.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  await page.goto(url);
  return { page, complaints };
}

/** Notes from now on what holds the page up: tasks of more than 50 ms. Gives what looks at the longest so far, in milliseconds. */
export async function watchLongTasks(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const tasks: number[] = [];
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) tasks.push(duration);
    }).observe({ type: "longtask" });
    Object.assign(window, { tasks });
  });
  return () => page.evaluate(() => Math.max(0, ...(window as unknown as { tasks: number[] }).tasks));
}

export function expectNoComplaints({ complaints }: WatchedPage): void {
  expect(complaints).toEqual([]);
}
