/** Debian's nginx in front of a hub: TLS, a path prefix, and the client's address in a header; the page and a client through it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { CertificateAuthority } from "../support/certificates.ts";
import { launch } from "../support/chromium.ts";
import { temporaryFolder } from "../support/hub.ts";
import { Issuer } from "../support/issuer.ts";
import { mayUse } from "../support/machine.ts";
import { command, freePort, killAll, Process, until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";

const isHere = mayUse("a hub behind nginx", ["nginx", "nginx"], ["openssl", "openssl"]);
const folder = temporaryFolder("nginx");

describe.runIf(isHere)("behind nginx, below a path", () => {
  let browser: Browser;
  let issuer: Issuer;
  let nginx: Process;
  let outside: string;
  let ca: string;
  const token = join(folder, "token");

  beforeAll(async () => {
    browser = await launch();
    issuer = await Issuer.start();
    const [inner, outer] = [await freePort(), await freePort()];
    const certificate = new CertificateAuthority().sign("localhost");
    ca = certificate.ca;
    outside = `localhost:${outer}/hub`;
    const identity = join(folder, "identity.json");
    writeFileSync(identity, JSON.stringify({ issuers: [issuer.settings()], admins: ["claim acme:role=operator"] }));
    writeFileSync(token, await issuer.token({ sub: "root", claims: { roles: ["operator"] } }));
    const flags = ["--trust-proxy", "127.0.0.1", "--advertise", `wss://${outside}`, "--identity", identity, "--log-level", "error"];
    const hub = new Process(process.execPath, [
      command,
      "serve",
      "--data",
      join(folder, "data"),
      "--listen",
      `127.0.0.1:${inner}`,
      ...flags,
    ]);
    await hub.printed(/copse serves wss:/);
    mkdirSync(join(folder, "temporary"));
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/temporary/${kind};`);
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off;
      pid ${folder}/pid;
      error_log ${folder}/error.log;
      events {}
      http {
        access_log off;
        ${temporary.join("\n")}
        map $http_upgrade $connection_upgrade { default upgrade; "" close; }
        server {
          listen 127.0.0.1:${outer} ssl;
          ssl_certificate ${certificate.cert};
          ssl_certificate_key ${certificate.key};
          location /hub/ {
            proxy_pass http://127.0.0.1:${inner}/;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_read_timeout 60s;
          }
        }
      }`,
    );
    nginx = new Process("nginx", ["-c", join(folder, "nginx.conf")]);
    await until(() =>
      RawClient.over(socket()).then(
        ({ socket: opened }) => {
          opened.close();
          return true;
        },
        () => false,
      ),
    );
  });
  afterAll(async () => {
    await browser.close();
    nginx.child.kill("SIGTERM");
    await nginx.exited;
    await killAll();
    await issuer.stop();
  });

  const socket = (headers: Record<string, string> = {}): WebSocket =>
    new WebSocket(`wss://${outside}/v1`, ["copse.v1"], { rejectUnauthorized: false, headers });

  async function run(...args: string[]): Promise<string> {
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: ca, COPSE_TOKEN_FILE: token, COPSE_URL: `wss://${outside}` };
    const typed = new Process(process.execPath, [command, ...args], { env });
    expect([args, await typed.exited, typed.err]).toEqual([args, 0, ""]);
    return typed.out;
  }

  it("a client reads and writes, and goes on at the URL that it learns, with a certificate that it checks", async () => {
    expect(await run("whoami")).toContain("token acme:root");
    await run("create", "/behind", "the proxy");
    expect(await run("get", "/behind")).toBe("the proxy\n");
  });

  it("nobody is let in without a credential, and an address is the client's, not the proxy's", async () => {
    const nobody = await RawClient.over(socket());
    expect((await nobody.ask({ op: "connect" }))["error"]).toMatchObject({ code: "AUTH_FAILED" });
    const far = await RawClient.over(socket({ "X-Forwarded-For": "203.0.113.7" }));
    await far.ask({ op: "connect", auth: [{ scheme: "token", credential: await issuer.token() }] });
    expect((await far.ask({ op: "whoami" }))["identities"]).toContainEqual({ scheme: "ip", id: "203.0.113.7" });
    far.socket.close();
  });

  it("the page loads, logs in and is live below its prefix", { timeout: 60_000 }, async () => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const failed: string[] = [];
    page.on("requestfailed", (request) => failed.push(request.url()));
    page.on("pageerror", (error) => failed.push(String(error)));
    await page.goto(`https://${outside}/`);
    await page.getByText("With a token").click();
    await page.getByLabel("Token").fill(await issuer.token({ sub: "root", claims: { roles: ["operator"] } }));
    await page.getByRole("button", { name: "Log in" }).last().click();
    await page.getByText("Live", { exact: true }).waitFor();
    await run("create", "/live", "now");
    await page.locator('[role=treeitem][data-path="/live"]').waitFor();
    expect(failed).toEqual([]);
    await context.close();
  });
});
