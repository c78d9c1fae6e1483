/** What the public API says in types: checked by the compiler, which reads this file with all others before any test runs. */
import { describe, expectTypeOf, it } from "vitest";
import {
  type Copse,
  type CopseError,
  type CopseErrorCode,
  defineNode,
  isCopseError,
  type NodeDefinition,
  type Permission,
  type Scheme,
  type ShownEnsemble,
  type Stat,
  type Store,
  type Updated,
  type Znode,
} from "../src/index.ts";

interface Web {
  readonly theme: string;
}

declare const copse: Copse;
const web = defineNode<Web>("/config/web");

describe("the types of", () => {
  it("get and set: of a path the data, of a definition its value", () => {
    expectTypeOf<Awaited<ReturnType<typeof readWeb>>>().toEqualTypeOf<{ readonly value: Web; readonly stat: Stat }>();
    expectTypeOf<Awaited<ReturnType<typeof readText>>>().toEqualTypeOf<Znode>();
    expectTypeOf(web).toEqualTypeOf<NodeDefinition<Web>>();
  });

  it("stores and updates: undefined only where nothing is promised", () => {
    expectTypeOf<ReturnType<typeof bareStore>>().toEqualTypeOf<Store<Web | undefined>>();
    expectTypeOf<ReturnType<typeof storeWithInitial>>().toEqualTypeOf<Store<Web>>();
    expectTypeOf<Awaited<ReturnType<typeof raise>>>().toEqualTypeOf<Updated<Web>>();
  });

  it("batches: a result for each op, in its place", () => {
    expectTypeOf<Awaited<ReturnType<typeof batch>>>().toEqualTypeOf<
      [{ readonly path: string; readonly stat: Stat }, { readonly deleted?: number }, { readonly stat: Stat }]
    >();
    type Reads = Awaited<ReturnType<typeof reads>>;
    expectTypeOf<Reads[0]>().toEqualTypeOf<CopseError | Znode>();
    expectTypeOf<Reads[1]>().toEqualTypeOf<CopseError | { readonly stat: Stat | null }>();
  });

  it("errors: a code narrows, and permissions and schemes are what the protocol knows", () => {
    const error: unknown = null;
    if (isCopseError(error, "BAD_VERSION")) expectTypeOf(error.code).toEqualTypeOf<"BAD_VERSION">();
    if (isCopseError(error)) expectTypeOf(error.code).toEqualTypeOf<CopseErrorCode>();
    expectTypeOf<Permission>().toEqualTypeOf<"read" | "write" | "create" | "delete" | "admin">();
    expectTypeOf<"digest">().toExtend<Scheme>();
    expectTypeOf<Awaited<ReturnType<Copse["ensemble"]>>>().toEqualTypeOf<ShownEnsemble>();
  });
});

function readWeb() {
  return copse.get(web);
}

function readText(): Promise<Znode> {
  return copse.get("/a");
}

function bareStore() {
  return copse.store(web);
}

function storeWithInitial() {
  return copse.store(web, { initial: { theme: "light" } });
}

function raise() {
  return copse.update(web, (value = { theme: "light" }) => value);
}

function batch() {
  return copse.multi([
    { op: "create", path: "/a" },
    { op: "delete", path: "/b" },
    { op: "set", path: "/c" },
  ]);
}

function reads() {
  return copse.read([
    { op: "get", path: "/a" },
    { op: "exists", path: "/b" },
  ]);
}
