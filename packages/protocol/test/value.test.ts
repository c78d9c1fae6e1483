/** Values of text: whatever stands in it, they are the JSON literal that the host would write, and the bytes that it would count. */
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRefusal } from "../src/replies/error-code.ts";
import { textValue } from "../src/text/value.ts";

const bytesMax = 64;
/** Of any units, lone surrogates among them, and of those that a look at the whole might take for plain. */
const texts = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes)),
  fc.array(fc.integer({ min: 0, max: 0x100 }), { maxLength: 80 }).map((codes) => String.fromCharCode(...codes)),
);

describe("textValue", () => {
  it("gives the literal and the size of every well-formed text up to the limit, and refuses the rest", () => {
    const check = (text: string): void => {
      const bytes = Buffer.byteLength(text, "utf8");
      const value = textValue(text, bytesMax);
      if (bytes > bytesMax) expect(value).toMatchObject({ code: "TOO_LARGE" });
      else if (Buffer.from(text, "utf8").toString("utf8") !== text) expect(value).toMatchObject({ code: "BAD_ARGUMENTS" });
      else
        expect(isRefusal(value) ? value : { ...value, isBase64: value.isBase64 }).toEqual({
          json: JSON.stringify(text),
          bytes,
          isBase64: false,
        });
    };
    fc.assert(fc.property(texts, check), { numRuns: 5_000 });
    for (let unit = 0; unit < 0x300; unit++) check(String.fromCharCode(unit));
    for (const text of ["x".repeat(bytesMax), "x".repeat(bytesMax + 1), "é".repeat(bytesMax / 2), "é".repeat(bytesMax / 2 + 1), "\ud800"])
      check(text);
  });
});
