/** The contract of what carries clients, on each transport there is. */
import { findUws } from "@copse/server";
import { describe, expect, it } from "vitest";
import { nativeUws } from "../support/hub.ts";
import { listenerContract } from "./listener.ts";

describe("ws", () =>
  listenerContract("ws", async () => null, {
    notUtf8: [1007],
    brokenFrame: [1002],
    unmasked: [1002],
    declaredTooLarge: [1009],
    drippedHeaders: /^HTTP\/1\.1 408 /,
  }));

const found = await findUws();

if (typeof found === "string") {
  // Its native form is for one version of Node and one system; everything else is carried by ws.
  it(`is told why uWebSockets.js is not used here (SKIPPED: ${found})`, () => expect(found).toContain("uWebSockets.js"));
} else {
  describe("uWebSockets.js", () =>
    listenerContract("uws", nativeUws, {
      notUtf8: [1006],
      brokenFrame: [1006],
      unmasked: [4400, 1006],
      declaredTooLarge: [1006],
      drippedHeaders: /^(HTTP\/1\.1 4\d\d .*)?$/s,
    }));
}
