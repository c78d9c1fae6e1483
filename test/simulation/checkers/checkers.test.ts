/** The linearizability checker against verdicts that others have given, and against histories small enough to judge by eye. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseJepsenHistory } from "./jepsen-history.ts";
import { isRegisterLinearizable, type RegisterOperation } from "./linearizability.ts";

const oracles = join(import.meta.dirname, "../../../../shared/oracles/histories");

function operation(calledAt: number, returnedAt: number, what: object): RegisterOperation {
  return { calledAt, returnedAt, ...what } as RegisterOperation;
}

describe("the linearizability checker", () => {
  const write = { kind: "write", value: "1" };
  const readNew = { kind: "read", saw: "1" };
  const readOld = { kind: "read", saw: null };

  it("lets overlapping operations take either order, and later ones only theirs", () => {
    expect(isRegisterLinearizable([operation(0, 10, write), operation(1, 2, readNew), operation(3, 4, readNew)])).toBe(true);
    expect(isRegisterLinearizable([operation(0, 10, write), operation(1, 2, readOld), operation(3, 4, readNew)])).toBe(true);
    expect(isRegisterLinearizable([operation(0, 10, write), operation(1, 2, readNew), operation(3, 4, readOld)])).toBe(false);
    expect(isRegisterLinearizable([operation(0, 1, write), operation(2, 3, readOld)])).toBe(false);
  });

  it("lets what never returned happen at any time after its call, or never", () => {
    const lost = operation(0, Number.POSITIVE_INFINITY, write);
    expect(isRegisterLinearizable([lost, operation(5, 6, readOld)])).toBe(true);
    expect(isRegisterLinearizable([lost, operation(5, 6, readOld), operation(7, 8, readNew)])).toBe(true);
    expect(isRegisterLinearizable([lost, operation(5, 6, readNew), operation(7, 8, readOld)])).toBe(false);
  });

  it("knows that a failed cas has seen another value", () => {
    const failed = operation(2, 3, { kind: "cas", from: "1", to: "2", outcome: false });
    expect(isRegisterLinearizable([operation(0, 1, write), failed])).toBe(false);
    expect(isRegisterLinearizable([failed])).toBe(true);
  });

  it("agrees with every verdict on Jepsen's histories of etcd", () => {
    if (!existsSync(oracles)) {
      console.warn(`SKIPPED: ${oracles} is missing; the verdicts of others were not compared`);
      return;
    }
    const verdicts = JSON.parse(readFileSync(join(oracles, "verdicts.json"), "utf8")) as Record<string, boolean>;
    const names = readdirSync(oracles).filter((name) => name.endsWith(".log"));
    const given = names.map((name) => [name, isRegisterLinearizable(parseJepsenHistory(readFileSync(join(oracles, name), "utf8")))]);
    expect(Object.fromEntries(given)).toEqual(Object.fromEntries(names.map((name) => [name, verdicts[name]])));
    expect(names.length).toBeGreaterThan(60);
  });
});
