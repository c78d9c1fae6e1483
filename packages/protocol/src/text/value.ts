/**
 * A znode's data, kept in the form in which it leaves: as a JSON string literal.
 *
 * Whatever the server does with data (reply, event, log, snapshot) is to write it into JSON, so it is escaped
 * once, where it comes in. Null data is `null`, which differs from empty data.
 */
import { isRefusal, type Refusal, refuse } from "../replies/error-code.ts";
import { isPlain, literal } from "./literal.ts";
import { base64Decode, base64Encode, flat, utf8Decode, utf8Length } from "./text.ts";

export interface Value {
  /** A JSON string literal, quotes included: the text, or the bytes as base64. */
  readonly json: string;
  /** True if the bytes are not valid UTF-8 and `json` is base64. */
  readonly isBase64: boolean;
  /** Size in bytes, of the UTF-8 or of the decoded bytes. */
  readonly bytes: number;
}

class TextValue implements Value {
  readonly json: string;
  readonly bytes: number;

  constructor(json: string, bytes: number) {
    this.json = json;
    this.bytes = bytes;
  }

  get isBase64(): boolean {
    return false;
  }
}

class BytesValue extends TextValue {
  override get isBase64(): boolean {
    return true;
  }
}

/**
 * The value of a text that is known to be well-formed, or of bytes as base64. It is kept for as long as its znode: flat, as what the host
 * joins from pieces takes twice the memory, and with its kind in its class, which a million values share.
 */
export function madeValue(text: string, bytes: number, isBase64: boolean): Value {
  return keptValue(flat(literal(text)), bytes, isBase64);
}

/** The value that has this literal. */
export function keptValue(json: string, bytes: number, isBase64: boolean): Value {
  return isBase64 ? new BytesValue(json, bytes) : new TextValue(json, bytes);
}

/**
 * Reads `data` or `data64` of a message.
 * @returns the value, null where neither is present, or BAD_ARGUMENTS, TOO_LARGE
 */
export function decodeValue(message: Record<string, unknown>, dataBytesMax: number): Value | null | Refusal {
  const data = message["data"] ?? null;
  const data64 = message["data64"] ?? null;
  if (data === null && data64 === null) return null;
  if (data !== null && data64 !== null) return refuse("BAD_ARGUMENTS", "data and data64 exclude each other");
  if (data !== null) {
    // It was taken out of the frame before that was parsed: JSON itself makes no objects of this class.
    if (data instanceof TextValue) return data.bytes > dataBytesMax ? tooLarge(dataBytesMax) : data;
    if (typeof data !== "string") return refuse("BAD_ARGUMENTS", "data must be a string");
    return textValue(data, dataBytesMax);
  }
  if (typeof data64 !== "string") return refuse("BAD_ARGUMENTS", "data64 must be a string");
  if (data64.length > Math.ceil(dataBytesMax / 3) * 4) return tooLarge(dataBytesMax);
  const bytes = base64Decode(data64);
  if (bytes === null) return refuse("BAD_ARGUMENTS", "data64 is not base64");
  if (bytes.length > dataBytesMax) return tooLarge(dataBytesMax);
  const text = utf8Decode(bytes);
  return madeValue(text ?? base64Encode(bytes), bytes.length, text === null);
}

/** The value of a text, or BAD_ARGUMENTS for a lone surrogate, TOO_LARGE past the limit. */
export function textValue(text: string, dataBytesMax: number): Value | Refusal {
  if (text.length > dataBytesMax) return tooLarge(dataBytesMax);
  if (isPlain(text)) return new TextValue(flat(`"${text}"`), text.length);
  const bytes = utf8Length(text);
  if (bytes > dataBytesMax) return tooLarge(dataBytesMax);
  if (!text.isWellFormed()) return refuse("BAD_ARGUMENTS", "data holds a lone surrogate");
  return new TextValue(flat(JSON.stringify(text)), bytes);
}

/** The member of a message that carries this value, with a comma before it; nothing for null data. */
export function encodeData(value: Value | null): string {
  if (value === null) return "";
  return value.isBase64 ? `,"data64":${value.json}` : `,"data":${value.json}`;
}

/** The text of a value; null for bytes. */
export function textOf(value: Value): string | null {
  return value.isBase64 ? null : (JSON.parse(value.json) as string);
}

function tooLarge(dataBytesMax: number): Refusal {
  return refuse("TOO_LARGE", `data is over ${dataBytesMax} bytes`);
}

/** True if a decoder gave a value, or null data, and not a refusal. */
export function isValue(decoded: Value | null | Refusal): decoded is Value | null {
  return decoded === null || !isRefusal(decoded);
}
