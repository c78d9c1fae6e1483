/**
 * Scripts of several sessions, made at random: what two stores are asked, and compared by.
 *
 * Paths are few and short, so that operations meet. Where ZooKeeper 3.8.0 differs from what 3.9 documents, scripts keep apart
 * what it confuses: one kind of watch for each session and path (ZOOKEEPER-4466), and either watches or znodes that not all may
 * read, because it tells of these too (CVE-2024-23944).
 */
import { createHash } from "node:crypto";
import fc from "fast-check";
import type { Request } from "./store.ts";

interface AclItem {
  readonly perms: readonly string[];
  readonly scheme: string;
  readonly id: string;
}

export type Step =
  /** A request. Its paths begin below the script's own znode; "#3" stands for the third sequential path of the script. */
  | { readonly kind: "ask"; readonly session: number; readonly request: Request }
  /** The session ends, and another begins in its place. */
  | { readonly kind: "close"; readonly session: number }
  /** The session loses its connection, others go on, it comes back with its one-shot watches. */
  | { readonly kind: "away"; readonly session: number; readonly meanwhile: readonly Step[] };

export const sessionCount = 3;
/** Sessions with one-shot watches, with persistent and recursive ones, and with none. */
const [oneShot, lasting] = [0, 1];
const users = ["ann", "bob"];

const paths = ["/a", "/b", "/a/c", "/a/d", "/a/c/e", "/a/c/é", "/b/__proto__"];
const path = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...paths) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 9 }).map((at) => `#${at}`) },
);
const parent = fc.oneof({ weight: 6, arbitrary: fc.constantFrom("", "/a", "/b", "/a/c") }, { weight: 1, arbitrary: path });
const data = fc.option(fc.constantFrom("", "x", "some text", "größer 𝄞"), { nil: undefined });
const version = fc.option(fc.integer({ min: -1, max: 3 }), { nil: undefined, freq: 1 });
const perms = fc.subarray(["read", "write", "create", "delete", "admin"], { minLength: 1 });

export function digestOf(user: string): string {
  return `${user}:${createHash("sha1").update(`${user}:secret of ${user}`).digest("base64")}`;
}

const aclItem: fc.Arbitrary<AclItem> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ perms, scheme: fc.constant("world"), id: fc.constant("anyone") }) },
  { weight: 3, arbitrary: fc.record({ perms, scheme: fc.constant("digest"), id: fc.constantFrom(...users.map(digestOf)) }) },
  { weight: 1, arbitrary: fc.record({ perms, scheme: fc.constant("auth"), id: fc.constant("") }) },
  { weight: 1, arbitrary: fc.record({ perms, scheme: fc.constant("ip"), id: fc.constantFrom("127.0.0.1", "10.0.0.0/8", "127.0.0.0/8") }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ perms: ["read"], scheme: "digest", id: "nonsense" }, { perms: ["read"], scheme: "unknown", id: "x" }),
  },
);
/** Most ACLs leave enough open for a script to go on. */
const anyAcl: fc.Arbitrary<readonly AclItem[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([{ perms: ["read", "write", "create", "delete", "admin"], scheme: "world", id: "anyone" }]) },
  { weight: 3, arbitrary: fc.array(aclItem, { minLength: 1, maxLength: 3 }) },
);

const readable = anyAcl.map((items) => [...items, { perms: ["read"], scheme: "world", id: "anyone" }]);

const mode = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  { weight: 3, arbitrary: fc.constant({ ephemeral: true }) },
  { weight: 1, arbitrary: fc.constant({ container: true }) },
  // Longer than any script runs.
  { weight: 1, arbitrary: fc.constant({ ttl: 3_600_000 }) },
);
/** @param about watches of all kinds on znodes that all may read, or access by any ACL without watches */
export function scriptsOf(about: "watches" | "access"): fc.Arbitrary<Step[]> {
  const acl = about === "watches" ? readable : anyAcl;
  const watchWeight = about === "watches" ? 1 : 0;
  const create = fc.oneof(
    { weight: 5, arbitrary: fc.record({ path, mode, data, acl: fc.option(acl, { nil: undefined, freq: 3 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        path: fc.tuple(parent, fc.constantFrom("/s-", "/")).map(([at, name]) => at + name),
        mode: fc.constantFrom({ sequential: true }, { sequential: true, ephemeral: true }, { sequential: true, ttl: 3_600_000 }),
        data,
        acl: fc.constant(undefined),
      }),
    },
  );
  const createRequest = create.map(({ mode: flags, ...rest }): Request => plain({ op: "create", ...rest, ...flags }));
  const set = fc.record({ op: fc.constant("set"), path, data, version });
  const remove = fc.record({ op: fc.constant("delete"), path, version });
  const check = fc.record({ op: fc.constant("check"), path, version });
  const writes = fc.oneof({ weight: 6, arbitrary: createRequest }, { weight: 4, arbitrary: set }, { weight: 3, arbitrary: remove });
  const multiOp = fc.oneof({ weight: 8, arbitrary: writes }, { weight: 3, arbitrary: check });
  const readOp = fc.oneof(fc.record({ op: fc.constant("get"), path }), fc.record({ op: fc.constant("children"), path }));

  /** What any session may ask. */
  const anybody: fc.Arbitrary<Request> = fc.oneof(
    { weight: 26, arbitrary: writes },
    { weight: 5, arbitrary: fc.record({ op: fc.constant("multi"), ops: fc.array(multiOp, { minLength: 1, maxLength: 5 }) }) },
    { weight: 4, arbitrary: fc.record({ op: fc.constantFrom("get", "exists", "children"), path }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("read"), ops: fc.array(readOp, { minLength: 1, maxLength: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("setAcl"), path, acl, version }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("getAcl"), path }) },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant("auth"),
        scheme: fc.constant("digest"),
        credential: fc.constantFrom(...users).map((user) => `${user}:secret of ${user}`),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("ephemerals"), prefix: fc.constantFrom("", "/a") }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("count"), path: fc.oneof(path, fc.constant("")) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constantFrom("whoami", "sync") }) },
  );
  const watching: fc.Arbitrary<Request> = fc.record({ op: fc.constantFrom("get", "exists", "children"), path, watch: fc.constant(true) });
  const lastingWatch: fc.Arbitrary<Request> = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant("addWatch"), path: fc.constantFrom("/a", "/a/c/e"), mode: fc.constant("persistent") }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant("addWatch"), path: fc.constantFrom("/b", "/a/c"), mode: fc.constant("recursive") }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("removeWatch"), path: fc.constantFrom("/a", "/a/c/e", "/b", "/a/c") }) },
  );

  const session = fc.integer({ min: 0, max: sessionCount - 1 });
  const asked: fc.Arbitrary<Step> = fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant("ask" as const), session, request: anybody }) },
    {
      weight: 4 * watchWeight,
      arbitrary: fc.record({ kind: fc.constant("ask" as const), session: fc.constant(oneShot), request: watching }),
    },
    {
      weight: watchWeight,
      arbitrary: fc.record({ kind: fc.constant("ask" as const), session: fc.constant(lasting), request: lastingWatch }),
    },
  );
  const others: fc.Arbitrary<Step> = fc.record({
    kind: fc.constant("ask" as const),
    session: fc.integer({ min: 1, max: sessionCount - 1 }),
    request: anybody,
  });

  return fc.array(
    fc.oneof(
      { weight: 150, arbitrary: asked },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("close" as const), session }) },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("away" as const),
          session: fc.constant(oneShot),
          meanwhile: fc.array(others, { minLength: 1, maxLength: 8 }),
        }),
      },
    ),
    { minLength: 150, maxLength: 250, size: "max" },
  );
}

/** Members that are undefined are absent. */
function plain(request: Request): Request {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as Request;
}
