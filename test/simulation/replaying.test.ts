/** A member that has just started judges nobody by the table of its snapshot. */
import { TestEnsemble } from "@copse/testing";
import { expect, it } from "vitest";

it("refuses every link until it has applied what it knew as committed", async () => {
  const ensemble = new TestEnsemble({ members: 3 });
  await ensemble.elected();
  const copse = await ensemble.connect({ member: "1" });
  for (let at = 0; at < 20; at++) await ensemble.until(copse.set("/", String(at)));
  await ensemble.advance(1_000);
  const { facts } = ensemble.member("3");

  ensemble.kill("2");
  ensemble.start("2");
  const restarted = ensemble.member("2");
  expect(restarted.facts.version).toBeLessThan(facts.version);
  expect(restarted.refusal(facts)).toEqual({ kind: "replaying", member: "3" });
  await ensemble.advance(100);
  expect(restarted.facts.version).toBe(facts.version);
  expect(restarted.refusal(facts)).toBeNull();
  await ensemble.close();
});
