/** Certificates of clients as identities (x509), and the listener's own, renewed while it runs. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tls from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type Certificate, CertificateAuthority } from "../support/certificates.ts";
import { temporaryFolder } from "../support/hub.ts";
import { freePort, killAll, type ServedHub, serve } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";

const folder = temporaryFolder("certificates");
const authority = new CertificateAuthority();
const identity = join(folder, "identity.json");
const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
let hub: ServedHub;
let url: string;

function install(certificate: Certificate): void {
  copyFileSync(certificate.key, key);
  copyFileSync(certificate.cert, cert);
}

/** A client with this certificate, or none. */
function client(certificate: Certificate | null): Promise<RawClient> {
  const pair = certificate === null ? {} : { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) };
  return RawClient.over(new WebSocket(url, ["copse.v1"], { ...pair, rejectUnauthorized: false }));
}

/** The name that the listener's certificate says. */
function served(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: "127.0.0.1", port: hub.port, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerX509Certificate()?.subject));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

beforeAll(async () => {
  install(authority.sign("hub-one"));
  writeFileSync(identity, JSON.stringify({ admins: ["x509 CN=boss"] }));
  const ca = authority.sign("any").ca;
  hub = await serve(
    join(folder, "data"),
    await freePort(),
    "--tls-cert",
    cert,
    "--tls-key",
    key,
    "--tls-client-ca",
    ca,
    "--identity",
    identity,
  );
  url = `wss://127.0.0.1:${hub.port}/v1`;
});
afterAll(killAll);

test("[x509] a client's certificate proves its subject; without one nobody is let in here, and one of another authority is refused", async () => {
  const ada = await client(authority.sign("ada"));
  expect((await ada.ask({ op: "connect" }))["error"]).toBeUndefined();
  const { identities, admin, expiresAt } = await ada.ask({ op: "whoami" });
  expect(identities).toContainEqual({ scheme: "x509", id: "CN=ada" });
  expect(admin).toBe(false);
  expect(expiresAt).toBeGreaterThan(Date.now());
  const boss = await client(authority.sign("boss"));
  await boss.ask({ op: "connect" });
  expect((await boss.ask({ op: "whoami" }))["admin"]).toBe(true);
  const acl = [{ perms: ["read", "write"], scheme: "x509", id: "CN=ada" }];
  expect((await boss.ask({ op: "create", path: "/adas", data: "x", acl }))["error"]).toBeUndefined();
  expect((await ada.ask({ op: "set", path: "/adas", data: "y" }))["error"]).toBeUndefined();
  const nobody = await client(null);
  expect((await nobody.ask({ op: "connect" }))["error"]).toMatchObject({ code: "AUTH_FAILED" });
  await expect(client(new CertificateAuthority().sign("ada"))).rejects.toThrow("403");
  ada.socket.close();
  boss.socket.close();
});

test("the listener's own certificate is read again on SIGHUP and when it changes, and no connection is dropped", async () => {
  const before = await client(authority.sign("ada"));
  await before.ask({ op: "connect" });
  expect(await served()).toBe("CN=hub-one");
  writeFileSync(cert, "rubbish");
  hub.process.child.kill("SIGHUP");
  await hub.process.printed(/the certificate for clients can't be used; what was read before still holds/);
  expect(await served()).toBe("CN=hub-one");
  install(authority.sign("hub-two"));
  hub.process.child.kill("SIGHUP");
  await expect.poll(served, { timeout: 10_000 }).toBe("CN=hub-two");
  install(authority.sign("hub-three"));
  await expect.poll(served, { timeout: 20_000 }).toBe("CN=hub-three");
  expect((await before.ask({ op: "whoami" }))["identities"]).toContainEqual({ scheme: "x509", id: "CN=ada" });
  before.socket.close();
});
