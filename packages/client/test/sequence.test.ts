/** Names of sequential znodes, in the order in which their parent numbered them. */
import { describe, expect, it } from "vitest";
import { compareSequences } from "../src/calls/sequence.ts";

describe("sequential names", () => {
  it("are ordered by their trailing number, of any length; names without one come last", () => {
    const names = ["b-9999999999", "a-10000000000", "lock", "c-0000000000", "a-", "b-0000000007", "x9-0000000008", `d-${"9".repeat(40)}`];
    const shuffled = [...names].reverse();
    const ordered = ["c-0000000000", "b-0000000007", "x9-0000000008", "b-9999999999", "a-10000000000", `d-${"9".repeat(40)}`];
    expect(shuffled.sort(compareSequences).slice(0, 6)).toEqual(ordered);
    expect(compareSequences("a-0000000001", "b-0000000001")).toBe(0);
  });
});
