/**
 * The state's time of an entry stands before what was proposed, as text: whoever leads puts it there, and every member takes it off.
 */
import { type Entry, Parts, type Payload, partsOf } from "@copse/raft";
import type { OrderedEntry } from "./order.ts";

/** @param time milliseconds since the epoch */
export function stamped(time: number, payload: Payload): Payload {
  const stamp = `${time} `;
  if (typeof payload === "string") return stamp + payload;
  const [first = "", ...rest] = payload.parts;
  return new Parts([stamp + first, ...rest]);
}

/** An entry as the order gives it. */
export function orderedEntry({ index, term, payload }: Pick<Entry, "index" | "term" | "payload">): OrderedEntry {
  const [first = "", ...rest] = partsOf(payload);
  const space = first.indexOf(" ");
  if (space < 0) return { index, term, time: 0, payload: "" };
  const unstamped = first.slice(space + 1);
  return { index, term, time: Number(first.slice(0, space)), payload: rest.length === 0 ? unstamped : new Parts([unstamped, ...rest]) };
}
