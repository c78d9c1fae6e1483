/**
 * Three ways together: what an edit began from, what it made of that, and what somebody else did meanwhile.
 *
 * Lines are compared. JSON is laid out on lines first where all three are JSON, and joined again where the first one was on one line. Where
 * both changed the same lines both stand in the result, marked, for a person to decide.
 */
import { merge as mergeLines } from "node-diff3";

export interface Merged {
  readonly text: string;
  /** Both changed the same lines: the marks say where. */
  readonly hasConflict: boolean;
}

export function merge(base: string, mine: string, theirs: string): Merged {
  const laidOut = [base, mine, theirs].map(layOut);
  const areJson = laidOut.every((text) => text !== null);
  const [from, one, other] = areJson ? (laidOut as string[]) : [base, mine, theirs];
  const options = { stringSeparator: /\r?\n/, excludeFalseConflicts: true, label: { a: "mine", o: "before", b: "theirs" } };
  const { conflict, result } = mergeLines(one!.split("\n"), from!.split("\n"), other!.split("\n"), options);
  const text = result.join("\n");
  if (conflict || !areJson || base.includes("\n")) return { text, hasConflict: conflict };
  // Two changes that each were JSON may not be together: then it stays on lines, for a person to look at.
  const joined = layOut(text);
  return { text: joined === null ? text : JSON.stringify(JSON.parse(text)), hasConflict: joined === null };
}

/** JSON on lines, or null for what is none. */
function layOut(text: string): string | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : null;
  } catch {
    return null;
  }
}
