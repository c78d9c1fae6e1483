/** The list of newest changes has a limit on its text, whoever makes the changes. */
import { type Applied, Tree, type Txn } from "@copse/tree";
import { expect, it } from "vitest";
import { RecentChanges } from "../src/following/recent-changes.ts";

const noted = (recent: RecentChanges): { readonly zxid: number }[] => [...recent.after(0)];

function note(recent: RecentChanges, zxid: number, path: string, count = 1): void {
  const txn: Txn = { kind: "reap", path, czxid: 1 };
  const changes = Array.from({ length: count }, () => ({ kind: "deleted", path }));
  recent.note(txn, { changes, zxid } as unknown as Applied);
}

it("keeps the newest, at most two thousand of them, also of one large txn", () => {
  const recent = new RecentChanges(new Tree(), () => "");
  for (let zxid = 1; zxid <= 5_000; zxid++) note(recent, zxid, "/n");
  expect(noted(recent).map(({ zxid }) => zxid)).toEqual(Array.from({ length: 2_000 }, (_, at) => at + 3_001));
  note(recent, 5_001, "/m", 100_000);
  expect([...new Set(noted(recent).map(({ zxid }) => zxid))]).toEqual([5_001]);
  expect(noted(recent)).toHaveLength(2_000);
  expect([...recent.after(5_001)]).toEqual([]);
});

it("keeps fewer of long paths and of callers with long names", () => {
  const long = new RecentChanges(new Tree(), () => "");
  for (let zxid = 1; zxid <= 5_000; zxid++) note(long, zxid, `/${"x".repeat(4_095)}`);
  expect(noted(long)).toHaveLength(256);

  const tree = new Tree();
  const identities = Array.from({ length: 64 }, (_, at) => ({ scheme: "token", id: `acme:${at}`.padEnd(1_024, "x") }));
  Object.assign(tree, { sessions: { get: () => ({ identities }) } });
  const named = new RecentChanges(tree, () => "n".repeat(128));
  const changes = [{ kind: "created", path: "/n" }];
  for (let zxid = 1; zxid <= 100; zxid++) {
    named.note({ kind: "close", session: "s", generation: 1 }, { changes, zxid } as unknown as Applied);
  }
  expect(noted(named)).toHaveLength(Math.floor(1_048_576 / (64 * 1_024 + 128 + 2)));
});
