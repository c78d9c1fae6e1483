import { describe, expect, it } from "vitest";
import { Remembered } from "../src/access/remembered.ts";

describe("what is remembered", () => {
  it("is weighed with its text, and goes all at once where it would pass the bound", () => {
    const remembered = new Remembered<number>(1_000);
    for (let at = 0; at < 8; at++) remembered.add(`/path/${at}`, at, 100);
    expect([remembered.size, remembered.get("/path/7")]).toEqual([8, 7]);
    remembered.add("/path/8", 8, 100);
    expect([remembered.size, remembered.get("/path/7"), remembered.get("/path/8")]).toEqual([1, undefined, 8]);
  });

  it("is nothing that alone is too large", () => {
    const remembered = new Remembered<number>(1_000);
    remembered.add("x".repeat(500), 1, 1);
    expect(remembered.get("x".repeat(500))).toBeUndefined();
    remembered.add("y", 2, 1);
    expect(remembered.get("y")).toBe(2);
  });
});
