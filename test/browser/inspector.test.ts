/** The inspector in a real Chromium against a real hub, operated as an operator would. */
import { join } from "node:path";
import { connect } from "@copse/client";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectNoComplaints, launch, openPage, type WatchedPage } from "../support/chromium.ts";
import { temporaryFolder } from "../support/hub.ts";
import { copse, freePort, killAll, type ServedHub, serve } from "../support/processes.ts";

let browser: Browser;
let hub: ServedHub;
const folder = temporaryFolder("inspector");

beforeAll(async () => {
  browser = await launch();
  hub = await serve(join(folder, "data"), await freePort(), "--log-level", "error");
});
afterAll(async () => {
  await browser.close();
  killAll();
});

async function run(...args: string[]): Promise<void> {
  const { code, err } = await copse(hub.url, ...args);
  expect([code, err]).toEqual([0, ""]);
}

async function open(path = "/"): Promise<WatchedPage> {
  return openPage(browser, `${hub.page}/#/n${path}`);
}

function row(page: Page, path: string): ReturnType<Page["locator"]> {
  return page.locator(`[role=treeitem][data-path="${path}"]`);
}

describe("the tree", () => {
  it("shows what the command line creates, changes and deletes, without a reload", async () => {
    const opened = await open();
    const { page } = opened;
    await row(page, "/copse").waitFor();
    await run("create", "/from-cli", "hello");
    await row(page, "/from-cli").waitFor();
    await row(page, "/from-cli").click();
    await page.getByText("hello", { exact: true }).waitFor();
    await run("set", "/from-cli", "changed outside");
    await page.getByText("changed outside", { exact: true }).waitFor();
    await run("rm", "/from-cli");
    await row(page, "/from-cli").waitFor({ state: "detached" });
    await page.getByText("There is no such znode now").waitFor();
    await page.getByRole("button", { name: "Create it, empty" }).click();
    await row(page, "/from-cli").waitFor();
    expectNoComplaints(opened);
    await page.close();
  });

  it("is worked by keyboard alone", async () => {
    await run("create", "/keys/b/deep", "x", "--parents");
    await run("create", "/keys/a", "x");
    const opened = await open();
    const { page } = opened;
    await row(page, "/keys").waitFor();
    const tree = page.getByRole("tree");
    await tree.focus();
    const active = (): Promise<string | null> =>
      tree.evaluate((element) => decodeURIComponent(element.getAttribute("aria-activedescendant")?.slice(4) ?? ""));
    await page.keyboard.press("Home");
    expect(await active()).toBe("/");
    await page.keyboard.type("key");
    expect(await active()).toBe("/keys");
    await page.keyboard.press("ArrowRight");
    await row(page, "/keys/b").waitFor();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    expect(await active()).toBe("/keys/b");
    await page.keyboard.press("ArrowRight");
    await row(page, "/keys/b/deep").waitFor();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "/keys/b/deep" }).waitFor();
    expect(await row(page, "/keys/b/deep").getAttribute("aria-level")).toBe("4");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await row(page, "/keys/b/deep").waitFor({ state: "detached" });
    expect(await row(page, "/keys/a").getAttribute("aria-posinset")).toBe("1");
    expect(await row(page, "/keys/b").getAttribute("aria-setsize")).toBe("2");
    expectNoComplaints(opened);
    await page.close();
  });

  it("keeps few rows in the page however many siblings there are", async () => {
    const lines = Array.from({ length: 20_000 }, (_, at) => JSON.stringify({ path: `n${String(at).padStart(5, "0")}` })).join("\n");
    const { copseWith } = await import("../support/processes.ts");
    expect((await copseWith(lines, hub.url, "import", "/many", "--unchecked")).code).toBe(0);
    const opened = await open("/many/n10000");
    const { page } = opened;
    await row(page, "/many/n10000").waitFor();
    expect(await page.locator("[role=treeitem]").count()).toBeLessThan(120);
    await page.getByRole("tree").focus();
    await page.keyboard.press("End");
    await row(page, "/many/n19999").waitFor();
    expect(await row(page, "/many/n19999").getAttribute("aria-setsize")).toBe("20000");
    expectNoComplaints(opened);
    await page.close();
  });
});

/** What stands in the editor. */
async function edited(page: Page): Promise<string> {
  // The editor ends its last line with a break of its own where that line is empty.
  const editor = page.getByRole("textbox", { name: "Data" });
  await editor.waitFor();
  const [text = ""] = await editor.allInnerTexts();
  return text.replace(/\n$/, "");
}

/** Types over all that stands in the editor, by the keyboard. */
async function rewrite(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Data" }).press("ControlOrMeta+a");
  await page.keyboard.type(text);
}

describe("editing", () => {
  it("saves with the version it began from", async () => {
    await run("create", "/edit", '{"limit":1}');
    const opened = await open("/edit");
    const { page } = opened;
    await page.getByRole("button", { name: "Edit" }).click();
    await rewrite(page, '{"limit":2}');
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Saved as version 1.").waitFor();
    expect((await copse(hub.url, "get", "/edit")).out).toBe('{"limit":2}\n');
    expectNoComplaints(opened);
    await page.close();
  });

  it("says at once when somebody changes what is being edited, and loses no draft", async () => {
    await run("create", "/draft", "first");
    const opened = await open("/draft");
    const { page } = opened;
    await page.getByRole("button", { name: "Edit" }).click();
    await rewrite(page, "mine");
    await row(page, "/").click();
    await page.getByRole("heading", { name: "/", exact: true }).waitFor();
    await run("set", "/draft", "theirs, from outside");
    await row(page, "/draft").click();
    await page.getByText("The znode was changed while you were editing: it has version 1 now.").waitFor();
    await page.getByText("theirs, from outside", { exact: true }).waitFor();
    expect(await edited(page)).toBe("mine");
    expect(await page.getByRole("button", { name: "Save", exact: true }).count()).toBe(0);
    await page.getByRole("button", { name: "Save mine over theirs" }).click();
    await page.getByText("Saved as version 2.").waitFor();
    expect((await copse(hub.url, "get", "/draft")).out).toBe("mine\n");
    expectNoComplaints(opened);
    await page.close();
  });

  it("takes a znode that was made anew for another, and loses no edit over another view", async () => {
    await run("create", "/anew", "first");
    const opened = await open("/anew");
    const { page } = opened;
    await page.getByRole("button", { name: "Edit" }).click();
    await rewrite(page, "mine");
    await page.getByRole("link", { name: "Changes" }).click();
    await page.getByRole("heading", { name: "Changes" }).waitFor();
    await page.getByRole("link", { name: "Tree" }).click();
    expect(await edited(page)).toBe("mine");
    await run("rm", "/anew");
    await run("create", "/anew", "somebody else's");
    await page.getByText("The znode was changed while you were editing").waitFor();
    expect((await copse(hub.url, "get", "/anew")).out).toBe("somebody else's\n");
    expectNoComplaints(opened);
    await page.close();
  });

  it("edits bytes as numbers, and takes nothing else for them", async () => {
    await run("create", "/bytes");
    const { connect } = await import("@copse/client");
    const client = await connect(hub.url);
    await client.set("/bytes", new Uint8Array([0, 255, 128]));
    const opened = await open("/bytes");
    const { page } = opened;
    await page.getByRole("button", { name: "Edit" }).click();
    expect(await edited(page)).toBe("00 ff 80");
    await rewrite(page, "00 ff 8");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Not valid hexadecimal").waitFor();
    await rewrite(page, "00 FF\n81");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Saved as version 2.").waitFor();
    expect([...((await client.get("/bytes")).bytes ?? [])]).toEqual([0, 255, 129]);
    await client.close();
    expectNoComplaints(opened);
    await page.close();
  });

  it("merges both changes where they touch different lines, and marks them where not", async () => {
    await run("create", "/merged", '{"limit":1,"theme":"light","title":"old"}');
    const opened = await open("/merged");
    const { page } = opened;
    await page.getByRole("button", { name: "Edit" }).click();
    await rewrite(page, '{"limit":2,"theme":"light","title":"old"}');
    await run("set", "/merged", '{"limit":1,"theme":"light","title":"theirs"}');
    await page.getByRole("button", { name: "Merge both" }).click();
    await expect.poll(() => edited(page)).toBe('{"limit":2,"theme":"light","title":"theirs"}');
    await run("set", "/merged", '{"limit":3,"theme":"light","title":"theirs"}');
    await page.getByRole("button", { name: "Merge both" }).click();
    await page.getByText("Both of you changed the same lines").waitFor();
    expect(await edited(page)).toMatch(/<<<<<<< mine\n {2}"limit": 2,\n=======\n {2}"limit": 3,\n>>>>>>> theirs/);
    await page.getByText("This is not valid JSON").waitFor();
    await rewrite(page, '{"limit":23}');
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Saved as version 3.").waitFor();
    expectNoComplaints(opened);
    await page.close();
  });

  it("refuses a stale edit, and shows what has changed", async () => {
    await run("create", "/stale", "first");
    // A page that hears of nothing for a while: what comes from the server waits until it is let through.
    const context = await browser.newContext();
    await context.addInitScript(() => {
      const held: (() => void)[] = [];
      const state = Object.assign(window, {
        holds: false,
        release: () => {
          for (const run of held.splice(0)) run();
        },
      });
      const Host = window.WebSocket;
      window.WebSocket = class extends Host {
        override set onmessage(listener: ((event: MessageEvent) => void) | null) {
          super.onmessage = (event) => {
            if (state.holds) held.push(() => listener?.(event));
            else listener?.(event);
          };
        }
      };
    });
    const page = await context.newPage();
    await page.goto(`${hub.page}/#/n/stale`);
    await page.getByRole("button", { name: "Edit" }).click();
    await rewrite(page, "mine");
    const other = await connect(hub.url);
    await page.evaluate(() => Object.assign(window, { holds: true }));
    // By a client that is there already: a page that hears nothing for too long gives its connection up.
    await other.set("/stale", "theirs, from outside");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect
      .poll(async () => (await (await fetch(`${hub.page}/metrics`)).text()).match(/copse_requests_total\{op="set"\} (\d+)/)?.[1])
      .not.toBe("0");
    await page.evaluate(() => {
      const { release } = Object.assign(window, { holds: false }) as unknown as { release(): void };
      release();
    });
    await page.getByText("Not saved: somebody has changed the znode since you began. It has version 1, and you began from 0.").waitFor();
    await page.getByText("theirs, from outside", { exact: true }).waitFor();
    expect(await edited(page)).toBe("mine");
    expect((await copse(hub.url, "get", "/stale")).out).toBe("theirs, from outside\n");
    await page.getByRole("button", { name: "Use theirs" }).click();
    expect(await edited(page)).toBe("theirs, from outside");
    await other.close();
    await context.close();
  });

  it("creates and deletes, and asks for the path where more than one znode goes", async () => {
    await run("create", "/parent");
    const opened = await open("/parent");
    const { page } = opened;
    await page.getByRole("button", { name: "New child" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("child");
    await page.getByRole("textbox", { name: "Data" }).fill("data of the child");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { name: "/parent/child" }).waitFor();
    expect((await copse(hub.url, "get", "/parent/child")).out).toBe("data of the child\n");
    await row(page, "/parent").click();
    await page.getByRole("button", { name: "New child" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("child");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText("A znode of this name exists already.").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Delete" }).click();
    await page.getByText("This is not the path.").waitFor();
    await dialog.getByRole("textbox").fill("/parent");
    await dialog.getByRole("button", { name: "Delete" }).click();
    await row(page, "/parent").waitFor({ state: "detached" });
    expect((await copse(hub.url, "get", "/parent")).code).toBe(3);
    expectNoComplaints(opened);
    await page.close();
  });
});

describe("a new znode", () => {
  const kinds = [
    ["persistent", "plain", "/modes/plain", { ephemeralOwner: null }],
    ["sequential", "job-", "/modes/job-0000000001", { ephemeralOwner: null }],
    ["ttl", "short", "/modes/short", { ttl: 90_000 }],
    ["container", "box", "/modes/box", { container: true }],
    ["ephemeral", "mine", "/modes/mine", { ephemeralOwner: expect.any(String) }],
    ["ephemeral-sequential", "", "/modes/0000000005", { ephemeralOwner: expect.any(String) }],
  ] as const;

  it("may be of every kind", async () => {
    await run("create", "/modes");
    const client = await connect(hub.url);
    const opened = await open("/modes");
    const { page } = opened;
    for (const [kind, name, path, stat] of kinds) {
      await row(page, "/modes").click();
      await page.getByRole("button", { name: "New child" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("textbox", { name: "Name" }).fill(name);
      await dialog.getByRole("combobox", { name: "Kind" }).selectOption(kind);
      if (kind === "ttl") await dialog.getByRole("spinbutton", { name: "Time to live" }).fill("90");
      await dialog.getByRole("button", { name: "Create" }).click();
      await page.getByRole("heading", { name: path }).waitFor();
      expect((await client.get(path)).stat).toMatchObject(stat);
    }
    expectNoComplaints(opened);
    await page.close();
    await client.close();
  });
});

describe("safety", () => {
  const hostile = '<img src=x onerror="alert(1)">';

  it("keeps hostile names and values text, and the policy has nothing to report", async () => {
    await run("create", `/${hostile}`, `${hostile}<script>alert(2)</script>`);
    await run("create", `/${hostile}/{{constructor}}`, "x");
    const opened = await openPage(browser, `${hub.page}/#/n/${encodeURIComponent(hostile)}`);
    const { page } = opened;
    await page.getByRole("heading", { name: hostile }).waitFor();
    await page.getByText("<script>alert(2)</script>").waitFor();
    await page.getByRole("tree").focus();
    await page.keyboard.press("ArrowRight");
    await page.getByText("{{constructor}}").waitFor();
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByText(hostile).first().waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    expect(await page.locator("img, script:not([src])").count()).toBe(0);
    expectNoComplaints(opened);
    await page.close();
  });

  it("sends a policy that allows no inline script, and the test above would see a breach", async () => {
    const response = await fetch(`${hub.page}/`);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain("unsafe");
    const { page, complaints } = await open();
    await page.evaluate(() => {
      const image = document.createElement("div");
      image.setAttribute("style", "color: red");
      document.body.append(image);
    });
    await expect.poll(() => complaints.length).toBeGreaterThan(0);
    await page.close();
  });
});

describe("the connection", () => {
  it("shows when it is lost, and is live again with what happened meanwhile", async () => {
    const data = join(folder, "restarted");
    const port = await freePort();
    const own = await serve(data, port, "--log-level", "error");
    await copse(own.url, "create", "/before", "old");
    const opened = await openPage(browser, `${own.page}/#/n/before`);
    const { page } = opened;
    await page.getByText("old", { exact: true }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await own.process.kill9();
    await page.getByText("Reconnecting").waitFor();
    await page.getByText("could not connect: the browser's console says why").waitFor();
    expect(await page.getByRole("button", { name: "Edit" }).isDisabled()).toBe(true);
    const again = await serve(data, port, "--log-level", "error");
    await copse(again.url, "set", "/before", "new");
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByText("new", { exact: true }).waitFor();
    await page.close();
  });

  it("says so when its session has expired, and goes on in another", async () => {
    const data = join(folder, "expired");
    const port = await freePort();
    const own = await serve(data, port, "--log-level", "error");
    const page = await browser.newPage();
    await page.clock.install();
    await page.goto(own.page);
    await page.getByText("Live", { exact: true }).waitFor();
    await own.process.kill9();
    await page.getByText("Reconnecting … what you see may be old").waitFor();
    await page.clock.fastForward(120_000);
    await page.getByText("Session expired, its ephemerals are gone. Reconnecting …").waitFor();
    await serve(data, port, "--log-level", "error");
    await page.clock.fastForward(30_000);
    await page.getByText("Live", { exact: true }).waitFor();
    await page.close();
  });
});
