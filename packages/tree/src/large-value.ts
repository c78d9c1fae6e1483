/**
 * Writes of one large value: told apart and written down without looking at each unit of it in this language.
 *
 * The value is a part of its own from the frame in which it came to the disk, and its print is a CRC that the host reckons natively. Invariant:
 * such a print is negative, and no other is, so that the two are never taken for each other; a txn that has one is of format 8.
 */
import { encodeWrite, type Guard, type Value } from "@copse/protocol";
import { type Authenticate, encodeOperation, encodeTxn, printOf, type WriteTxn } from "./txn.ts";

/** UTF-16 units of a literal from which a value is large. */
const largeUnits = 4_096;

type Written = WriteTxn["write"];
type LargeWrite = Extract<Written, { readonly op: "create" | "set" }> & { readonly value: Value };

export type LargeTxn = WriteTxn & { readonly write: LargeWrite };

/** True for a write that brings one value, and a large one. */
export function isLarge(write: Written): write is LargeWrite {
  return (write.op === "set" || write.op === "create") && write.value !== null && write.value.json.length >= largeUnits;
}

/**
 * As `printOf`, from a checksum of the value.
 * @param crc32 the value's literal's, as UTF-8
 */
export function largePrintOf(write: LargeWrite, guards: readonly Guard[], crc32: (text: string) => number): number {
  const { json, isBase64, bytes } = write.value;
  // No literal: no other value is written so.
  const standIn: Value = { json: `#${crc32(json)}`, isBase64, bytes };
  return -1 - printOf(`${bytes} ${encodeWrite({ ...write, value: standIn })}`, guards);
}

/** The text of a txn that brings a large value, in parts: what is before the value, its literal, what is after it. */
export function encodeLargeTxn(txn: LargeTxn): readonly string[] {
  const { value } = txn.write;
  const bare = encodeTxn({ ...txn, write: { ...txn.write, value: null } });
  return [`${bare.slice(0, -ends.length)},"${value.isBase64 ? "data64" : "data"}":`, value.json, ends];
}

/** How a txn's text ends: after its write, of which the value may be the last member as well as any other. */
const ends = "}}";

/** One entry's payload from the parts of its only txn's text; see encodeEntry. */
export function encodeLargeEntry(parts: readonly string[], format: number): readonly string[] {
  const [first = "", ...rest] = parts;
  const last = rest.pop() ?? "";
  return [`{"format":${format},"txns":[${first}`, ...rest, `${last}]}`];
}

/**
 * True if a request that came again is the one to which a reply was kept. It may have been taken by a build that knew no prints of large
 * values, or that was not to use them yet.
 */
export function isSameRequest(kept: number, { print, write, guards }: WriteTxn): boolean {
  return kept === print || (print < 0 && kept >= 0 && kept === printOf(encodeOperation(write as Exclude<Written, Authenticate>), guards));
}
