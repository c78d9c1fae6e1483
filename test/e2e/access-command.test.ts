/** Rules, identities and revocations on the command line, against a hub in a process of its own. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../support/hub.ts";
import { Issuer } from "../support/issuer.ts";
import { command, copse, freePort, killAll, Process, type ServedHub, serve, until } from "../support/processes.ts";

let issuer: Issuer;
let hub: ServedHub;
const folder = temporaryFolder("access");
const identity = join(folder, "identity.json");
const operator = join(folder, "operator.jwt");

beforeAll(async () => {
  issuer = await Issuer.start();
  writeFileSync(identity, JSON.stringify({ issuers: [issuer.settings()], admins: ["claim acme:role=operator"] }));
  writeFileSync(operator, await issuer.token({ sub: "root", claims: { roles: ["operator"] } }));
  hub = await serve(join(folder, "data"), await freePort(), "--identity", identity);
});
afterAll(async () => {
  await killAll();
  await issuer.stop();
});

async function run(...args: string[]): Promise<string> {
  const { code, out, err } = await copse(hub.url, "--token-file", operator, ...args);
  expect(err).toBe("");
  expect(code).toBe(0);
  return out;
}

test("nobody is let in without a credential; a token is one, from a file or a flag", async () => {
  expect(await copse(hub.url, "ls", "/")).toMatchObject({ code: 6, err: expect.stringContaining("AUTH_FAILED") });
  expect(await run("whoami")).toMatch(/^token acme:root\nissuer acme\nclaim acme:role=operator\nadmin admin\nip 127\.0\.0\.1\nan admin\n$/);
  const ada = await issuer.token();
  expect((await copse(hub.url, "--token", ada, "whoami")).out).toContain("token acme:ada");
});

test("rules are set, printed, checked and explained", async () => {
  const file = join(folder, "rules.json");
  const rules = [
    { path: "/users/{user}/**", allow: [{ perms: ["read", "write"], scheme: "token", id: "acme:{user}" }] },
    { path: "/**", allow: [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "claim", id: "acme:role=operator" }] },
  ];
  writeFileSync(file, JSON.stringify({ version: 1, otherwise: "deny", rules }));
  expect(await run("rules", "set", file)).toBe("the rules hold from now on\n");
  expect(await run("rules", "get")).toBe(`${readFileSync(file, "utf8")}\n`);
  await run("create", "/users/ada", "hello", "--parents");
  const cases = join(folder, "cases.json");
  const right = [
    { identity: "token acme:ada", perm: "write", path: "/users/ada", expected: true },
    { identity: ["token acme:bob", "issuer acme"], perm: "read", path: "/users/ada", expected: false },
    { identity: [], perm: "read", path: "/users", expected: false },
  ];
  writeFileSync(cases, JSON.stringify(right));
  expect(await run("rules", "check", cases)).toBe("3 of 3 cases are as expected\n");
  writeFileSync(cases, JSON.stringify([...right, { ...right[0], expected: false }]));
  const failed = await copse(hub.url, "--token-file", operator, "rules", "check", cases);
  expect(failed).toMatchObject({
    code: 1,
    out: expect.stringMatching(/^token acme:ada may write \/users\/ada: .*\n3 of 4 cases are as expected\n$/),
  });
  expect(await run("explain", "write", "/users/ada", "--as", "token acme:bob")).toMatch(
    /^refused: no rule of those that match grants it\nrule 0 matches/,
  );
  expect((await copse(hub.url, "--token", await issuer.token(), "get", "/users/ada")).out).toBe("hello\n");
  const wrong = join(folder, "wrong.json");
  writeFileSync(wrong, '{"version":1,"otherwise":"deny","rules":[{"path":"a","allow":[]}]}');
  expect(await copse(hub.url, "--token-file", operator, "rules", "set", wrong)).toMatchObject({
    code: 2,
    err: expect.stringContaining("rules[0].path"),
  });
  expect(await run("rules", "remove")).toBe("there are no rules\n");
});

test("an identity is revoked, listed, and accepted again", async () => {
  const ada = await issuer.token();
  expect(await run("revoke", "token acme:ada")).toBe("token acme:ada is revoked\n");
  expect(await run("revoked")).toMatch(/^identity +issued before +revoked at\ntoken acme:ada +20.*Z +20.*Z\n$/);
  expect(await copse(hub.url, "--token", ada, "whoami")).toMatchObject({ code: 6, err: expect.stringContaining("AUTH_FAILED") });
  await run("revoke", "token acme:ada", "--lift");
  expect((await copse(hub.url, "--token", ada, "whoami")).code).toBe(0);
});

test("ACLs name identities of a token, alone and several at once", async () => {
  await run("create", "/acl");
  await run("setacl", "/acl", "claim:acme:role=editor+claim:acme:tenant=t1:read,write", "token:acme:ada:r");
  expect(await run("getacl", "/acl")).toBe("claim:acme:role=editor+claim:acme:tenant=t1:read,write\ntoken:acme:ada:read\n");
});

test("refusals are in the debug log with rule and identity, and those of reads in the audit log where that is wanted", async () => {
  const file = join(folder, "audit.log");
  const flags = ["--identity", identity, "--audit-file", file, "--audit-denials", "--log-level", "debug"];
  const own = await serve(join(folder, "audited"), await freePort(), ...flags);
  const ask = async (token: string, ...args: string[]): Promise<number | null> => (await copse(own.url, "--token", token, ...args)).code;
  const [ada, root] = [await issuer.token(), await issuer.token({ sub: "root", claims: { roles: ["operator"] } })];
  await ask(root, "create", "/secret", "x");
  const rules = join(folder, "deny.json");
  writeFileSync(rules, '{"version":1,"otherwise":"allow","rules":[{"path":"/secret","allow":[]}]}');
  await ask(root, "rules", "set", rules);
  expect(await ask(ada, "get", "/secret")).toBe(6);
  expect(await ask(ada, "set", "/secret", "y")).toBe(6);
  await own.process.printed(
    /"op":"get","paths":\["\/secret"\],"outcome":"NO_AUTH".*"identities":\["token acme:ada"\].*"rules":\[\{"index":0,"granted":false\}\].*"msg":"refused"/,
  );
  own.process.child.kill("SIGTERM");
  await own.process.exited;
  const lines = readFileSync(file, "utf8").split("\n");
  for (const op of ["get", "set"]) {
    expect(
      lines.filter((line) => line.includes(`"op":"${op}","paths":["/secret"],"outcome":"NO_AUTH"`) && line.includes("token acme:ada")),
    ).toHaveLength(1);
  }
});

test("what a flag says does not stand in the list of processes", async () => {
  const watching = new Process(process.execPath, [command, "--url", hub.url, "--token", await issuer.token(), "watch", "/"]);
  const shown = (): string => readFileSync(`/proc/${watching.child.pid}/cmdline`, "utf8");
  await until(async () => !shown().includes("--token"));
  expect(shown()).not.toContain("eyJ");
});

test("the identity file is read again on SIGHUP; a bad one changes nothing", async () => {
  const outsider = Issuer.start();
  const other = await outsider;
  writeFileSync(identity, "{");
  hub.process.child.kill("SIGHUP");
  await hub.process.printed(/what was read before still holds/);
  expect(await run("whoami")).toContain("an admin");
  writeFileSync(
    identity,
    JSON.stringify({ issuers: [other.settings({ name: "other" }), issuer.settings()], admins: ["claim acme:role=operator"] }),
  );
  hub.process.child.kill("SIGHUP");
  await hub.process.printed(/read the identity file/);
  expect((await copse(hub.url, "--token", await other.token(), "whoami")).out).toContain("token other:ada");
  expect(await run("whoami")).toContain("an admin");
  await other.stop();
});
