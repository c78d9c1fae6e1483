/** What types say of the client: definitions over schema libraries, batches as tuples, errors by brand. */
import { type Copse, CopseError, defineNode, isCopseError, type NodeDefinition } from "@copse/client";
import { TestEnsemble } from "@copse/testing";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";

interface Web {
  theme: "light" | "dark";
  limit: number;
}

const definitions: Record<string, NodeDefinition<Web>> = {
  zod: defineNode("/config/web", z.object({ theme: z.enum(["light", "dark"]), limit: z.number().int() })),
  valibot: defineNode("/config/web", v.object({ theme: v.picklist(["light", "dark"]), limit: v.pipe(v.number(), v.integer()) })),
  arktype: defineNode("/config/web", type({ theme: "'light' | 'dark'", limit: "number.integer" })),
};

describe("a definition", () => {
  for (const [library, Definition] of Object.entries(definitions)) {
    it(`over ${library} checks what is read and what is written, and a store keeps the last good value`, async () => {
      const hub = new TestEnsemble();
      const copse = await hub.connect();
      const initial: Web = { theme: "light", limit: 20 };
      const store = copse.store(Definition, { initial });
      const seen: Web[] = [];
      store.subscribe((value) => seen.push(value));
      await store.ready();
      expect(store.status).toBe("missing");
      await copse.update(Definition, () => ({ theme: "dark", limit: 1 }));
      await copse.sync();
      expect([store.get(), store.status]).toEqual([{ theme: "dark", limit: 1 }, "live"]);
      expect(Object.isFrozen(store.get())).toBe(true);
      await copse.set("/config/web", '{"theme":"dark","limit":0.5}');
      await copse.sync();
      expect(store.get()).toEqual({ theme: "dark", limit: 1 });
      expect(store.error).toMatchObject({
        code: "SCHEMA",
        path: "/config/web",
        help: "https://unpkg.com/@copse/client/dist/errors.md#schema",
      });
      expect(store.error?.issues[0]?.message).toMatch(/integer|int/i);
      const bad = copse.update(Definition, () => ({ theme: "pink" }) as unknown as Web);
      await expect(bad).rejects.toMatchObject({ code: "SCHEMA" });
      await copse.set("/config/web", '{"theme":"light","limit":3}');
      const { value } = await copse.update(Definition, (web) => ({ ...web!, limit: web!.limit + 1 }));
      const known = await copse.get(Definition);
      expect([known.value.limit, store.version]).toEqual([4, known.stat.version]);
      await expect(copse.set(Definition, { ...known.value, limit: 5 }, { version: 0 })).rejects.toMatchObject({ code: "BAD_VERSION" });
      await expect(copse.set(Definition, { limit: "many" } as unknown as Web)).rejects.toMatchObject({ code: "SCHEMA" });
      await copse.sync();
      expect([value.limit, store.error, store.get().limit]).toEqual([4, null, 4]);
    });
  }

  it("has the type of its schema", () => {
    const Zod = defineNode("/z", z.object({ limit: z.number() }));
    expectTypeOf(Zod).toEqualTypeOf<NodeDefinition<{ limit: number }>>();
    expectTypeOf<ReturnType<typeof Zod.parse>>().toEqualTypeOf<{ limit: number }>();
  });
});

describe("a batch", () => {
  it("of writes gives a result for each op, and of reads a value or an error in its place", async () => {
    const hub = new TestEnsemble();
    const copse: Copse = await hub.connect();
    const [created, set, checked] = await copse.multi([
      { op: "create", path: "/a/b", data: "1", parents: true, ttl: 60_000 },
      { op: "set", path: "/a/b", data: "2" },
      { op: "check", path: "/a/b", version: 1 },
    ]);
    expectTypeOf(created.path).toEqualTypeOf<string>();
    expectTypeOf(checked).not.toHaveProperty("stat");
    expect([created.path, set.stat.version, set.stat.ttl]).toEqual(["/a/b", 1, 60_000]);
    const [got, missing, children, none] = await copse.read([
      { op: "get", path: "/a/b" },
      { op: "get", path: "/missing" },
      { op: "children", path: "/a" },
      { op: "exists", path: "/missing" },
    ]);
    if (isCopseError(got) || isCopseError(children) || isCopseError(none)) throw new Error("these can be read");
    expectTypeOf(got.data).toEqualTypeOf<string | null>();
    expect([got.data, children.children, children.more, none.stat]).toEqual(["2", ["b"], false, null]);
    expect(missing).toBeInstanceOf(CopseError);
    expect(missing).toMatchObject({ code: "NO_NODE", path: "/missing" });
    const [gone] = await copse.multi([{ op: "delete", path: "/a", recursive: true }]);
    expectTypeOf(gone.deleted).toEqualTypeOf<number | undefined>();
    expect(gone.deleted).toBe(2);
  });
});

describe("an error", () => {
  it("is known by its brand, also from another copy of the package", () => {
    const foreign = Object.assign(new Error("x"), { brand: "copse.error", code: "BAD_VERSION" });
    expect([isCopseError(foreign), isCopseError(foreign, "BAD_VERSION"), isCopseError(foreign, "NO_NODE")]).toEqual([true, true, false]);
    expect([isCopseError(new Error("x")), isCopseError(null)]).toEqual([false, false]);
  });
});
