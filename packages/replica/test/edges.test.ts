/** What a member keeps for edges: the newest entries, and who follows whom. */
import { expect, it } from "vitest";
import { type FedEdge, KnownEdges } from "../src/edges/known-edges.ts";
import { RecentEntries } from "../src/edges/recent-entries.ts";

const entry = (index: number, units: number) => ({ index, term: 1, time: 1, payload: "x".repeat(units) });

it("keeps the newest entries by weight, without a gap, and gives what follows one of them", () => {
  const recent = new RecentEntries(1_000);
  expect(recent.follows(0)).toBe(false);
  for (let index = 5; index <= 104; index++) recent.add(entry(index, 100));
  // Ten of them weigh as much as may be kept.
  expect(recent.follows(93)).toBe(false);
  expect(recent.follows(94)).toBe(true);
  expect(recent.after(94, 1e9).map(({ index }) => index)).toEqual([95, 96, 97, 98, 99, 100, 101, 102, 103, 104]);
  expect(recent.after(98, 250).map(({ index }) => index)).toEqual([99, 100, 101]);
  expect(recent.after(103, 0)).toHaveLength(0);
  expect(recent.after(103, 1).map(({ index }) => index)).toEqual([104]);
  recent.add(entry(105, 5_000));
  // One that is too large alone is kept all the same: somebody has to get it.
  expect(recent.follows(104)).toBe(true);
  expect(recent.follows(103)).toBe(false);
  recent.clear();
  expect(recent.follows(105)).toBe(false);
});

function fed(id: string, zxid = 1): FedEdge {
  const facts = { url: `ws://${id}`, peer: "", directory: "", cluster: "c", isFounded: true, version: 1, founders: [], time: 0 };
  return { facts: { ...facts, member: id }, zxid };
}

const ids = (edges: readonly { readonly id: string }[] | null): readonly string[] | null => edges?.map(({ id }) => id).sort() ?? null;

it("says what is below to peers and all to those that follow, each once, and only what is news", () => {
  let follow: readonly FedEdge[] = [fed("edge-a")];
  const known = new KnownEdges("1", () => follow);
  known.said("edge-a", [{ id: "edge-b", url: "ws://edge-b", of: "edge-a", zxid: 1 }]);
  known.said("2", [
    { id: "edge-c", url: "ws://edge-c", of: "2", zxid: 1 },
    // It has moved here, and the other has not heard.
    { id: "edge-a", url: "ws://edge-a", of: "2", zxid: 1 },
  ]);
  expect(ids(known.all)).toEqual(["edge-a", "edge-b", "edge-c"]);
  expect(known.all.find(({ id }) => id === "edge-a")?.of).toBe("1");
  expect(ids(known.news("2", false, 0))).toEqual(["edge-a", "edge-b"]);
  expect(ids(known.news("edge-a", true, 0))).toEqual(["edge-a", "edge-b", "edge-c"]);
  expect(known.news("2", false, 1_000)).toBeNull();
  follow = [fed("edge-a", 9)];
  known.look();
  expect(known.news("2", false, 2_000), "how far it is can wait").toBeNull();
  expect(known.news("2", false, 5_000)?.[0]).toMatchObject({ id: "edge-a", zxid: 9 });
  follow = [];
  known.relinked("edge-a");
  expect(ids(known.news("2", false, 6_000))).toEqual([]);
  expect(known.news("2", false, 7_000)).toBeNull();
  known.relinked("2");
  expect(known.all).toEqual([]);
  expect(known.news("2", false, 8_000), "who knows of none need not be told so").toBeNull();
});

it("names some of very many URLs to each client, others to the next", () => {
  const known = new KnownEdges("1", () => []);
  const edge = (at: number) => ({ id: `edge-${at}`, url: at === 0 ? "" : `ws://h${at % 10}`, of: "2", zxid: 1 });
  known.said(
    "2",
    Array.from({ length: 40 }, (_, at) => edge(at)),
  );
  expect(known.someUrls(10)).toHaveLength(10);
  const seen = new Set<string>();
  for (let client = 0; client < 4; client++) {
    const urls = known.someUrls(4);
    expect(new Set(urls).size).toBe(4);
    for (const url of urls) seen.add(url);
  }
  expect(seen.size).toBe(10);
});
