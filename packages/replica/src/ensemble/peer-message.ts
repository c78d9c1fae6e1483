/**
 * What members say to each other, and its text.
 *
 * A message is a line of JSON, then as many lines as that says: the payloads of its entries, or a piece of a snapshot. So
 * payloads travel as they are, not quoted once more. Reading checks every field: a peer has proved who it is, not that its
 * build is sound.
 */
import { literal } from "@copse/protocol";
import { type Configuration, type Entry, type Message, type MessageKind, message, type Proposal, payloadText } from "@copse/raft";
import { decodeEdgeMessage, type EdgeMessage, encodeEdgeMessage, isOfEdges } from "../edges/edge-message.ts";
import { count, decodeConfiguration, type Head, isCount, list, record, text } from "./peer-fields.ts";

export type PeerMessage =
  | EdgeMessage
  /** `touched`: sessions that the coordinator is to count before it answers the read that the message asks for. */
  | { readonly kind: "raft"; readonly message: Message; readonly touched: readonly string[] }
  /** A snapshot is on offer: which piece is wanted first? */
  | { readonly kind: "offer"; readonly index: number; readonly term: number; readonly configuration: Configuration }
  /** All pieces before this one have arrived; -1: the snapshot is not needed any more. */
  | { readonly kind: "wanted"; readonly index: number; readonly number: number }
  | { readonly kind: "piece"; readonly index: number; readonly number: number; readonly text: string }
  /** So many pieces were all; the message takes the snapshot into the log. An edge has no log, and gets none. */
  | { readonly kind: "end"; readonly index: number; readonly number: number; readonly message: Message | null }
  /** What a member's tree hashed to after that entry. */
  | { readonly kind: "hash"; readonly index: number; readonly hash: string }
  /**
   * How far a member is. `time`: the state's time, 0 where it does not know it. For the time of a round trip, in microseconds of each one's own
   * clock: when it was `sent`; `echo`: what the newest status of the receiver said of that; `heldUs`: how long ago that came. 0 for unknown.
   */
  | {
      readonly kind: "status";
      readonly zxid: number;
      readonly time: number;
      readonly sent: number;
      readonly echo: number;
      readonly heldUs: number;
      /** Its disk or its heap is nearly full. */
      readonly isPressed: boolean;
    };

/** Text of several messages, for one frame. */
export function encodePeerMessages(messages: readonly PeerMessage[]): string {
  return messages.map(encode).join("\n");
}

function encode(sent: PeerMessage): string {
  if (sent.kind === "piece") {
    const { text, ...head } = sent;
    const lines = text.split("\n").length;
    return `${JSON.stringify({ ...head, lines })}\n${text}`;
  }
  if (isOfEdges(sent)) return encodeEdgeMessage(sent);
  if ((sent.kind !== "raft" && sent.kind !== "end") || sent.message === null) return JSON.stringify(sent);
  const message = encodeMessage(sent.message);
  let text =
    sent.kind === "raft"
      ? `{"kind":"raft","touched":${encodeList(sent.touched, literal)},"message":${message}}`
      : `{"kind":"end","index":${sent.index},"number":${sent.number},"message":${message}}`;
  for (const { payload } of sent.message.entries) text += `\n${payloadText(payload)}`;
  for (const { payload } of sent.message.proposals) text += `\n${payloadText(payload)}`;
  return text;
}

/** By hand: each write sends several, and a copy of the message without its entries would cost more than the text. */
function encodeMessage(sent: Message): string {
  const { kind, from, to, term, index, logTerm, entries, proposals, commit, isRejected, hint, snapshot, context } = sent;
  const place = `"kind":"${kind}","from":${from},"to":${to},"term":${term},"index":${index},"logTerm":${logTerm},"commit":${commit}`;
  const rest = `"isRejected":${isRejected},"hint":${hint},"snapshot":${JSON.stringify(snapshot)},"context":${literal(context)}`;
  return `{${place},${rest},"entries":${encodeList(entries, encodeEntry)},"proposals":${encodeList(proposals, encodeProposal)}}`;
}

function encodeEntry(entry: Entry): string {
  return `{"index":${entry.index},"term":${entry.term},${encodeProposal(entry).slice(1)}`;
}

/** Without its payload. */
function encodeProposal({ kind, change }: Proposal): string {
  return `{"kind":"${kind}","change":${JSON.stringify(change)}}`;
}

function encodeList<T>(items: readonly T[], encodeItem: (item: T) => string): string {
  return items.length === 0 ? "[]" : `[${items.map(encodeItem).join(",")}]`;
}

/** @throws Error where the text is not what `encodePeerMessages` makes */
export function decodePeerMessages(text: string): PeerMessage[] {
  const lines = text.split("\n");
  const messages: PeerMessage[] = [];
  for (let at = 0; at < lines.length; ) {
    const head = JSON.parse(lines[at++]!) as Head;
    const take = (count: number): string[] => {
      if (!isCount(count) || at + count > lines.length) throw new Error("a peer's message is cut short");
      at += count;
      return lines.slice(at - count, at);
    };
    messages.push(decode(head, take));
  }
  return messages;
}

function decode(head: Head, take: (count: number) => string[]): PeerMessage {
  switch (head["kind"]) {
    case "raft":
      return { kind: "raft", message: decodeMessage(head["message"], take), touched: list(head["touched"]).map(text) };
    case "offer":
      return {
        kind: "offer",
        index: count(head["index"]),
        term: count(head["term"]),
        configuration: decodeConfiguration(head["configuration"]),
      };
    case "wanted":
      return { kind: "wanted", index: count(head["index"]), number: head["number"] === -1 ? -1 : count(head["number"]) };
    case "piece":
      return {
        kind: "piece",
        index: count(head["index"]),
        number: count(head["number"]),
        text: take(count(head["lines"])).join("\n"),
      };
    case "end":
      return {
        kind: "end",
        index: count(head["index"]),
        number: count(head["number"]),
        message: head["message"] === null ? null : decodeMessage(head["message"], take),
      };
    case "hash":
      return { kind: "hash", index: count(head["index"]), hash: text(head["hash"]) };
    case "status":
      return {
        kind: "status",
        zxid: count(head["zxid"]),
        time: count(head["time"] ?? 0),
        sent: count(head["sent"] ?? 0),
        echo: count(head["echo"] ?? 0),
        heldUs: count(head["heldUs"] ?? 0),
        isPressed: head["isPressed"] === true,
      };
    default:
      return decodeEdgeMessage(head, take);
  }
}

/** What peers may send; everything else comes from a member's own host alone. */
const kinds: readonly MessageKind[] = [
  "propose",
  "append",
  "append-reply",
  "vote",
  "vote-reply",
  "pre-vote",
  "pre-vote-reply",
  "snapshot",
  "heartbeat",
  "heartbeat-reply",
  "transfer-leader",
  "timeout-now",
  "read-index",
  "read-index-reply",
];

function decodeMessage(given: unknown, take: (count: number) => string[]): Message {
  const held = record(given);
  const kind = held["kind"] as MessageKind;
  if (!kinds.includes(kind)) throw new Error("a peer's message is of an unknown kind");
  const heads = list(held["entries"]).map(record);
  const asked = list(held["proposals"]).map(record);
  const payloads = take(heads.length + asked.length);
  return message(kind, {
    from: count(held["from"]),
    to: count(held["to"]),
    term: count(held["term"]),
    index: count(held["index"]),
    logTerm: count(held["logTerm"]),
    commit: count(held["commit"]),
    hint: count(held["hint"]),
    isRejected: held["isRejected"] === true,
    context: text(held["context"]),
    snapshot: held["snapshot"] === null ? null : decodeSnapshot(held["snapshot"]),
    entries: heads.map((entry, at) => ({
      ...decodeProposal(entry, payloads[at]!),
      term: count(entry["term"]),
      index: count(entry["index"]),
    })),
    proposals: asked.map((proposal, at) => decodeProposal(proposal, payloads[heads.length + at]!)),
  });
}

function decodeProposal({ kind, change }: Head, payload: string): Proposal {
  if (kind === "normal") return { kind, payload, change: null };
  if (kind !== "change") throw new Error("a peer's entry is of an unknown kind");
  const { transition, changes } = record(change);
  if (transition !== "auto" && transition !== "implicit" && transition !== "explicit") throw new Error("a peer's change has no transition");
  const steps = list(changes).map((step) => {
    const { kind: step1, member } = record(step);
    if (step1 !== "add-voter" && step1 !== "add-learner" && step1 !== "remove" && step1 !== "update") {
      throw new Error("a peer's change is of an unknown kind");
    }
    return { kind: step1, member: count(member) } as const;
  });
  return { kind, payload, change: { transition, changes: steps } };
}

function decodeSnapshot(given: unknown): NonNullable<Message["snapshot"]> {
  const { index, term, configuration } = record(given);
  return { index: count(index), term: count(term), configuration: decodeConfiguration(configuration) };
}
