/**
 * The state machine: the same log gives the same state; a snapshot is the state; a reader sees one moment; a multi that fails
 * leaves no trace. Histories are random; the seed is printed by fast-check where one fails.
 */

import { madeValue, type Value } from "@copse/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Applied, apply } from "../src/apply.ts";
import { digestOf } from "../src/digest.ts";
import { replyUnitsMax } from "../src/session-table.ts";
import { SnapshotLoader, SnapshotWriter } from "../src/snapshot.ts";
import { nextVersion, Tree } from "../src/tree.ts";
import { decodeTxns, encodeEntry, encodeTxn, type Txn, type WriteTxn } from "../src/txn.ts";
import { pathOf, statOf, type Znode } from "../src/znode.ts";
import { writeTxn } from "./write-txn.ts";

type Wire = WriteTxn["write"];
const text = (data: string): Value => madeValue(data, Buffer.byteLength(data), false);

const names = ["a", "b", "a-", "c"];
const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).map((segments) => `/${segments.join("/")}`);
const version = fc.constantFrom(-1, -1, -1, 0, 1);
const closed = [{ perms: ["read"], scheme: "world", id: "anyone" }];
const single = fc.oneof(
  fc
    .record({ path, data: fc.string({ maxLength: 5 }), flags: fc.constantFrom("", "", "ephemeral", "sequential", "parents", "container") })
    .map(
      ({ path: at, data, flags }) =>
        ({
          op: "create",
          path: at,
          value: data === "" ? null : text(data),
          isEphemeral: flags === "ephemeral",
          isSequential: flags === "sequential",
          isContainer: flags === "container",
          ttl: null,
          acl: null,
          parents: flags === "parents",
        }) as const,
    ),
  fc
    .record({ path, data: fc.string({ maxLength: 5 }), version })
    .map(({ path: at, data, version: v }) => ({ op: "set", path: at, value: text(data), version: v }) as const),
  fc
    .record({ path, version, isRecursive: fc.boolean() })
    .map(({ path: at, version: v, isRecursive }) => ({ op: "delete", path: at, version: v, isRecursive }) as const),
  path.map((at) => ({ op: "setAcl", path: at, acl: closed, version: -1 }) as const),
  fc.record({ path, version }).map(({ path: at, version: v }) => ({ op: "check", path: at, version: v }) as const),
);
const write: fc.Arbitrary<Wire> = fc.oneof(
  single.filter((op) => op.op !== "check") as fc.Arbitrary<Wire>,
  fc.array(single, { maxLength: 5 }).map((ops) => ({ op: "multi", ops }) as const),
);
const sessions = ["s0", "s1", "s2"];
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("write" as const), session: fc.constantFrom(...sessions), write }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("open" as const, "move" as const, "close" as const, "expire" as const),
      session: fc.constantFrom(...sessions),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A plain creation. */
const creation = (at: string): Step => ({
  kind: "write",
  session: "s0",
  write: {
    op: "create",
    path: at,
    value: null,
    isEphemeral: false,
    isSequential: false,
    isContainer: false,
    ttl: null,
    acl: null,
    parents: false,
  },
});

/** Turns steps into txns that fit the tree as it is now: ids and generations of the sessions. */
function txnOf(tree: Tree, given: Step): Txn {
  const session = tree.sessions.get(given.session);
  const generation = session?.generation ?? 1;
  if (given.kind === "open" || given.kind === "move") {
    // A session's id is made of random bits: nobody opens one that exists.
    const kind = session === undefined ? "open" : "move";
    return { kind, session: given.session, secretHash: "h", timeoutMs: 5_000, identities: [], connection: `c${generation}` };
  }
  if (given.kind !== "write") {
    const end = { session: given.session, generation };
    return given.kind === "close" ? { kind: "close", ...end } : { kind: "expire", ...end, term: 1, lastId: session?.lastId ?? 0 };
  }
  return writeTxn(tree, given.session, given.write);
}

function freshTree(): Tree {
  const tree = new Tree();
  for (const session of sessions)
    apply(tree, { kind: "open", session, secretHash: "h", timeoutMs: 5_000, identities: [], connection: "c" }, 1, 1);
  return tree;
}

/** The tree as a member has it that was sent a snapshot. */
function restored(tree: Tree): Tree {
  const writer = new SnapshotWriter(tree);
  const loader = new SnapshotLoader();
  for (let piece = writer.piece(500); piece !== null; piece = writer.piece(500)) loader.take(piece);
  writer.close();
  return loader.finish();
}

function run(tree: Tree, steps: readonly Step[], each: (applied: Applied, txn: Txn) => void = () => {}): Txn[] {
  return steps.map((given, at) => {
    const txn = txnOf(tree, given);
    each(apply(tree, txn, 1_000 + at, 1), txn);
    return txn;
  });
}

function contents(tree: Tree): Map<string, string> {
  const all = new Map<string, string>();
  const visit = (znode: Znode): void => {
    all.set(pathOf(znode), JSON.stringify([statOf(znode), znode.value, znode.acl.items, znode.creations]));
    for (const child of znode.children?.after(null) ?? []) visit(child);
  };
  visit(tree.root);
  return all;
}

function checkCounts(tree: Tree): void {
  const owned = new Map<string, string[]>(sessions.map((session) => [session, []]));
  let restricted = 0;
  const visit = (znode: Znode): number => {
    let below = 0;
    for (const child of znode.children?.after(null) ?? []) below += 1 + visit(child);
    expect(znode.descendants).toBe(below);
    expect(znode.numChildren).toBe(znode.children?.size ?? 0);
    if ((znode.acl.world & 1) === 0) restricted++;
    const { owner } = znode.kind;
    if (owner !== null) owned.get(owner)!.push(pathOf(znode));
    return below;
  };
  visit(tree.root);
  expect(tree.restricted).toBe(restricted);
  for (const [session, paths] of owned) expect([...(tree.sessions.get(session)?.ephemerals.after(null) ?? [])]).toEqual(paths.sort());
}

const steps = fc.array(step, { minLength: 1, maxLength: 120, size: "max" });

describe("apply", () => {
  it("is deterministic: the log as text gives the same state and the same replies", () => {
    fc.assert(
      fc.property(steps, (given) => {
        const tree = freshTree();
        const bodies: string[] = [];
        const txns = run(tree, given, ({ reply }) => bodies.push(reply!.text));
        const replica = freshTree();
        const replayed = decodeTxns(encodeEntry(txns.map((txn) => encodeTxn(txn)))).map(
          (txn, at) => apply(replica, txn, 1_000 + at, 1).reply!.text,
        );
        expect(replayed).toEqual(bodies);
        expect(digestOf(replica)).toBe(digestOf(tree));
        checkCounts(tree);
      }),
      { numRuns: 150 },
    );
  });

  it("numbers densely, and a failed txn changes nothing but what was remembered", () => {
    fc.assert(
      fc.property(steps, (given) => {
        const tree = freshTree();
        let zxid = tree.zxid;
        let before = contents(tree);
        run(tree, given, (applied) => {
          const after = contents(tree);
          expect(tree.zxid).toBe(applied.outcome === "done" ? zxid + 1 : zxid);
          if (applied.outcome !== "done") {
            expect(after).toEqual(before);
            expect(applied.changes).toEqual([]);
          }
          zxid = tree.zxid;
          before = after;
        });
      }),
      { numRuns: 100 },
    );
  });

  it("tells of every change: who applies the changes to a copy has the state", () => {
    fc.assert(
      fc.property(steps, (given) => {
        const tree = freshTree();
        const copy = new Map([...contents(tree).keys()].map((at) => [at, JSON.stringify(statOf(tree.find(at)!))]));
        run(tree, given, ({ changes }) => {
          for (const { kind, path: at, stat } of changes) {
            if (kind === "deleted") expect(copy.delete(at)).toBe(true);
            else {
              expect(copy.has(at)).toBe(kind !== "created");
              copy.set(at, JSON.stringify(stat));
            }
          }
        });
        const state = new Map([...contents(tree).keys()].map((at) => [at, JSON.stringify(statOf(tree.find(at)!))]));
        expect([...copy].sort()).toEqual([...state].sort());
      }),
      { numRuns: 100 },
    );
  });

  it("gives a repeated write its first reply, and refuses what it can't place", () => {
    const tree = freshTree();
    const create: WriteTxn = {
      ...(txnOf(tree, { kind: "write", session: "s0", write: { op: "set", path: "/copse", value: null, version: -1 } }) as WriteTxn),
    };
    const first = apply(tree, create, 1, 1);
    expect(apply(tree, create, 2, 1)).toMatchObject({ outcome: "repeated", reply: first.reply });
    expect(apply(tree, { ...create, print: 1 }, 2, 1).code).toBe("BAD_ARGUMENTS");
    expect(apply(tree, { ...create, generation: 0 }, 2, 1).code).toBe("SESSION_MOVED");
    expect(apply(tree, { ...create, id: 9, after: 7 }, 2, 1).outcome).toBe("overtaken");
    expect(apply(tree, { ...create, session: "none" }, 2, 1).code).toBe("SESSION_EXPIRED");
  });

  it("keeps the newest replies within their bound, the same on a member that came through a snapshot", () => {
    const tree = freshTree();
    const txns: Txn[] = [];
    const units: number[] = [];
    // Each reply repeats its path: a hundred are over the bound.
    const create = (number: number): Txn => {
      const txn = txnOf(tree, creation(`/${"é".repeat(3_000)}${number}`));
      units.push(apply(tree, txn, 1, 1).reply!.text.length);
      txns.push(txn);
      return txn;
    };
    for (let number = 0; number < 60; number++) create(number);
    const other = restored(tree);
    for (let number = 60; number < 120; number++) apply(other, create(number), 1, 1);
    expect(digestOf(other)).toBe(digestOf(tree));
    const outcomes = (of: Tree): string[] => txns.map((txn) => apply(of, txn, 1, 1).code ?? "kept");
    const kept = outcomes(tree);
    expect(outcomes(other)).toEqual(kept);
    expect([kept[0], kept[119]]).toEqual(["OUTCOME_UNKNOWN", "kept"]);
    const from = (at: number): number => units.slice(at).reduce((sum, size) => sum + size, 0);
    const dropped = units.findLastIndex((_, at) => from(at) > replyUnitsMax);
    expect(kept.lastIndexOf("OUTCOME_UNKNOWN")).toBe(dropped);
  });

  it("opens and moves a session once, however often the same txn comes", () => {
    const tree = freshTree();
    const open: Txn = { kind: "open", session: "x", secretHash: "h", timeoutMs: 5_000, identities: [], connection: "c1" };
    expect([apply(tree, open, 1, 1).outcome, apply(tree, open, 1, 1).outcome]).toEqual(["done", "repeated"]);
    expect(apply(tree, { ...open, connection: "c2" }, 1, 1).code).toBe("SESSION_EXPIRED");
    const move: Txn = { ...open, kind: "move", connection: "c3" };
    expect([apply(tree, move, 1, 1).outcome, apply(tree, move, 1, 1).outcome]).toEqual(["done", "repeated"]);
    expect(tree.sessions.get("x")?.generation).toBe(2);
  });

  it("expires a session only in the term that decided it, and only if it wrote nothing since", () => {
    const tree = freshTree();
    const expire = { kind: "expire", session: "s0", generation: 1, term: 4, lastId: 0 } as const;
    expect(apply(tree, expire, 1, 5).code).toBe("SESSION_MOVED");
    apply(tree, txnOf(tree, creation("/a")), 1, 4);
    expect(apply(tree, expire, 1, 4).code).toBe("SESSION_MOVED");
    expect(apply(tree, { ...expire, lastId: 1 }, 1, 4).outcome).toBe("done");
    expect(tree.sessions.has("s0")).toBe(false);
  });

  it("never lets time go back", () => {
    const tree = freshTree();
    apply(tree, txnOf(tree, creation("/a")), 5_000, 1);
    apply(tree, txnOf(tree, creation("/b")), 3_000, 1);
    expect(tree.find("/b")!.ctime).toBe(5_000);
  });

  it("skips -1 where a version overflows", () => {
    expect([nextVersion(0), nextVersion(2 ** 31 - 1), nextVersion(-2)]).toEqual([1, -(2 ** 31), 0]);
  });
});

describe("snapshots", () => {
  it("hold the state of the moment they were opened, whatever is written meanwhile", () => {
    fc.assert(
      fc.property(steps, steps, fc.integer({ min: 1, max: 400 }), (before, during, units) => {
        const tree = freshTree();
        run(tree, before);
        const digest = digestOf(tree);
        const { zxid } = tree;
        const writer = new SnapshotWriter(tree);
        const loader = new SnapshotLoader();
        let at = 0;
        for (let piece = writer.piece(units); piece !== null; piece = writer.piece(units)) {
          loader.take(piece);
          run(tree, during.slice(at, at + 7));
          at += 7;
        }
        writer.close();
        const loaded = loader.finish();
        expect(loaded.zxid).toBe(zxid);
        expect(digestOf(loaded)).toBe(digest);
        checkCounts(loaded);
      }),
      { numRuns: 200 },
    );
  });

  it("lead on as the original does", () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const tree = freshTree();
        run(tree, before);
        const loaded = restored(tree);
        run(tree, after);
        run(loaded, after);
        expect(digestOf(loaded)).toBe(digestOf(tree));
      }),
      { numRuns: 60 },
    );
  });

  it("of another format, or cut, are refused", () => {
    expect(() => new SnapshotLoader().take('{"format":99}')).toThrow("format 99");
    const loader = new SnapshotLoader();
    expect(() => loader.finish()).toThrow();
    expect(() => decodeTxns('{"format":99,"txns":[]}')).toThrow("format 99");
  });
});

describe("a point-in-time reader", () => {
  it.each([0, 1, Number.POSITIVE_INFINITY])("of %d levels sees one moment, in path order", (levels) => {
    fc.assert(
      fc.property(steps, steps, fc.constantFrom("/", "/a", "/a/b"), fc.integer({ min: 1, max: 5 }), (before, during, top, pieceSize) => {
        const tree = freshTree();
        run(tree, before);
        const isIn = (at: string): boolean => {
          if (at !== top && !at.startsWith(top === "/" ? "/" : `${top}/`)) return false;
          const depth =
            at === top
              ? 0
              : at
                  .slice(top.length)
                  .split("/")
                  .filter((name) => name !== "").length;
          return depth <= levels;
        };
        const expected = [...contents(tree)].filter(([at]) => isIn(at)).map(([at]) => [at, JSON.stringify(statOf(tree.find(at)!))]);
        const reader = tree.read(top, levels, 10_000);
        const seen: [string, string][] = [];
        for (let at = 0, isDone = false; !isDone; at += 5) {
          let taken = 0;
          isDone = true;
          for (const { path: where, znode } of reader.rest()) {
            seen.push([where, JSON.stringify(statOf(znode))]);
            if (++taken === pieceSize) {
              isDone = false;
              break;
            }
          }
          run(tree, during.slice(at, at + 5));
        }
        reader.close();
        expect(seen).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it("says when too much has changed ahead of it", () => {
    const tree = freshTree();
    const reader = tree.read("/", Number.POSITIVE_INFINITY, 3);
    for (const name of ["a", "b", "c", "d"]) run(tree, [creation(`/${name}`)]);
    expect(reader.isOverrun).toBe(true);
  });
});
