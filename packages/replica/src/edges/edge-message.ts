/**
 * What an edge and the one that feeds it say to each other, and its text: a line of JSON, then a line for each payload.
 *
 * Either may be lost, come twice or come late: each `follow` says where the edge stands, and each `feed` how far there is to go.
 */
import type { ShownEdge } from "@copse/protocol";
import { type Configuration, type Payload, payloadText } from "@copse/raft";
import { count, decodeConfiguration, type Head, list, record, text } from "../ensemble/peer-fields.ts";
import type { OrderedEntry } from "../order/order.ts";
import { edgesKnownMax } from "./known-edges.ts";

export type EdgeMessage =
  /** The edge has all entries up to that one (0: none), and wants those after it. `zxid`: of its state. */
  | { readonly kind: "follow"; readonly index: number; readonly zxid: number }
  /**
   * Entries in order; there may be none. `newest` is the index of the newest entry. `coordinator` decides expiry in `term`, as far as the feeder
   * knows. `time` is the state's time, or 0 where the feeder does not know it. `members` are those that consensus counts, or null where they
   * are not said again.
   */
  | {
      readonly kind: "feed";
      readonly entries: readonly OrderedEntry[];
      readonly newest: number;
      readonly coordinator: string | null;
      readonly term: number;
      readonly time: number;
      readonly members: Configuration | null;
      /** What else the feeder knows, where that is said again. */
      readonly relayed: Relayed | null;
    }
  /** An edge's txns, to be ordered. */
  | { readonly kind: "proposed"; readonly payload: Payload }
  /** A barrier is wanted, after the coordinator has counted these sessions. */
  | { readonly kind: "question"; readonly context: string; readonly touched: readonly string[] }
  /** That barrier is confirmed for whoever has the entries up to this one. */
  | { readonly kind: "answer"; readonly context: string; readonly index: number }
  /** Who follows whom, as far as the receiver has to hear of it. */
  | { readonly kind: "edges"; readonly edges: readonly ShownEdge[] };

/** What an edge, which is linked with its feeder alone, hears of the ensemble through that one. */
export interface Relayed {
  /** The members that are up, by their ids, with the zxid that each has said. */
  readonly up: Readonly<Record<string, number>>;
  /** There is hardly any disk or heap left where writes go. */
  readonly isPressed: boolean;
  /** The feeder takes no clients. */
  readonly isDrained: boolean;
  /** What the feeder waits for before it has a cluster, in words; null where it has one. */
  readonly waitsFor: string | null;
}

export const nothingRelayed: Relayed = { up: {}, isPressed: false, isDrained: false, waitsFor: null };

const kinds: readonly string[] = ["follow", "feed", "proposed", "question", "answer", "edges"] satisfies EdgeMessage["kind"][];

export function isOfEdges(message: { readonly kind: string }): message is EdgeMessage {
  return kinds.includes(message.kind);
}

export function encodeEdgeMessage(sent: EdgeMessage): string {
  if (sent.kind === "proposed") return `{"kind":"proposed"}\n${payloadText(sent.payload)}`;
  if (sent.kind !== "feed") return JSON.stringify(sent);
  const places = sent.entries.map(({ index, term, time }) => [index, term, time]);
  let encoded = JSON.stringify({ ...sent, entries: places });
  for (const { payload } of sent.entries) encoded += `\n${payloadText(payload)}`;
  return encoded;
}

/** @param take gives so many of the lines that follow. @throws Error where it is not what `encodeEdgeMessage` makes */
export function decodeEdgeMessage(head: Head, take: (count: number) => string[]): EdgeMessage {
  switch (head["kind"]) {
    case "follow":
      return { kind: "follow", index: count(head["index"]), zxid: count(head["zxid"]) };
    case "feed": {
      const places = list(head["entries"]).map((place) => list(place).map(count));
      const payloads = take(places.length);
      return {
        kind: "feed",
        entries: places.map(([index, term, time], at) => ({
          index: count(index),
          term: count(term),
          time: count(time),
          payload: payloads[at]!,
        })),
        newest: count(head["newest"]),
        coordinator: head["coordinator"] === null ? null : text(head["coordinator"]),
        term: count(head["term"]),
        time: count(head["time"]),
        members: head["members"] === null ? null : decodeConfiguration(record(head["members"])),
        relayed: head["relayed"] === null ? null : decodeRelayed(record(head["relayed"])),
      };
    }
    case "proposed":
      return { kind: "proposed", payload: take(1)[0]! };
    case "question":
      return { kind: "question", context: text(head["context"]), touched: list(head["touched"]).map(text) };
    case "answer":
      return { kind: "answer", context: text(head["context"]), index: count(head["index"]) };
    case "edges":
      return { kind: "edges", edges: list(head["edges"]).slice(0, edgesKnownMax).map(decodeEdge) };
    default:
      throw new Error("a peer's message is of an unknown kind");
  }
}

function decodeEdge(given: unknown): ShownEdge {
  const { id, url, of, zxid } = record(given);
  return { id: word(id), url: word(url), of: word(of), zxid: count(zxid) };
}

/** UTF-16 units of a name or a URL: very many of them are kept. */
const wordMax = 1_024;

function word(given: unknown): string {
  const said = text(given);
  if (said.length > wordMax) throw new Error("a peer's message holds a name that is too long");
  return said;
}

function decodeRelayed({ up, isPressed, isDrained, waitsFor }: Head): Relayed {
  const zxids = Object.entries(record(up)).map(([id, zxid]) => [id, count(zxid)]);
  const [pressed, drained] = [isPressed === true, isDrained === true];
  return { up: Object.fromEntries(zxids), isPressed: pressed, isDrained: drained, waitsFor: waitsFor === null ? null : text(waitsFor) };
}
