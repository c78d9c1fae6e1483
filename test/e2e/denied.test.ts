/** Denied, missing, empty and null are four things: what may not be read is never shown as if there were nothing. */
import { type AclItem, type Change, type Copse, connect, defineNode } from "@copse/client";
import { presence } from "@copse/recipes/presence";
import { treeCache } from "@copse/recipes/tree-cache";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";

const all = ["read", "write", "create", "delete", "admin"] as const;
const owner: AclItem = { scheme: "auth", id: "", perms: all };
const open: AclItem = { scheme: "world", id: "anyone", perms: all };

let hub: Hub;
const clients: Copse[] = [];

beforeAll(async () => {
  hub = await startHub();
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await hub.destroy();
});

/** An owner, a reader without any identity, and a folder of the owner's that the reader may list or not. */
async function world(isListed: boolean): Promise<{ own: Copse; reader: Copse; settled: () => Promise<void> }> {
  const own = await connect(hub.url, { auth: () => [{ scheme: "digest", credential: "owner:secret" }] });
  const reader = await connect(hub.url);
  clients.push(own, reader);
  await own.delete("/dir", { recursive: true }).catch(() => {});
  await own.create("/dir", null, { acl: isListed ? [open] : [owner] });
  // What a change tells a subscriber stands before the answer to what it asks later.
  return { own, reader, settled: () => reader.sync() };
}

describe.each([
  ["denied below what one may list", true],
  ["hidden with its parent", false],
])("a znode that is %s", (_name, isListed) => {
  it("makes a store denied; its last good value stays, and it is live again once reading is allowed", async () => {
    const { own, reader, settled } = await world(isListed);
    await own.create("/dir/a", "1", { acl: [open] });
    const kept = reader.store(defineNode<number>("/dir/a"), { initial: 0 });
    const dropped = reader.store("/dir/a", { initial: "none", whenDenied: "drop" });
    const told: unknown[] = [];
    kept.subscribe((value) => told.push([value, kept.status]));
    dropped.subscribe(() => {});
    await settled();
    expect([kept.get(), kept.status, kept.version]).toEqual([1, "live", 0]);
    await own.setAcl("/dir/a", [owner]);
    await settled();
    expect([kept.get(), kept.status, kept.error?.code, kept.error?.path, kept.stat]).toEqual([1, "denied", "NO_AUTH", "/dir/a", null]);
    expect([dropped.get(), dropped.status]).toEqual(["none", "denied"]);
    await own.set("/dir/a", "2");
    await own.setAcl("/dir/a", [open]);
    await settled();
    expect([kept.get(), kept.status, kept.error, kept.version]).toEqual([2, "live", null, 1]);
    expect(told).toEqual([
      [0, "waiting"],
      [1, "live"],
      [1, "denied"],
      [2, "live"],
    ]);
    await own.setAcl("/dir/a", [owner]);
    await own.delete("/dir/a");
    await settled();
    expect([kept.get(), kept.status]).toEqual([0, "missing"]);
    await own.create("/dir/a", "3", { acl: [owner] });
    await settled();
    expect([kept.get(), kept.status]).toEqual([0, "denied"]);
  });

  it("is no value at first either, and what waits for one is told", async () => {
    const { own, reader } = await world(isListed);
    await own.create("/dir/a", "1", { acl: [owner] });
    const store = reader.store("/dir/a");
    await expect(store.ready()).rejects.toMatchObject({ code: "NO_AUTH", path: "/dir/a" });
    await reader.store("/dir/b").ready();
  });

  it("is a denied item of a stream, and a denied tree in a cache", async () => {
    const { own, reader, settled } = await world(isListed);
    await own.create("/dir/a", "1", { acl: [open] });
    await own.create("/dir/a/below", "x", { acl: [open] });
    const cache = treeCache(reader, "/dir/a");
    cache.subscribe(() => {});
    const changes = reader.changes("/dir/a", { scope: "tree" });
    await settled();
    expect(cache.get()?.children.get("below")?.data).toBe("x");
    await own.setAcl("/dir/a/below", [owner]);
    await settled();
    const below = cache.get()?.children.get("below");
    expect([cache.status, below?.isDenied, below?.data]).toEqual(["live", true, "x"]);
    await own.setAcl("/dir/a", [owner]);
    await settled();
    expect([cache.status, cache.error?.code, cache.get()?.data]).toEqual(["denied", "NO_AUTH", "1"]);
    const seen: Change[] = [];
    while (seen.filter(({ kind }) => kind === "denied").length < 2) seen.push((await changes.next()).value!);
    expect(seen.map(({ kind, path }) => [kind, path])).toEqual([
      ["resync", "/dir/a"],
      ["denied", "/dir/a/below"],
      ["resync", "/dir/a"],
      ["denied", "/dir/a"],
    ]);
  });
});

describe("a room that may not be looked into", () => {
  it("is denied, not empty", async () => {
    const { own, reader, settled } = await world(false);
    const room = await presence(own, "/dir/room", { user: "owner", acl: [owner] });
    const lobby = await presence(reader, "/lobby", { user: "reader" });
    await settled();
    const others = (await presence(own, "/dir/room", { user: "second", acl: [owner] })).others;
    await others.ready();
    expect(others.get().map(({ user }) => user)).toEqual(["owner"]);
    await expect(presence(reader, "/dir/room", { user: "reader" })).rejects.toMatchObject({ code: "NO_AUTH" });
    await Promise.all([room.close(), lobby.close()]);
  });
});
