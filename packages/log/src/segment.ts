/**
 * Segments: the files of the log, and what their records say.
 *
 * A segment `NNNN.wal` is named after the index of its first entry. Its first record is a head; each record after is
 * one group commit: lines, `H term vote commit`, `E index term payload`, `C index term …` for a membership change, or
 * `R index term` where the log begins anew after a snapshot that came from elsewhere. Invariant: a group commit is one record and one write, so a torn write is one bad record at the end and never hides whole
 * ones after it.
 */
import type { Entry, HardState } from "@copse/raft";
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
  if (!payload.startsWith("S ")) throw new Error("a segment does not begin with its header");
  return JSON.parse(payload.slice(2)) as SegmentHead;
}

/** What one `append` makes durable. */
export interface Addition {
  readonly entries: readonly Entry[];
  readonly hardState: HardState | null;
  /** The log begins anew after this entry: what it held before is no part of it. */
  readonly restart: Place | null;
}

/** An entry's place in the order. */
export type Place = Pick<Entry, "index" | "term">;

/** Lines as parts of one text. What large entries hold is a part of its own: joined, it would be copied once more. */
export function encodeGroup(additions: readonly Addition[]): readonly string[] {
  const parts: string[] = [];
  let text = "";
  const add = (part: string): void => {
    if (part.length < largeUnits) text += part;
    else {
      parts.push(text, part);
      text = "";
    }
  };
  const begin = (head: string): void => add(text === "" && parts.length === 0 ? head : `\n${head}`);
  for (const { entries, hardState, restart } of additions) {
    if (hardState !== null) begin(`H ${hardState.term} ${hardState.vote} ${hardState.commit}`);
    if (restart !== null) begin(`R ${restart.index} ${restart.term}`);
    for (const { index, term, kind, payload, change } of entries) {
      if (kind !== "normal") {
        begin(`C ${index} ${term} ${JSON.stringify({ kind, payload, change })}`);
        continue;
      }
      begin(`E ${index} ${term} `);
      if (typeof payload === "string") add(payload);
      else for (const part of payload.parts) add(part);
    }
  }
  if (text !== "") parts.push(text);
  return parts;
}

/** UTF-16 units from which a text is worth a part of its own. */
const largeUnits = 4_096;

function decodeEntryLine(line: string, index: string, term: string): Entry {
  const text = line.slice(4 + index.length + term.length);
  const place = { index: Number(index), term: Number(term) };
  if (line.startsWith("E")) return { ...place, kind: "normal", payload: text, change: null };
  const { kind, payload, change } = JSON.parse(text) as Entry;
  return { ...place, kind, payload, change };
}

/** Reads a group commit line by line. @throws Error where a line is none of the four */
export function decodeGroup(
  payload: string,
  take: { entry(entry: Entry): void; hardState(state: HardState): void; restart(place: Place): void },
): void {
  for (const line of payload.split("\n")) {
    const [kind, first = "", second = ""] = line.split(" ", 3);
    if (kind === "E" || kind === "C") take.entry(decodeEntryLine(line, first, second));
    else if (kind === "H") {
      take.hardState({ term: Number(first), vote: Number(second), commit: Number(line.slice(line.lastIndexOf(" ") + 1)) });
    } else if (kind === "R") take.restart({ index: Number(first), term: Number(second) });
    else throw new Error("a record of the log holds a line that this build does not know: a newer one wrote it");
  }
}
