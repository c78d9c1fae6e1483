/** Recipes in which many know of each other: kept ephemerals, groups, services, presence, cached trees. */
import type { Copse } from "@copse/client";
import { group } from "@copse/recipes/group";
import { persistentEphemeral } from "@copse/recipes/persistent-ephemeral";
import { type Attention, type Participant, presence } from "@copse/recipes/presence";
import { services } from "@copse/recipes/service";
import { type CachedZnode, treeCache } from "@copse/recipes/tree-cache";
import { TestEnsemble } from "@copse/testing";
import { describe, expect, it } from "vitest";
import { clientsOf, ghosts, quiet } from "../support/recipe-clients.ts";

describe("a kept ephemeral", () => {
  it("is there through sessions and deletions, with its newest data, and gone once it is closed", async () => {
    const hub = new TestEnsemble();
    const [copse, other] = (await clientsOf(hub, 2)) as [Copse, Copse];
    const kept = await persistentEphemeral(copse, "/here/a", "1");
    const { token } = kept;
    expect(await other.get("/here/a")).toMatchObject({ data: "1", stat: { czxid: token, ephemeralOwner: copse.sessionId } });
    await kept.set("2");
    await other.delete("/here/a");
    await hub.advance(1_000);
    expect((await other.get("/here/a")).data).toBe("2");
    await hub.expireSession(copse);
    await hub.advance(1_000);
    expect(await other.get("/here/a")).toMatchObject({ data: "2", stat: { ephemeralOwner: copse.sessionId } });
    expect(kept.token).toBeGreaterThan(token);
    await other.create("/x", null, { guard: kept.guard });
    await kept.close();
    expect([await other.exists("/here/a"), kept.signal.aborted]).toEqual([null, true]);
    await hub.advance(1_000);
    expect(await other.exists("/here/a")).toBeNull();
  });

  it("waits for whoever stands there, gives up when told, and says what is refused", async () => {
    const hub = new TestEnsemble();
    const clients = await clientsOf(hub, 3);
    const [one, two, three] = clients as [Copse, Copse, Copse];
    const first = await persistentEphemeral(one, "/here/a", "one");
    const second = persistentEphemeral(two, "/here/a", "two");
    const controller = new AbortController();
    const third = persistentEphemeral(three, "/here/a", "three", { signal: controller.signal });
    await quiet(clients);
    controller.abort(new Error("enough"));
    await expect(third).rejects.toThrow("enough");
    await first.close();
    expect((await hub.until(second)).path).toBe("/here/a");
    expect((await one.get("/here/a")).data).toBe("two");
    await expect(persistentEphemeral(three, "/here/a/below")).rejects.toMatchObject({ code: "NO_CHILDREN_FOR_EPHEMERALS" });
  });

  it("leaves nothing behind when it is closed at any moment", async () => {
    for (let delay = 0; delay < 12; delay++) {
      const hub = new TestEnsemble();
      const copse = await hub.connect();
      const controller = new AbortController();
      const kept = persistentEphemeral(copse, "/here/a", "1", { signal: controller.signal }).catch(() => null);
      for (let turn = 0; turn < delay; turn++) await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      await (await kept)?.close();
      await quiet([copse]);
      expect(ghosts(hub, "/here")).toEqual([]);
    }
  });
});

describe("a group", () => {
  it("lists who is here, live, in order, and the same objects for those who did not change", async () => {
    const hub = new TestEnsemble();
    const [a, b, watcher] = (await clientsOf(hub, 3)) as [Copse, Copse, Copse];
    const { members } = group(watcher, "/g");
    const seen: string[][] = [];
    const stop = members.subscribe((list) => seen.push(list.map(({ id }) => id)));
    await members.ready();
    const one = await group(a, "/g").join("data of a", { id: "a" });
    const two = await group(b, "/g").join(null, { id: "b" });
    await quiet([watcher]);
    const [first] = members.get();
    expect(members.get()).toMatchObject([{ id: "a", data: "data of a", token: one.token }, { id: "b" }]);
    await two.set("changed");
    await quiet([watcher]);
    expect(members.get()[0]).toBe(first);
    expect(members.get()[1]?.data).toBe("changed");
    await hub.expireSession(a);
    await hub.advance(500);
    expect(members.get().map(({ id }) => id)).toEqual(["a", "b"]);
    await one.close();
    await two.close();
    await quiet([watcher]);
    expect(members.get()).toEqual([]);
    expect(seen).toContainEqual(["b"]);
    stop();
    expect((await group(a, "/g").join()).id).toMatch(/^[\w-]{21}$/);
  });
});

describe("services", () => {
  it("are picked by zone and weight, never while they drain, and known to all who ask", async () => {
    const hub = new TestEnsemble();
    const [a, b, caller] = (await clientsOf(hub, 3)) as [Copse, Copse, Copse];
    const found = services(caller).discover("pay");
    expect(services(caller).discover("pay")).toBe(found);
    expect(found.pick()).toBeNull();
    await found.ready();
    const one = await services(a).register("pay", { url: "https://a", zone: "a", weight: 3 }, { id: "1" });
    const two = await services(b).register("pay", { url: "https://b", zone: "b" }, { id: "2" });
    await quiet([caller]);
    const picked = [0, 0.7, 0.76, 0.99].map((chance) => found.pick({ random: () => chance })?.url);
    expect(picked).toEqual(["https://a", "https://a", "https://b", "https://b"]);
    expect([found.pick({ zone: "b" })?.id, found.pick({ zone: "elsewhere", random: () => 0 })?.id]).toEqual(["2", "1"]);
    await one.drain();
    await quiet([caller]);
    expect(found.instances.get()).toMatchObject([
      { id: "1", isDraining: true, zone: "a" },
      { id: "2", weight: 1 },
    ]);
    expect(found.pick({ zone: "a" })?.id).toBe("2");
    await two.update({ weight: 0 });
    // One whose data makes no sense hides no other.
    await caller.create("/services/pay/broken", "{", {});
    await quiet([caller]);
    expect([found.pick(), found.instances.get().length]).toEqual([null, 2]);
    await expect(services(a).register("pay", { url: "" })).rejects.toMatchObject({ code: "SCHEMA" });
    await expect(two.update({ weight: -1 })).rejects.toMatchObject({ code: "SCHEMA" });
    await found.close();
    await quiet([caller]);
    expect(hub.member().figures.subscriptions).toBe(0);
  });

  it("stay registered through lost sessions, with what was changed last", async () => {
    const hub = new TestEnsemble();
    const [a, caller] = (await clientsOf(hub, 2)) as [Copse, Copse];
    const one = await services(a, { root: "/other" }).register("pay", { url: "https://a" });
    await one.update({ weight: 7 });
    await hub.expireSession(a);
    await hub.advance(500);
    const found = services(caller, { root: "/other" }).discover("pay");
    await found.ready();
    expect(found.pick()).toMatchObject({ id: one.id, weight: 7 });
    await one.close();
    await quiet([caller]);
    expect(found.instances.get()).toEqual([]);
  });
});

describe("presence", () => {
  it("shows the others, whether they look, and for a moment that they are gone", async () => {
    const hub = new TestEnsemble();
    const [a, b] = (await clientsOf(hub, 2)) as [Copse, Copse];
    let state: "online" | "hidden" | "suspended" = "online";
    let look = (): void => {};
    const attention: Attention = {
      state: () => state,
      onChange: (listener) => {
        look = listener;
        return () => {};
      },
    };
    const room = await presence(a, "/room", { user: { name: "a" } });
    const other = await presence(b, "/room", { user: { name: "b" }, id: "b", attention });
    const seen: (readonly Participant<{ name: string }>[])[] = [];
    room.others.subscribe((list) => seen.push(list));
    await room.others.ready();
    const others = (): string =>
      room.others
        .get()
        .map(({ user, state: is }) => `${user.name} ${is}`)
        .join();
    expect(others()).toBe("b online");
    for (const next of ["hidden", "suspended"] as const) {
      state = next;
      look();
      await quiet([b, a]);
      expect(others()).toBe(`b ${next}`);
    }
    await other.update({ name: "bee" });
    await quiet([b, a]);
    expect(others()).toBe("bee suspended");
    // A lost session is a moment's absence.
    await hub.expireSession(b);
    await hub.advance(500);
    expect(others()).toBe("bee suspended");
    expect(seen.some((list) => list[0]?.state === "gone")).toBe(true);
    await other.close();
    await quiet([a]);
    expect(others()).toBe("bee gone");
    await hub.advance(3_100);
    expect(others()).toBe("");
    await room.close();
    expect(ghosts(hub, "/room")).toEqual([]);
  });
});

describe("one participant in two tabs", () => {
  it("is one presence, as present as the tab that is looked at", async () => {
    const hub = new TestEnsemble();
    const [a, first, second] = (await clientsOf(hub, 3)) as [Copse, Copse, Copse];
    const room = await presence(a, "/room", { user: "watcher" });
    room.others.subscribe(() => {});
    const hidden: Attention = { state: () => "hidden", onChange: () => () => {} };
    const tab = await presence(first, "/room", { user: "ann", id: "ann", attention: hidden });
    const others = (): string =>
      room.others
        .get()
        .map(({ id, user, state }) => `${id} ${user} ${state}`)
        .join();
    await quiet([first, a]);
    expect(others()).toBe("ann ann hidden");
    const other = await presence(second, "/room", { user: "Ann", id: "ann" });
    other.others.subscribe(() => {});
    await quiet([second, a]);
    expect([others(), other.others.get().map(({ user }) => user)]).toEqual(["ann Ann online", ["watcher"]]);
    await tab.update("Anna");
    await quiet([first, a]);
    expect(others()).toBe("ann Anna online");
    await other.close();
    await quiet([second, a]);
    expect(others()).toBe("ann Anna hidden");
    await tab.close();
    await quiet([first, a]);
    expect(others()).toBe("ann Anna gone");
    await room.close();
    expect(ghosts(hub, "/room")).toEqual([]);
  });
});

describe("a cached tree", () => {
  it("is one value whose unchanged parts stay the same objects", async () => {
    const hub = new TestEnsemble();
    const [copse, other] = (await clientsOf(hub, 2)) as [Copse, Copse];
    const cache = treeCache(copse, "/t");
    const seen: (CachedZnode | null)[] = [];
    cache.subscribe((root) => seen.push(root));
    await cache.ready();
    expect([cache.get(), cache.status]).toEqual([null, "missing"]);
    for (const path of ["/t/a/x", "/t/b"]) await other.create(path, path, { parents: true });
    await quiet([copse]);
    const before = cache.get()!;
    const at = (root: CachedZnode | null, ...names: string[]): CachedZnode | undefined =>
      names.reduce<CachedZnode | undefined>((znode, name) => znode?.children.get(name), root ?? undefined);
    expect([at(before, "a", "x")?.data, at(before, "b")?.data]).toEqual(["/t/a/x", "/t/b"]);
    await other.set("/t/b", "new");
    await quiet([copse]);
    const after = cache.get()!;
    expect(after).not.toBe(before);
    expect([at(after, "b")?.data, at(before, "b")?.data]).toEqual(["new", "/t/b"]);
    expect(at(after, "a")).toBe(at(before, "a"));
    // A reconnect brings nothing new, and so changes nothing.
    hub.dropConnections();
    await hub.advance(5_000);
    expect(cache.get()).toBe(after);
    await other.delete("/t/a", { recursive: true });
    await other.create("/t/__proto__", "data like any other");
    await quiet([copse]);
    expect([...cache.get()!.children.keys()]).toEqual(["b", "__proto__"]);
    expect(() => (cache.get()!.children as Map<string, unknown>).set("x", 1)).toThrow();
    await other.delete("/t", { recursive: true });
    await quiet([copse]);
    expect([cache.get(), cache.status]).toEqual([null, "missing"]);
  });

  it("keeps what is the same when the state comes anew", async () => {
    const hub = new TestEnsemble();
    const [copse, other] = (await clientsOf(hub, 2)) as [Copse, Copse];
    for (const path of ["/t/a/x", "/t/b"]) await other.create(path, path, { parents: true });
    const cache = treeCache(copse, "/t");
    cache.subscribe(() => {});
    await cache.ready();
    const before = cache.get()!;
    // A change of what the subscriber may see makes the server send everything anew.
    await other.setAcl("/t/b", [{ scheme: "world", id: "anyone", perms: ["read", "admin"] }]);
    await quiet([copse]);
    const after = cache.get()!;
    expect(after.children.get("a")).toBe(before.children.get("a"));
    expect(after.children.get("b")).not.toBe(before.children.get("b"));
  });
});
