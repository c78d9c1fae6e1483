/**
 * Segments: the files of the log, and what their records say.
 *
 * A segment `NNNN.wal` is named after the index of its first entry. Its first record is a head; each record behind is
 * one group commit: lines, `H term vote commit` or `E index term payload`. Invariant: a group commit is one record and
 * one write, so a torn write is one bad record at the end and never hides whole ones behind it.
 */

import type { HardState, LogEntry } from "./hard-state.ts";
import { recordFormat } from "./record.ts";

export interface SegmentHead {
  readonly format: number;
  /** The id of the data directory: a file of another one is refused. */
  readonly directory: string;
  readonly firstIndex: number;
}

const suffix = ".wal";

export function segmentName(firstIndex: number): string {
  return String(firstIndex).padStart(16, "0") + suffix;
}

/** The first index that a file name promises, or null where the file is no segment. */
export function segmentIndex(name: string): number | null {
  return /^\d{16}\.wal$/.test(name) ? Number(name.slice(0, 16)) : null;
}

export function encodeSegmentHead(directory: string, firstIndex: number): string {
  const head: SegmentHead = { format: recordFormat, directory, firstIndex };
  return `S ${JSON.stringify(head)}`;
}

/** @throws Error where the text is no segment head */
export function decodeSegmentHead(payload: string): SegmentHead {
  if (!payload.startsWith("S ")) throw new Error("a segment does not begin with its head");
  return JSON.parse(payload.slice(2)) as SegmentHead;
}

export function encodeGroup(entries: readonly LogEntry[], hardState: HardState | null): string {
  const lines = entries.map(({ index, term, payload }) => `E ${index} ${term} ${payload}`);
  if (hardState !== null) lines.unshift(`H ${hardState.term} ${hardState.vote} ${hardState.commit}`);
  return lines.join("\n");
}

/** Reads a group commit line by line. @throws Error where a line is neither of the two */
export function decodeGroup(payload: string, take: { entry(entry: LogEntry): void; hardState(state: HardState): void }): void {
  for (const line of payload.split("\n")) {
    const [kind, first = "", second = ""] = line.split(" ", 3);
    if (kind === "E") {
      take.entry({ index: Number(first), term: Number(second), payload: line.slice(4 + first.length + second.length) });
    } else if (kind === "H") take.hardState({ term: Number(first), vote: second, commit: Number(line.slice(line.lastIndexOf(" ") + 1)) });
    else throw new Error("a record of the log holds an unknown line");
  }
}
