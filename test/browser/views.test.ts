/** The inspector's views against a real ensemble of three: live, accessible, true when a member dies. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Copse, connect } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectNoComplaints, launch, openPage, type WatchedPage } from "../support/chromium.ts";
import { EnsembleProcesses } from "../support/ensemble.ts";
import { killAll } from "../support/processes.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser: Browser;
let ensemble: EnsembleProcesses;
let copse: Copse;

beforeAll(async () => {
  ensemble = await EnsembleProcesses.start(3, { flags: ["--log-level", "error"] });
  copse = await connect(ensemble.urls, { auth: () => [{ scheme: "digest", credential: "bob:secret" }] });
  browser = await launch();
  await copse.create("/config/web", '{"theme":"dark"}', { parents: true });
  await copse.create("/config/bytes", new Uint8Array([0, 255, 65]));
});
afterAll(async () => {
  await browser?.close();
  await copse?.close();
  killAll();
});

function open(hash: string): Promise<WatchedPage> {
  return openPage(browser, `${ensemble.members[0]!.url.replace("ws:", "http:")}/${hash}`);
}

function row(page: Page, path: string): ReturnType<Page["locator"]> {
  return page.locator(`[role=treeitem][data-path="${path}"]`);
}

describe("the tree", () => {
  it("says of a znode that may not be read that its children are not listed", async () => {
    const perms = ["read", "write", "create", "delete", "admin"] as const;
    await copse.create("/vault", null);
    const acl = [{ scheme: "digest", id: "ann:28CharactersOfSomething=", perms }] as const;
    await copse.create("/vault/inside", null, { acl });
    await copse.setAcl("/vault", acl);
    const opened = await open("");
    const { page } = opened;
    await row(page, "/vault").locator(".twist").click();
    await row(page, "/vault").getByText("its children may not be listed").waitFor();
    expect(await row(page, "/vault/inside").count()).toBe(0);
    expectNoComplaints(opened);
    await page.close();
  });
});

describe("the changes", () => {
  it("are there from before the page was opened, with who made them, come as they happen, and can be filtered and held still", async () => {
    // Another member remembers what it has applied, too; the name of its client it does not know.
    const named = await connect(ensemble.members[0]!.url, {
      name: "billing 1.2",
      auth: () => [{ scheme: "digest", credential: "ann:secret" }],
    });
    await named.create("/changes-before", "1");
    const opened = await open("#/changes");
    const { page } = opened;
    await page.getByRole("row", { name: /created\s+\/changes-before\s+billing 1\.2, digest ann, scrypt ann/ }).waitFor();
    await named.delete("/changes-before");
    await page.getByRole("row", { name: /deleted\s+\/changes-before\s+billing 1\.2/ }).waitFor();
    await page.getByText("1 since this page was opened").waitFor();
    await named.close();
    await copse.create("/changes-a", "1");
    await copse.set("/config/web", '{"theme":"light"}');
    await page.getByRole("link", { name: "/changes-a" }).waitFor();
    await page.getByRole("searchbox", { name: "Filter paths" }).fill("WEB");
    await page.getByRole("link", { name: "/config/web" }).first().waitFor();
    expect(await page.getByRole("link", { name: "/changes-a" }).count()).toBe(0);
    await page.getByRole("combobox", { name: "Kind" }).selectOption("deleted");
    await page.getByText("No change fits the filter.").waitFor();
    await page.getByRole("searchbox", { name: "Filter paths" }).fill("");
    await page.getByRole("combobox", { name: "Kind" }).selectOption("");
    await page.getByRole("button", { name: "Pause" }).click();
    await copse.delete("/changes-a");
    await page.getByText("4 since this page was opened").waitFor();
    const gone = page.getByRole("row", { name: /deleted\s+\/changes-a/ });
    expect(await gone.count()).toBe(0);
    await page.getByRole("button", { name: "Resume" }).click();
    await gone.waitFor();
    await page.getByRole("link", { name: "/config/web" }).first().click();
    await page.getByRole("heading", { name: "/config/web" }).waitFor();
    expectNoComplaints(opened);
    await page.close();
  });
});

describe("sessions and locks", () => {
  it("show who is here, who holds, and who waits", async () => {
    const held = await lock(copse, "/locks/billing");
    const waiting = lock(copse, "/locks/billing");
    const opened = await open("#/locks");
    const { page } = opened;
    await page.getByRole("link", { name: "/locks/billing", exact: true }).waitFor();
    const cells = (): Promise<string[]> => page.getByRole("region", { name: "Queue at /locks/billing" }).getByRole("row").allInnerTexts();
    await expect.poll(async () => (await cells()).length).toBe(3);
    expect((await cells()).slice(1).map((text) => text.split("\t")[1])).toEqual(["holds", "waits"]);
    expect((await cells())[1]).toContain(String(held.token));
    await held.close();
    const next = await waiting;
    await expect.poll(async () => (await cells()).length).toBe(2);
    expect((await cells())[1]).toContain(String(next.token));
    await page.getByRole("link", { name: "Sessions" }).click();
    await page.getByText("digest:bob, scrypt:bob").waitFor();
    await page.getByText("(this page)").waitFor();
    await next.close();
    expectNoComplaints(opened);
    await page.close();
  });

  it("are refused, in words, to who may not administer the root", async () => {
    const everything = ["read", "write", "create", "delete"] as const;
    await copse.setAcl("/", [
      { scheme: "world", id: "anyone", perms: [...everything] },
      { scheme: "auth", id: "", perms: [...everything, "admin"] },
    ]);
    const opened = await open("#/sessions");
    const { page } = opened;
    await page.getByText("Your identity may not do this.").waitFor();
    await page.getByRole("link", { name: "Ensemble" }).click();
    await page.getByText("The ensemble tolerates the loss of 1 more member.").waitFor();
    await page.getByText("You need admin on / to see this member's statistics.").waitFor();
    await copse.setAcl("/", [{ scheme: "world", id: "anyone", perms: [...everything, "admin"] }]);
    await page.getByText("applied log index").waitFor();
    await page.getByText("committed, not yet applied").waitFor();
    await page.getByText("newest snapshot").waitFor();
    expectNoComplaints(opened);
    await page.close();
  });
});

describe("a znode's tabs", () => {
  it("show its ACL and change it, compared and set; who watches it; its bytes", async () => {
    const events = copse.watch("/config/web");
    await copse.sync();
    const opened = await open("#/n/config/web?tab=acl");
    const { page } = opened;
    await page.getByRole("button", { name: "Edit ACL" }).click();
    const area = page.getByRole("textbox", { name: "ACL as JSON" });
    await area.fill("[");
    await page.getByText("Not JSON yet").waitFor();
    expect(await page.getByRole("button", { name: "Save ACL" }).isDisabled()).toBe(true);
    const mine = '[{"scheme":"world","id":"anyone","perms":["read","admin"]}]';
    await area.fill(mine);
    await copse.setAcl("/config/web", [{ scheme: "world", id: "anyone", perms: ["read", "write", "admin"] }]);
    await page.getByRole("button", { name: "Save ACL" }).click();
    await page.getByText("Not saved: somebody has changed the ACL since you began.").waitFor();
    expect(await area.inputValue()).toBe(mine);
    await page.getByRole("button", { name: "Save ACL" }).click();
    await expect.poll(async () => (await copse.getAcl("/config/web")).acl[0]?.perms).toEqual(["read", "admin"]);
    await page.getByRole("link", { name: "Watches" }).click();
    // The client may be on another member: then nobody watches here.
    await page.getByText(/persistent|There are no watches on exactly this path/).waitFor();
    await page.goto(page.url().replace("web?tab=watches", "bytes?tab=raw"));
    await page.getByText("000000 00 ff 41").waitFor();
    await events.return?.();
    expectNoComplaints(opened);
    await page.close();
  });
});

describe("the tree", () => {
  it("filters names, counts what it hides, and holds still when told", async () => {
    for (const name of ["apple", "banana", "cherry"]) await copse.create(`/fruit/${name}`, null, { parents: true });
    const opened = await open("#/n/fruit/apple");
    const { page } = opened;
    await row(page, "/fruit/banana").waitFor();
    await page.getByRole("searchbox", { name: "Filter names" }).fill("AN");
    await row(page, "/fruit/apple").waitFor({ state: "detached" });
    expect(await row(page, "/fruit/banana").getAttribute("aria-setsize")).toBe("1");
    await page.getByRole("searchbox", { name: "Filter names" }).fill("");
    await row(page, "/fruit/apple").waitFor();
    await copse.set("/config/bytes", "changed while nobody looks");
    await row(page, "/config").getByText("1 changed below").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await copse.create("/fruit/date");
    await page.getByText("1 change since").waitFor();
    expect(await row(page, "/fruit/date").count()).toBe(0);
    await page.getByRole("button", { name: "Resume" }).click();
    await row(page, "/fruit/date").waitFor();
    expectNoComplaints(opened);
    await page.close();
  });

  it("goes to a path with g, and completes what is typed", async () => {
    const opened = await open("");
    const { page } = opened;
    await row(page, "/config").waitFor();
    await page.getByRole("button", { name: "Pause" }).focus();
    await page.keyboard.press("g");
    await page.keyboard.type("/fruit/b");
    await page.locator('datalist option[value="/fruit/banana"]').waitFor({ state: "attached" });
    await page.keyboard.type("anana");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "/fruit/banana" }).waitFor();
    expectNoComplaints(opened);
    await page.close();
  });
});

describe("the search", () => {
  it("finds names that were never expanded here, as the server walks, and can be stopped", async () => {
    await copse.create("/deep/down/Needle-1", null, { parents: true });
    await copse.create("/pips");
    for (let batch = 0; batch < 3; batch++) {
      await copse.multi(Array.from({ length: 9_000 }, (_, at) => ({ op: "create", path: `/pips/pip-${batch}-${at}` }) as const));
    }
    const opened = await open("#/search");
    const { page } = opened;
    await page.getByRole("searchbox", { name: "Names that contain" }).fill("needle");
    await page.keyboard.press("Enter");
    await page.getByText(/1 path found in 27,0\d\d znodes\./).waitFor();
    await page.getByRole("link", { name: "/deep/down/Needle-1" }).click();
    await page.getByRole("heading", { name: "/deep/down/Needle-1" }).waitFor();
    await page.goto(page.url().replace(/#.*/, "#/search"));
    await page.getByRole("searchbox", { name: "Names that contain" }).fill("PIP-");
    await page.keyboard.press("Enter");
    await page.getByText("The first 1,000 are shown").waitFor();
    await page.getByRole("searchbox", { name: "Names that contain" }).fill("no such name");
    await page.keyboard.press("Enter");
    await page.getByText("no name contains that text").waitFor();
    expectNoComplaints(opened);
    await page.close();
    for (let batch = 0; batch < 3; batch++) {
      await copse.multi(Array.from({ length: 9_000 }, (_, at) => ({ op: "delete", path: `/pips/pip-${batch}-${at}` }) as const));
    }
  });
});

describe("every view", () => {
  const views = [
    "#/n/config/web",
    "#/n/config/web?tab=acl",
    "#/n/config/web?tab=who",
    "#/n/config/bytes?tab=raw",
    "#/search",
    "#/changes",
    "#/sessions",
    "#/locks",
    "#/ensemble",
  ];
  for (const colorScheme of ["light", "dark"] as const) {
    it(`has nothing that axe complains of, ${colorScheme}`, async () => {
      const held = await lock(copse, "/locks/axe");
      if ((await copse.exists("/config/free")) === null) await copse.create("/config/free", "anyone may change this");
      const context = await browser.newContext({ colorScheme, reducedMotion: "reduce" });
      const page = await context.newPage();
      for (const view of views) {
        await page.goto(`${ensemble.members[0]!.url.replace("ws:", "http:")}/${view}`);
        await page.reload();
        await page.getByText("Live", { exact: true }).waitFor();
        await page.getByRole("heading").nth(1).waitFor();
        await page.waitForFunction(
          () => document.querySelector("copse-inspector")?.shadowRoot?.textContent?.includes("Waiting for") === false,
        );
        expect([view, await complaintsOf(page)]).toEqual([view, []]);
      }
      await page.goto(`${ensemble.members[0]!.url.replace("ws:", "http:")}/#/n/config/free`);
      await page.getByRole("button", { name: "Edit" }).click();
      await page.getByRole("textbox", { name: "Data" }).waitFor();
      expect(["editing", await complaintsOf(page)]).toEqual(["editing", []]);
      await page.getByRole("button", { name: "Cancel" }).click();
      for (const name of ["New child", "Delete", "Copy to …", "Import"]) {
        await page.getByRole("heading", { name: "/config/free", exact: true }).waitFor();
        if (name !== "New child" && name !== "Delete") await page.getByText("More", { exact: true }).click();
        await page.getByRole("button", { name, exact: true }).click();
        await page.getByRole("dialog").waitFor();
        expect([name, await complaintsOf(page)]).toEqual([name, []]);
        await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      }
      await context.close();
      await held.close();
    });
  }
});

/** What axe has to say of a page as it stands. */
async function complaintsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } }).axe.run();
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(" ")} ${failureSummary}`).join("; ")}`,
    );
  });
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary: string }[];
}

describe("the ensemble", () => {
  it("shows a member that dies, what that means, and that it is back; charts have a table beside them", async () => {
    const leader = await ensemble.leader();
    const other = ensemble.members.find(({ id }) => id !== leader.id && id !== "1")!;
    const opened = await open("#/ensemble");
    const { page } = opened;
    await page.getByText("The ensemble tolerates the loss of 1 more member.").waitFor();
    await page.locator(".plot canvas").nth(2).waitFor();
    // The figures are from before the page was opened: a sample is ten seconds old at most, and there are more.
    await page.getByText("Show as a table, five minutes a row").click();
    await page.getByRole("region", { name: "Figures of the last hour" }).getByRole("row").nth(1).waitFor();
    await other.process.kill9();
    await page.getByText("Operational, but no further failure is tolerated.").waitFor();
    await page.getByRole("row", { name: new RegExp(`^${other.id} down`) }).waitFor();
    await ensemble.restart(other);
    await page.getByText("The ensemble tolerates the loss of 1 more member.").waitFor();
    expectNoComplaints(opened);
    await page.close();
  });
});
