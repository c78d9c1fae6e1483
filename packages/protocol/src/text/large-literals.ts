/**
 * Large values in a frame, taken out before it is parsed and put back after.
 *
 * A parser copies each text that it finds, and what it gives is looked at once more to become a literal again. A large value that stands in
 * the frame as plain characters is a literal already: it is checked in one pass, and kept as a piece of the frame's own text. Invariant: what
 * comes out is what parsing the whole would have given, or the frame is left to the parser.
 */
import { isPlain } from "./literal.ts";
import { plainLiteral, type Value } from "./value.ts";

/** UTF-16 units of a text from which it is worth taking out. */
const largeUnits = 4_096;
/** What a value keeps alive of its frame beside itself, in UTF-16 units: more than that, and it is copied. */
const spareUnits = 1_024;
const member = '"data":';
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
    const end = frame.indexOf('"', start + 1) + 1;
    if (end === 0) return null;
    if (end - start < largeUnits) continue;
    const json = frame.slice(start, end);
    // A quote that is escaped, or a character that has to be: the parser says what it means, or what is wrong with it.
    if (!isPlain(json.slice(1, -1))) return null;
    const standIn = `${mark}${values.size}`;
    values.set(standIn, plainLiteral(json, frame.length - json.length <= spareUnits));
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
