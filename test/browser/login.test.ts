/** Logging in to the inspector, in all three ways, against a real OpenID provider; who may what, and why not. */
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { Provider } from "oidc-provider";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, openPage } from "../support/chromium.ts";
import { temporaryFolder } from "../support/hub.ts";
import { Issuer } from "../support/issuer.ts";
import { copse, copseWith, freePort, killAll, type ServedHub, serve } from "../support/processes.ts";

let browser: Browser;
let hub: ServedHub;
let provider: Server;
/** Of tokens that the page is given and can't renew. */
let issuer: Issuer;
const folder = temporaryFolder("login");

/** Logs anyone in by the name that is typed; "root" is an operator. */
async function openIdProvider(port: number, page: string): Promise<Server> {
  const issuer = `http://127.0.0.1:${port}`;
  const oidc = new Provider(issuer, {
    clients: [
      {
        client_id: "copse-inspector",
        token_endpoint_auth_method: "none",
        redirect_uris: [page],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
      },
    ],
    clientBasedCORS: () => true,
    pkce: { required: () => true },
    scopes: ["openid", "offline_access", "roles"],
    claims: { openid: ["sub"], roles: ["roles"] },
    conformIdTokenClaims: false,
    issueRefreshToken: async () => true,
    ttl: { IdToken: 6 },
    findAccount: async (_context: unknown, id: string) => ({
      accountId: id,
      claims: async () => ({ sub: id, roles: id === "root" ? ["operator"] : ["guest"] }),
    }),
  });
  const server = createServer(oidc.callback());
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}

beforeAll(async () => {
  browser = await launch();
  const [port, own] = [await freePort(), await freePort()];
  const page = `http://127.0.0.1:${own}/`;
  provider = await openIdProvider(port, page);
  issuer = await Issuer.start();
  const identity = join(folder, "identity.json");
  const superFile = join(folder, "super");
  writeFileSync(superFile, (await copseWith("a super password", "ws://127.0.0.1:9", "hash-password")).out);
  writeFileSync(
    identity,
    JSON.stringify({
      issuers: [
        {
          name: "acme",
          issuer: `http://127.0.0.1:${port}`,
          audience: "copse-inspector",
          keys: { discover: true },
          algorithms: ["RS256"],
          claims: { role: "/roles" },
        },
        issuer.settings({ name: "own" }),
      ],
      anonymous: "deny",
      admins: ["claim acme:role=operator"],
      page: { issuer: "acme", clientId: "copse-inspector", scopes: ["openid", "roles"] },
    }),
  );
  hub = await serve(join(folder, "data"), own, "--log-level", "error", "--identity", identity, "--super-file", superFile);
  const acl = ["world:anyone:read", "token:acme:nobody:write"];
  for (const command of [
    ["create", "/app", "hello"],
    ["setacl", "/app", ...acl],
  ])
    expect(await copse(hub.url, "--super", "a super password", ...command)).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await browser.close();
  await killAll();
  await issuer.stop();
  provider.closeAllConnections();
  await new Promise((resolve) => provider.close(resolve));
});

/** Logs in at the provider as somebody, and comes back. */
async function asSomebody(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "Continue with acme" }).click();
  await page.locator("input[name=login]").fill(name);
  await page.locator("input[name=password]").fill("any");
  await page.getByRole("button", { name: /sign-in/i }).click();
  await page.getByRole("button", { name: /continue/i }).click();
  await page.getByText("Live", { exact: true }).waitFor();
}

const app = (page: Page): ReturnType<Page["locator"]> => page.locator('[role=treeitem][data-path="/app"]');

test("with a provider, by a code with PKCE: the login is renewed, says what one may not do, and is left again", {
  timeout: 120_000,
}, async () => {
  const opened = await openPage(browser, `${hub.page}/#/n/app`);
  const { page } = opened;
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await asSomebody(page, "ada");
  // The address is as it was before, without the code.
  expect(page.url()).toBe(`${hub.page}/#/n/app`);
  await app(page).waitFor();
  await page.getByText("ada", { exact: true }).click();
  await page.getByText("claim acme:role=guest").waitFor();
  expect(await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie]))).toBe('[{},{},""]');
  // Not offered, and said why.
  const edit = page.getByRole("button", { name: "Edit" });
  await expect.poll(() => edit.isDisabled()).toBe(true);
  expect(await edit.getAttribute("title")).toContain("does not grant it");
  await page.getByRole("link", { name: "Who may" }).click();
  await page.getByRole("row", { name: /^read yes/ }).waitFor();
  await page.getByRole("row", { name: /^write no/ }).waitFor();
  // Past the end of the first token: it was renewed.
  const ends = page.getByText(/Renews itself before/);
  const first = await ends.textContent();
  await expect.poll(() => ends.textContent(), { timeout: 30_000 }).not.toBe(first);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await expect.poll(() => app(page).count()).toBe(0);
  // The provider's own pages ask for fonts that are not here.
  expect(opened.complaints.filter((complaint) => complaint.startsWith("error:"))).toEqual([]);
  await page.close();
});

test("with the super password, or a token; a wrong one is said", { timeout: 60_000 }, async () => {
  const opened = await openPage(browser, `${hub.page}/#/n/app`);
  const { page } = opened;
  await page.getByText("With a user and a password").click();
  await page.getByLabel("User").fill("super");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Log in" }).first().click();
  await page.getByText("The server does not accept this.").waitFor();
  await page.getByText("With a user and a password").click();
  await page.getByLabel("User").fill("super");
  await page.getByLabel("Password").fill("a super password");
  await page.getByRole("button", { name: "Log in" }).first().click();
  await app(page).waitFor();
  await page.getByRole("link", { name: "Who may" }).click();
  await page.getByLabel("Who").fill("token acme:nobody");
  await page.getByRole("button", { name: "Ask" }).click();
  await page.getByRole("row", { name: /^write yes/ }).waitFor();
  await page.getByText("super", { exact: true }).click();
  await page.getByRole("button", { name: "Log in as somebody else" }).click();
  await page.getByText("With a token").click();
  await page.getByLabel("Token").fill("rubbish");
  await page.getByRole("button", { name: "Log in" }).last().click();
  await page.getByText("The server does not accept this.").waitFor();
  const narrow = await browser.newPage({ viewport: { width: 390, height: 800 } });
  await narrow.goto(`${hub.page}/`);
  await narrow.getByRole("heading", { name: "Log in" }).waitFor();
  expect(await narrow.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await narrow.close();
  await page.close();
});

test("with a token that nobody renews: its end is said before it happens, and shows nothing more", { timeout: 60_000 }, async () => {
  const { page } = await openPage(browser, `${hub.page}/#/n/app`);
  await page.getByText("With a token").click();
  await page.getByLabel("Token").fill(await issuer.token({ expiresIn: 10 }));
  await page.getByRole("button", { name: "Log in" }).last().click();
  await app(page).waitFor();
  await page
    .getByRole("status")
    .getByText(/^Your login ends in \d+ s$/)
    .waitFor();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await expect.poll(() => app(page).count()).toBe(0);
  await page.close();
});
