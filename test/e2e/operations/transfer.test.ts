/** Export and import keep what a znode is, and refuse what they can't keep before anything is written. */
import { readFileSync, writeFileSync } from "node:fs";
import { type Copse, connect } from "@copse/client";
import { carrySubtree } from "@copse/client/subtree";
import { planRestore, restoreSubtree } from "@copse/client/subtree-restore";
import { afterEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/hub.ts";
import { copse, freePort, killAll, type ServedHub, serve } from "../../support/processes.ts";

afterEach(killAll);

const started = async (): Promise<ServedHub> => serve(temporaryFolder("transfer"), await freePort(), "--log-level", "warn");
const everything = ["read", "write", "create", "delete", "admin"] as const;
const anyone = { scheme: "world", id: "anyone" } as const;

async function planted(url: string): Promise<Copse> {
  const client = await connect(url);
  await client.create("/app", "top", { acl: [{ ...anyone, perms: everything }] });
  await client.setAcl("/app", null, { default: [{ ...anyone, perms: ["read", "admin"] }] });
  await client.create("/app/plain", new Uint8Array([0, 255]));
  await client.create("/app/box", null, { container: true });
  await client.create("/app/brief", "soon", { ttl: 3_600_000 });
  await client.create("/app/alive", null, { ephemeral: true });
  await client.create("/app/queue", null, { acl: [{ ...anyone, perms: everything }] });
  for (let count = 0; count < 3; count++) await client.create("/app/queue/n-", null, { sequential: true });
  await client.delete("/app/queue/n-0000000002");
  return client;
}

describe("export and import", { timeout: 120_000 }, () => {
  it("keep ACLs, default ACLs, kinds, bytes and sequence counters, and leave ephemerals out", async () => {
    const [from, to] = [await started(), await started()];
    const client = await planted(from.url);
    const file = `${temporaryFolder("file")}/app.ndjson`;
    const exported = await copse(from.url, "export", "/app", "--file", file);
    expect(exported).toMatchObject({ code: 0, err: expect.stringContaining("left out 1 ephemerals") });
    expect(await copse(to.url, "import", "/copy", "--file", file)).toMatchObject({ code: 0 });
    const there = await connect(to.url);
    for (const name of ["", "/plain", "/box", "/brief", "/queue", "/queue/n-0000000000", "/queue/n-0000000001"]) {
      const [one, other] = await Promise.all([client.getAcl(`/app${name}`), there.getAcl(`/copy${name}`)]);
      expect([name, other.acl, other.default]).toEqual([name, one.acl, one.default]);
      expect([name, other.stat.container, other.stat.ttl]).toEqual([name, one.stat.container, one.stat.ttl]);
      expect((await there.get(`/copy${name}`)).bytes).toEqual((await client.get(`/app${name}`)).bytes);
    }
    expect(await there.exists("/copy/alive")).toBeNull();
    // The name that was deleted does not come again.
    expect((await there.create("/copy/queue/n-", null, { sequential: true })).path).toBe("/copy/queue/n-0000000003");
    for (const one of [client, there]) await one.close();
  });

  it("refuse a file that was cut or altered, and one without head and end unless it is said", async () => {
    const [from, to] = [await started(), await started()];
    await (await planted(from.url)).close();
    const text = (await copse(from.url, "export", "/app")).out;
    const lines = text.trimEnd().split("\n");
    const file = `${temporaryFolder("file")}/app.ndjson`;
    const importing = async (content: string, ...flags: string[]): Promise<string> => {
      writeFileSync(file, content);
      const { code, err } = await copse(to.url, "import", "/copy", "--file", file, ...flags);
      return `${code} ${err}`;
    };
    expect(await importing(lines.slice(0, -1).join("\n"))).toMatch(/^2 .*was cut/);
    expect(await importing(lines.slice(0, -2).concat(lines.slice(-1)).join("\n"))).toMatch(/^2 .*sum differs/);
    expect(await importing(text.replace('"data":"top"', '"data":"pot"'))).toMatch(/^2 .*sum differs/);
    expect(await importing(lines.slice(1, -1).join("\n"))).toMatch(/^2 .*--unchecked/);
    const client = await connect(to.url);
    expect(await client.exists("/copy")).toBeNull();
    expect(await importing(lines.slice(1, -1).join("\n"), "--unchecked")).toMatch(/^0 /);
    expect((await client.get("/copy")).data).toBe("top");
    await client.close();
    expect(readFileSync(file, "utf8")).not.toContain("copse");
  });

  it("[O4] refuse what can't be read whole, passwords of another cluster, and counters without an admin, before anything is written", async () => {
    const [from, to] = [await started(), await started()];
    const file = `${temporaryFolder("file")}/app.ndjson`;
    const client = await connect(from.url, { auth: () => [{ scheme: "scrypt", credential: "ann:secret" }] });
    const { id } = (await client.whoami()).find(({ scheme }) => scheme === "scrypt")!;
    await client.create("/app", "top");
    await client.create("/app/a", null);
    await client.create("/app/b", "hers", {
      acl: [
        { scheme: "scrypt", id, perms: everything },
        { ...anyone, perms: ["read"] },
      ],
    });
    // A stranger is shown no hashes: what would be written fits nobody.
    expect(await copse(from.url, "export", "/app")).toMatchObject({ code: 6, out: "" });
    expect(await copse(from.url, "export", "/app", "--no-acls", "--file", file)).toMatchObject({ code: 0 });
    await client.setAcl("/app/b", [{ scheme: "scrypt", id, perms: everything }]);
    expect(await copse(from.url, "export", "/app", "--no-acls")).toMatchObject({ code: 6, out: "" });
    const owner = ["--auth", "ann:secret"];
    expect(await copse(from.url, ...owner, "export", "/app", "--file", file)).toMatchObject({ code: 0 });
    expect(await copse(to.url, "import", "/copy", "--file", file)).toMatchObject({ err: expect.stringContaining("another cluster") });
    const there = await connect(to.url);
    expect(await there.exists("/copy")).toBeNull();
    // Who may not administer the root may not say where sequences begin.
    const admin = await connect(to.url, { auth: () => [{ scheme: "scrypt", credential: "root:secret" }] });
    const root = (await admin.whoami()).find(({ scheme }) => scheme === "scrypt")!;
    await admin.setAcl("/", [
      { ...anyone, perms: ["read", "create"] },
      { scheme: "scrypt", id: root.id, perms: everything },
    ]);
    expect(await copse(to.url, "import", "/copy", "--file", file, "--no-acls")).toMatchObject({
      code: 6,
      err: expect.stringContaining("--no-counters"),
    });
    expect(await there.exists("/copy")).toBeNull();
    await expect(there.create("/counted", null, { counter: 5 })).rejects.toMatchObject({ code: "NO_AUTH" });
    await expect(there.multi([{ op: "create", path: "/counted", counter: 5 }])).rejects.toMatchObject({ code: "NO_AUTH" });
    await admin.create("/counted", null, { counter: 5 });
    expect((await admin.create("/counted/n-", null, { sequential: true })).path).toBe("/counted/n-0000000005");
    expect((await admin.getAcl("/counted")).counter).toBe(6);
    await admin.close();
    expect(await copse(to.url, "import", "/copy", "--file", file, "--no-acls", "--no-counters")).toMatchObject({ code: 0 });
    for (const one of [client, there]) await one.close();
  });

  it("bring a subtree back in one txn, which is shown before, guarded, and refused where it is too large", async () => {
    const hub = await started();
    const client = await planted(hub.url);
    const file = `${temporaryFolder("file")}/app.ndjson`;
    expect((await copse(hub.url, "export", "/app", "--file", file)).code).toBe(0);
    const before = await exportedText(hub.url);
    await client.set("/app", "by mistake");
    await client.setAcl("/app/plain", [{ ...anyone, perms: ["read", "write", "admin"] }]);
    await client.delete("/app/brief");
    for (const path of ["/app/strange", "/app/strange/deep"]) await client.create(path, "x", { acl: [{ ...anyone, perms: everything }] });
    const dry = await copse(hub.url, "import", "/app", "--file", file, "--replace", "--dry-run");
    expect(dry).toMatchObject({ code: 0, out: "- /app/strange\n- /app/strange/deep\n+ /app/brief\n~ /app\n~ /app/plain\n" });
    expect(await exportedText(hub.url)).not.toEqual(before);
    const zxid = (await client.create("/elsewhere")).stat.czxid;
    expect(await copse(hub.url, "import", "/app", "--file", file, "--replace")).toMatchObject({
      code: 0,
      err: "created 1, changed 2, deleted 2\n",
    });
    expect(await exportedText(hub.url)).toEqual(before);
    // One txn: all that it changed has one zxid.
    const [top, brief] = [await client.exists("/app"), await client.exists("/app/brief")];
    expect([top!.mzxid, brief!.czxid > zxid]).toEqual([brief!.czxid, true]);
    expect(await client.exists("/app/alive")).not.toBeNull();
    expect(await copse(hub.url, "import", "/app", "--file", file, "--replace")).toMatchObject({
      code: 0,
      err: "created 0, changed 0, deleted 0\n",
    });

    // Somebody came between: nothing is changed. What one txn can't hold is refused.
    const { znodes } = await carrySubtree(client, "/app");
    await client.set("/app", "other");
    const plan = await planRestore(client, "/app", znodes);
    await client.set("/app", "between");
    await expect(restoreSubtree(client, "/app", plan)).rejects.toMatchObject({ code: "BAD_VERSION" });
    expect((await client.get("/app")).data).toBe("between");
    const large = Array.from({ length: 3 }, (_, at) => ({ path: `n${at}`, data: "x".repeat(1_000_000) }));
    await client.create("/large");
    const tooLarge = await planRestore(client, "/large", [{ path: ".", data: null }, ...large]);
    await expect(restoreSubtree(client, "/large", tooLarge)).rejects.toMatchObject({ code: "TOO_LARGE" });
    expect((await client.children("/large")).children).toEqual([]);
    await client.create("/app/doomed", null, { acl: [{ ...anyone, perms: everything }] });
    await client.create("/app/doomed/alive", null, { ephemeral: true });
    await expect(planRestore(client, "/app", znodes)).rejects.toMatchObject({ code: "BAD_ARGUMENTS", path: "/app/doomed/alive" });
    await client.close();
  });
});

/** What an export says of /app, without what it says of itself, and of sequences, which never go back. */
async function exportedText(url: string): Promise<object[]> {
  const { out } = await copse(url, "export", "/app");
  const lines = out.trimEnd().split("\n").slice(1, -1);
  return lines.map((line) => ({ ...(JSON.parse(line) as object), counter: null }));
}
