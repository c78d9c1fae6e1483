/** Bytes as text. */
import { type Buffer, isAscii } from "node:buffer";

/** The text of UTF-8. Where all of it is ASCII, as much of what members write is, it is copied and not decoded: a restart has hundreds of megabytes. */
export function textOf(bytes: Buffer): string {
  return bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
}
