/**
 * UTF-8, base64 and nesting, by hand: the core has neither TextEncoder nor Buffer.
 *
 * All functions are total. Strings in the core are well-formed UTF-16 once they have passed
 * `isWellFormed`; sizes are counted once, at decode, and carried.
 */

/** Bytes of `text` in UTF-8. A lone surrogate counts 3, as its replacement character would. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(at + 1))) {
      bytes += 2;
      at++;
    } else bytes += 2;
  }
  return bytes;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const sextets = new Int8Array(128).fill(-1);
for (let at = 0; at < alphabet.length; at++) sextets[alphabet.charCodeAt(at)] = at;

/** Decodes canonical base64 (RFC 4648, with padding, unused bits zero); null if it is not that. */
export function base64Decode(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let bits = 0;
  let word = 0;
  let to = 0;
  for (let at = 0; at < text.length - padding; at++) {
    const unit = text.charCodeAt(at);
    const sextet = unit < 128 ? sextets[unit]! : -1;
    if (sextet < 0) return null;
    word = ((word << 6) | sextet) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[to++] = (word >> bits) & 0xff;
    }
  }
  return (word & ((1 << bits) - 1)) === 0 ? bytes : null;
}

/** Encodes bytes as base64 with padding. */
export function base64Encode(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const a = bytes[at]!;
    const b = bytes[at + 1];
    const c = bytes[at + 2];
    text += alphabet[a >> 2]! + alphabet[((a & 3) << 4) | ((b ?? 0) >> 4)]!;
    text += b === undefined ? "=" : alphabet[((b & 15) << 2) | ((c ?? 0) >> 6)]!;
    text += c === undefined ? "=" : alphabet[c & 63]!;
  }
  return text;
}

/** Decodes UTF-8 strictly (no overlong forms, no surrogates, nothing above U+10FFFF); null if it is not that. */
export function utf8Decode(bytes: Uint8Array): string | null {
  const parts: string[] = [];
  let part = "";
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at]!;
    const more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
    if (more < 0 || at + more >= bytes.length) return null;
    let point = more === 0 ? lead : lead & (0x3f >> more);
    for (let follow = 1; follow <= more; follow++) {
      const byte = bytes[at + follow]!;
      if ((byte & 0xc0) !== 0x80) return null;
      point = (point << 6) | (byte & 0x3f);
    }
    if (more === 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) return null;
    if (more === 3 && (point < 0x10000 || point > 0x10ffff)) return null;
    part += String.fromCodePoint(point);
    if (part.length > 4096) {
      parts.push(part);
      part = "";
    }
    at += more + 1;
  }
  return parts.join("") + part;
}

/**
 * True if the brackets of JSON text never nest deeper than `depthMax`. It does not judge whether the text is
 * JSON; it makes sure that neither a parser nor a walk over the result is led too deep.
 */
export function nestsWithin(text: string, depthMax: number): boolean {
  if (text.length < 2 * depthMax) return true;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) {
      at = endOfString(text, at);
      if (at < 0) return true;
    } else if (unit === 0x5b || unit === 0x7b) {
      if (++depth > depthMax) return false;
    } else if (unit === 0x5d || unit === 0x7d) depth--;
  }
  return true;
}

/** The position of the quote that ends the string that begins at `start`, or -1. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return quote;
  }
  return -1;
}

/** UTF-16 units from which a text is worth a copy that can be read in one go. */
const longUnits = 1_024;

/** A 53-bit fingerprint of `joined` (two multiplicative 32-bit lanes): tells requests apart, proves nothing against an adversary. */
export function fingerprint(joined: string): number {
  // What was joined from pieces takes three times as long to read, unit by unit, even once it is flat; only a copy is not.
  const text = joined.length < longUnits ? joined : copied(joined);
  // As 32-bit integers from the first: with a double among them the loop takes twice as long.
  let low = 0x9e3779b9 | 0;
  let high = 0x41c6ce57 | 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x85ebca6b);
    high = Math.imul(high ^ unit, 0xc2b2ae35);
  }
  low = Math.imul(low ^ (low >>> 15), 0x27d4eb2f) ^ high;
  high = Math.imul(high ^ (high >>> 13), 0x165667b1) ^ low;
  return (high & 0x1fffff) * 0x1_0000_0000 + (low >>> 0);
}

/** The same text, which keeps no other alive. */
export function copied(text: string): string {
  return [text.slice(0, 1), text.slice(1)].join("");
}

/**
 * The same text in one piece. A text joined from many keeps them all as long as it lives: what is kept for long, or across a
 * sync of the disk, is made flat first (reading a character of it does that).
 */
export function flat(text: string): string {
  return text.charCodeAt(0) === 0 ? text.slice() : text;
}
