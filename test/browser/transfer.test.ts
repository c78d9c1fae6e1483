/** The inspector's copy, move, import and export of subtrees: a dry run first, a result that is right afterwards. */
import { readFileSync } from "node:fs";
import { type Copse, connect } from "@copse/client";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectNoComplaints, launch, openPage, type WatchedPage } from "../support/chromium.ts";
import { temporaryFolder } from "../support/hub.ts";
import { copse as command, freePort, killAll, type ServedHub, serve } from "../support/processes.ts";

let browser: Browser;
let hub: ServedHub;
let copse: Copse;

beforeAll(async () => {
  hub = await serve(temporaryFolder("transfer"), await freePort(), "--log-level", "error");
  copse = await connect(hub.url);
  await copse.create("/from/a/deep", "deep", { parents: true });
  await copse.set("/from", "top");
  await copse.create("/from/bytes", new Uint8Array([0, 255]));
  await copse.create("/from/null");
  await copse.create("/from/session", "mine", { ephemeral: true });
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await copse?.close();
  killAll();
});

async function choose(path: string, what: string): Promise<WatchedPage> {
  const opened = await openPage(browser, `${hub.page}/#/n${path}`);
  await opened.page.getByRole("heading", { name: path, exact: true }).waitFor();
  await opened.page.getByText("More", { exact: true }).click();
  await opened.page.getByRole("button", { name: what }).click();
  return opened;
}

async function contentsOf(path: string): Promise<unknown[]> {
  const { out } = await command(hub.url, "export", path);
  return out
    .trim()
    .split("\n")
    .slice(1, -1)
    .map((line) => {
      const { path: at, data, data64 } = JSON.parse(line) as Record<string, unknown>;
      return { path: at, data, data64 };
    });
}

function button(page: Page, name: string): ReturnType<Page["locator"]> {
  return page.getByRole("dialog").getByRole("button", { name, exact: true });
}

describe("a subtree", () => {
  it("is copied as the dry run said, without its ephemerals; and again over what is there, as chosen", async () => {
    const opened = await choose("/from", "Copy to …");
    const { page } = opened;
    await page.getByRole("textbox", { name: "To path" }).fill("/from/inside");
    await button(page, "Dry run").click();
    await page.getByText("A znode can't be copied or moved into itself.").waitFor();
    await page.getByRole("textbox", { name: "To path" }).fill("/copies/one");
    await button(page, "Dry run").click();
    await page.getByText("5 znodes to /copies/one: 5 to create, 0 exist already.").waitFor();
    await page.getByRole("dialog").getByText("/from/session").waitFor();
    expect(await copse.exists("/copies/one")).toBeNull();
    await button(page, "Copy").click();
    await page.getByText("5 znodes written.").waitFor();
    expect(await contentsOf("/copies/one")).toEqual(await contentsOf("/from"));
    await button(page, "Close").click();
    await copse.set("/copies/one/a/deep", "changed");
    await page.goto(`${hub.page}/#/n/from`);
    await page.getByRole("heading", { name: "/from", exact: true }).waitFor();
    for (const [policy, deep, said] of [
      ["skip", "changed", "0 znodes written, 5 left as they were."],
      ["overwrite", "deep", "5 znodes written."],
    ] as const) {
      await page.getByText("More", { exact: true }).click();
      await page.getByRole("button", { name: "Copy to …" }).click();
      await page.getByRole("textbox", { name: "To path" }).fill("/copies/one");
      await button(page, "Dry run").click();
      await page.getByText("0 to create, 5 exist already.").waitFor();
      await page.getByRole("combobox", { name: "Those that exist" }).selectOption(policy);
      await button(page, "Copy").click();
      await page.getByText(said).waitFor();
      expect((await copse.get("/copies/one/a/deep")).data).toBe(deep);
      await button(page, "Close").click();
      await page.goto(`${hub.page}/#/n/from`);
      await page.getByRole("heading", { name: "/from", exact: true }).waitFor();
    }
    expectNoComplaints(opened);
    await page.close();
  });

  it("keeps its ACLs and kinds when it is copied, and is not moved where that would lose anything", async () => {
    await copse.create("/kinds/ttl", "x", { parents: true, ttl: 90_000 });
    await copse.setAcl("/kinds", [{ scheme: "world", id: "anyone", perms: ["read", "create", "delete", "admin"] }]);
    const opened = await choose("/kinds", "Copy to …");
    const { page } = opened;
    await page.getByRole("textbox", { name: "To path" }).fill("/kinds-too");
    await button(page, "Dry run").click();
    await button(page, "Copy").click();
    await page.getByText("2 znodes written.").waitFor();
    expect((await copse.getAcl("/kinds-too")).acl).toEqual((await copse.getAcl("/kinds")).acl);
    expect((await copse.get("/kinds-too/ttl")).stat.ttl).toBe(90_000);
    await page.close();
    for (const [from, to, said] of [
      ["/from", "/elsewhere", "Sessions own 1 ephemeral here"],
      ["/kinds", "/from", "/from exists already"],
      ["/kinds/ttl", "/kinds", "The target contains the source: moving there would delete it."],
    ] as const) {
      const { page: other } = await choose(from, "Move to …");
      await other.getByRole("textbox", { name: "To path" }).fill(to);
      await button(other, "Dry run").click();
      await other.getByText(said).waitFor();
      expect(await button(other, "Move").count()).toBe(0);
      await other.close();
    }
    expect(await copse.exists("/from/session")).not.toBeNull();
    expectNoComplaints(opened);
  });

  it("is moved: there afterwards, and gone where it was", async () => {
    const before = await contentsOf("/copies/one");
    const opened = await choose("/copies/one", "Move to …");
    const { page } = opened;
    await page.getByRole("textbox", { name: "To path" }).fill("/moved");
    await button(page, "Dry run").click();
    await page.getByText("Then the old ones are deleted").waitFor();
    await button(page, "Move").click();
    await page.getByText("5 znodes written.").waitFor();
    expect(await copse.exists("/copies/one")).toBeNull();
    expect(await contentsOf("/moved")).toEqual(before);
    expectNoComplaints(opened);
    await page.close();
  });

  it("is exported to a file and imported from it, and what is no export is refused by its line", async () => {
    const opened = await openPage(browser, `${hub.page}/#/n/from`);
    const { page } = opened;
    await page.getByText("More", { exact: true }).click();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByText("Exported 5 znodes; 1 ephemeral left out.").waitFor();
    const file = await (await download).path();
    const [head, first] = readFileSync(file, "utf8").split("\n");
    expect(head).toContain('{"copse":"subtree"');
    expect(first).toContain('{"path":".","data":"top","acl":');
    await copse.create("/imported");
    await page.goto(`${hub.page}/#/n/imported`);
    await page.getByRole("heading", { name: "/imported" }).waitFor();
    await page.getByText("More", { exact: true }).click();
    await page.getByRole("button", { name: "Import" }).click();
    await page
      .getByLabel("File")
      .setInputFiles({ name: "bad.ndjson", mimeType: "text/plain", buffer: Buffer.from('{"path":"."}\n{"data":1}\n') });
    await button(page, "Dry run").click();
    await page.getByText("Line 2 has no path.").waitFor();
    await page.getByLabel("File").setInputFiles(file);
    await button(page, "Dry run").click();
    await page.getByText("4 to create, 1 exist already.").waitFor();
    await button(page, "Import").click();
    await page.getByText("A znode of this name exists already.").waitFor();
    await page.getByRole("combobox", { name: "Those that exist" }).selectOption("overwrite");
    await button(page, "Import").click();
    await page.getByText("5 znodes written.").waitFor();
    expect(await contentsOf("/imported")).toEqual(await contentsOf("/from"));
    expectNoComplaints(opened);
    await page.close();
  });

  it("of many can be stopped: what was written stays whole", async () => {
    const count = 20_000;
    const text = Array.from({ length: count }, (_, at) =>
      JSON.stringify({ path: `n${String(at).padStart(5, "0")}`, data: "x".repeat(50) }),
    ).join("\n");
    await copse.create("/stopped");
    const opened = await choose("/stopped", "Import");
    const { page } = opened;
    await page.getByLabel("File").setInputFiles({ name: "many.ndjson", mimeType: "text/plain", buffer: Buffer.from(text) });
    await button(page, "Dry run").click();
    await page.getByText("20,000 to create").waitFor();
    // The moment it runs, before the first batch is through.
    await page.evaluate(() => {
      const root = document.querySelector("copse-inspector")!.shadowRoot!.querySelector("copse-transfer")!.shadowRoot!;
      root.querySelector<HTMLButtonElement>("button.primary")!.click();
      const stop = (): void => {
        const progress = root.querySelector("progress");
        if (progress === null || progress.value === 0) requestAnimationFrame(stop);
        else root.querySelector<HTMLButtonElement>(".row button")!.click();
      };
      stop();
    });
    await page.getByText("Stopped. What was written so far stays.").waitFor();
    const written = await copse.count("/stopped");
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(count);
    expect(written % 500).toBe(0);
    expectNoComplaints(opened);
    await page.close();
  });
});
