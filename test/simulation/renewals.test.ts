import { expect, it } from "vitest";
import { runRenewals } from "./renewals.ts";

it("a token that is renewed in place is not noticed, but for its end", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { failure, renewals } = await runRenewals(seed);
    expect(failure, `seed ${seed}`).toBeNull();
    expect(renewals, `seed ${seed}`).toBeGreaterThan(1);
  }
});
