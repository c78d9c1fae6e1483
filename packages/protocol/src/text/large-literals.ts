/**
 * Large values in a frame, taken out before it is parsed and put back after.
 *
 * A parser copies each text that it finds, and what it gives is looked at once more to become a literal again. A large value mostly stands in
 * the frame as the literal that it is to become: then it is checked in one pass, and kept as a piece of the frame's own text. Invariant: what
 * comes out is what parsing the whole would have given, or the frame is left to the parser.
 */
import { isPlain } from "./literal.ts";
import { copied } from "./text.ts";
import { keptValue, type Value } from "./value.ts";

/** UTF-16 units of a text from which it is worth taking out. */
const largeUnits = 4_096;
/** What a value keeps alive of its frame beside itself, in UTF-16 units: more than that, and it is copied. */
const spareUnits = 1_024;
const member = '"data":';
/** What may follow a backslash in a literal that the host writes, but for `u`, of which it depends what follows. */
const shortEscapes: ReadonlySet<number> = new Set(Array.from('"\\bfnrt', (character) => character.charCodeAt(0)));
/** Begins the texts that stand in place of values. */
const mark = "#";

export interface Cut {
  /** The frame with a short text in place of each large one. */
  readonly text: string;
  /** Puts the values back into the messages that were parsed. */
  readonly restore: (parsed: unknown) => void;
}

/** Takes the large values out of a frame; null where there are none, or where the parser had better see them. */
export function cutLargeValues(frame: string): Cut | null {
  if (frame.length < largeUnits) return null;
  const values = new Map<string, Value>();
  let text = "";
  let from = 0;
  for (let at = frame.indexOf(member); at >= 0; at = frame.indexOf(member, at + 1)) {
    const start = at + member.length;
    if (start < from || frame.charCodeAt(start) !== 0x22) continue;
    const found = plainAt(frame, start) ?? canonicalAt(frame, start);
    if (found === null) return null;
    const { end, bytes } = found;
    if (end - start < largeUnits) continue;
    const json = frame.slice(start, end);
    const standIn = `${mark}${values.size}`;
    values.set(standIn, keptValue(frame.length - json.length <= spareUnits ? json : copied(json), bytes, false));
    text += `${frame.slice(from, start)}"${standIn}"`;
    from = end;
    at = end;
  }
  if (values.size === 0) return null;
  // Nothing else may look like a stand-in: neither as it is nor escaped.
  const rest = text + frame.slice(from);
  if (rest.includes("\\") || countOf(rest, `"${mark}`) !== values.size) return null;
  return { text: rest, restore: (parsed) => restore(parsed, values) };
}

interface Found {
  /** After its last quote. */
  readonly end: number;
  /** Of the text that it stands for, in UTF-8. */
  readonly bytes: number;
}

/** The literal that begins here, where it is a plain one; null for any other. */
function plainAt(frame: string, start: number): Found | null {
  const quote = frame.indexOf('"', start + 1);
  if (quote < 0 || !isPlain(frame.slice(start + 1, quote))) return null;
  return { end: quote + 1, bytes: quote - start - 1 };
}

/** The literal that begins here, where it is what the host would write; null where it escapes what need not be, or is none. */
function canonicalAt(frame: string, start: number): Found | null {
  let bytes = 0;
  for (let at = start + 1; at < frame.length; at++) {
    const unit = frame.charCodeAt(at);
    if (unit === 0x22) return frame.slice(start, at).isWellFormed() ? { end: at + 1, bytes } : null;
    if (unit === 0x5c && !shortEscapes.has(frame.charCodeAt(++at))) return null;
    if (unit < 0x20) return null;
    if (unit < 0x80) bytes += 1;
    // Each half of a pair is two of its four bytes.
    else if (unit < 0x800 || (unit >= 0xd800 && unit < 0xe000)) bytes += 2;
    else bytes += 3;
  }
  return null;
}

function restore(parsed: unknown, values: ReadonlyMap<string, Value>): void {
  for (const message of Array.isArray(parsed) ? (parsed as unknown[]) : [parsed]) {
    restoreOne(message, values);
    const ops = typeof message === "object" && message !== null ? (message as Record<string, unknown>)["ops"] : null;
    if (Array.isArray(ops)) for (const op of ops as unknown[]) restoreOne(op, values);
  }
}

function restoreOne(message: unknown, values: ReadonlyMap<string, Value>): void {
  if (typeof message !== "object" || message === null) return;
  const members = message as Record<string, unknown>;
  const value = typeof members["data"] === "string" ? values.get(members["data"]) : undefined;
  if (value !== undefined) members["data"] = value;
}

function countOf(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++;
  return count;
}
