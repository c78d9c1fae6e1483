/** UTF-8, base64 and nesting against the host's own implementations. */
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64Decode, base64Encode, fingerprint, nestsWithin, utf8Decode, utf8Length } from "../src/text/text.ts";

const units = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes));
const bytes = fc.uint8Array({ maxLength: 60 });

describe("text", () => {
  it("counts UTF-8 as the host does, lone surrogates included", () => {
    fc.assert(fc.property(units, (text) => void expect(utf8Length(text)).toBe(Buffer.byteLength(text, "utf8"))));
  });

  it("decodes UTF-8 strictly", () => {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const host = (input: Uint8Array): string | null => {
      try {
        return strict.decode(input);
      } catch {
        return null;
      }
    };
    fc.assert(
      fc.property(bytes, (input) => void expect(utf8Decode(input)).toBe(host(input))),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => void expect(utf8Decode(Buffer.from(text))).toBe(Buffer.from(text).toString())),
    );
    for (const bad of [
      [0xc0, 0x80],
      [0xe0, 0x80, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xe2, 0x82],
    ]) {
      expect(utf8Decode(Uint8Array.from(bad))).toBeNull();
    }
  });

  it("encodes and decodes base64 as the host does, and only canonical base64", () => {
    fc.assert(
      fc.property(bytes, (input) => {
        const text = Buffer.from(input).toString("base64");
        expect(base64Encode(input)).toBe(text);
        expect(base64Decode(text)).toEqual(new Uint8Array(input));
      }),
    );
    for (const bad of ["a", "ab", "abc", "====", "ab=c", "YR==", "YWJ=", "a b=", "YQ==YQ==", "é==="]) expect(base64Decode(bad)).toBeNull();
  });

  it("bounds nesting, whatever strings hold", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(nestsWithin(nested(64), 64)).toBe(true);
    expect(nestsWithin(nested(65), 64)).toBe(false);
    expect(nestsWithin(nested(200_000), 64)).toBe(false);
    expect(nestsWithin(JSON.stringify(["[".repeat(300), '\\"[[['.repeat(100)]), 64)).toBe(true);
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 6 }, fc.string(), fc.array(tie("any")), fc.dictionary(fc.string(), tie("any"))),
    })).any;
    const depthOf = (given: unknown): number =>
      typeof given !== "object" || given === null ? 0 : 1 + Math.max(0, ...Object.values(given).map(depthOf));
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 5 }), (given, max) => {
        const text = JSON.stringify(given);
        // Short text is not looked at: it can't be nested deeper than half its length.
        if (text.length >= 2 * max) expect(nestsWithin(text, max)).toBe(depthOf(given) <= max);
      }),
    );
  });

  it("tells requests apart", () => {
    const seen = new Set<number>();
    for (let number = 0; number < 50_000; number++) seen.add(fingerprint(`{"op":"set","path":"/a","data":"${number}"}`));
    expect(seen.size).toBe(50_000);
    expect([...seen].every(Number.isSafeInteger)).toBe(true);
  });

  it("gives the same fingerprints as every build before: logs and snapshots hold them", () => {
    expect(["", '{"op":"set"}', "x".repeat(1_023), "x".repeat(1_024), "é😀".repeat(1_000)].map(fingerprint)).toEqual([
      8984380980191534, 1801798105431770, 8802670134917800, 595795328750508, 8666171358184309,
    ]);
    // However the text came about.
    const pieces = Array.from({ length: 300 }, (_, at) => `piece ${at}, `);
    expect(fingerprint(pieces.reduce((text, piece) => text + piece, ""))).toBe(fingerprint(pieces.join("")));
  });
});
