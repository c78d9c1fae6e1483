/**
 * A frame is one message or an array of them, as JSON text.
 *
 * Decoding a frame separates what closes the connection (not JSON, no object, no usable id, nested too deep) from
 * what merely gets an error reply (request.ts). Encoding joins messages that are text already.
 */
import { nestingMax } from "./limits.ts";
import { isWireInteger } from "./requests/field-reader.ts";
import { isMessage } from "./requests/write.ts";
import { cutLargeValues } from "./text/large-literals.ts";
import { nestsWithin } from "./text/text.ts";

/** A message with a usable id, not yet looked at further. */
export interface RawMessage {
  readonly id: number;
  readonly members: Record<string, unknown>;
}

export interface DecodedFrame {
  /** The messages before the fault, in order. */
  readonly messages: readonly RawMessage[];
  /** Why the connection must close with 4400, or null. */
  readonly fault: string | null;
}

/** Decodes the text of one frame. Never throws. */
export function decodeFrame(text: string): DecodedFrame {
  const cut = cutLargeValues(text);
  const rest = cut?.text ?? text;
  if (!nestsWithin(rest, nestingMax)) return { messages: [], fault: "nested too deep" };
  let parsed: unknown;
  try {
    parsed = JSON.parse(rest);
    cut?.restore(parsed);
  } catch {
    // The parser's message quotes the payload, which must not be echoed.
    return { messages: [], fault: "not JSON" };
  }
  const messages: RawMessage[] = [];
  for (const message of Array.isArray(parsed) ? (parsed as unknown[]) : [parsed]) {
    if (!isMessage(message)) return { messages, fault: "a message is an object" };
    const id = message["id"];
    if (!isWireInteger(id) || id < 1) return { messages, fault: "a message has a positive integer as its id" };
    messages.push({ id, members: message });
  }
  return { messages, fault: null };
}

/**
 * Messages that must share a frame, as text joined by commas.
 * Invariant: `messages` is how many there are; the text alone is not a frame unless it is 1.
 */
export interface Chunk {
  readonly text: string;
  readonly messages: number;
}

export function chunk(text: string): Chunk {
  return { text, messages: 1 };
}

/** Joins chunks into the fewest frames of at most `unitsMax` UTF-16 units each, never splitting a chunk. */
export function encodeFrames(chunks: readonly Chunk[], unitsMax: number): string[] {
  const first = chunks[0];
  if (chunks.length === 1 && first !== undefined) return [first.messages === 1 ? first.text : `[${first.text}]`];
  const frames: string[] = [];
  let texts: string[] = [];
  let units = 0;
  for (const { text } of chunks) {
    if (texts.length > 0 && units + text.length > unitsMax) {
      frames.push(`[${texts.join(",")}]`);
      texts = [];
      units = 0;
    }
    texts.push(text);
    units += text.length + 1;
  }
  if (texts.length > 0) frames.push(`[${texts.join(",")}]`);
  return frames;
}
