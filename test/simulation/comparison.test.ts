/** The members compare their trees: while all write, and where one holds something else. */

import { madeValue } from "@copse/protocol";
import { TestEnsemble } from "@copse/testing";
import { expect, it } from "vitest";

it("[I8] finds equal trees equal while all are written to, and a tree that differs", async () => {
  const ensemble = new TestEnsemble({ members: 3 });
  await ensemble.elected();
  const copse = await ensemble.connect({ member: "1" });
  for (let at = 0; at < 3_000; at++) await ensemble.until(copse.create(`/n${at}`, "x".repeat(200)));
  // Of another connection, so that they come between the steps of the comparison.
  const writer = await ensemble.connect({ member: "2" });
  const writing = Promise.all(Array.from({ length: 3_000 }, (_, at) => writer.set(`/n${at}`, String(at))));
  const compared = await ensemble.until(copse.ensemble({ compare: true }));
  await ensemble.until(writing);
  const hashes = compared.members.map(({ hash }) => hash);
  expect(new Set(hashes).size).toBe(1);
  expect(hashes[0]).toMatch(/^[0-9a-z]+$/);
  expect(compared.comparedAt).toBeGreaterThan(3_000);

  const odd = ensemble.member("2");
  odd.tree.find("/n7")!.value = madeValue("other", 5, false);
  const again = await ensemble.until(copse.ensemble({ compare: true }));
  const [one, two, three] = again.members.map(({ hash }) => hash);
  expect([one === three, one === two]).toEqual([true, false]);
  expect(ensemble.member("1").tally.hashMismatches).toBe(1);
  expect(odd.tally.hashMismatches).toBe(2);

  // The coordinator does so by itself: here every ten minutes.
  const before = ensemble.member("1").tally.hashMismatches;
  await ensemble.advance(610_000);
  expect(ensemble.member("1").tally.hashMismatches).toBeGreaterThan(before);

  // Who does not answer is told of as such.
  ensemble.kill("3");
  await ensemble.elected();
  const partial = await ensemble.until(copse.ensemble({ compare: true }));
  expect(partial.members.find(({ id }) => id === "3")?.hash).toBeNull();
  await ensemble.close();
});
