/**
 * Frames between members: four bytes of length, eight of a tag, then text as UTF-8.
 *
 * Before a link is proved, and where there is no secret, the tag is a CRC-32. After the handshake of a link with a secret it
 * is the beginning of an HMAC over the direction, the frame's number and the text, so nothing can be changed, left out or
 * said twice on the way. Invariant: a length over the limit is refused before anything of the frame is kept.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import { textOf } from "../clients/text-of.ts";

const headBytes = 12;
const tagBytes = 8;
/** One frame: a turn's messages to one peer. */
export const peerFrameBytesMax = 134_217_728;
/** One frame of the handshake. */
export const helloBytesMax = 16_384;

/** Tags the frames of one direction of a link, in their order. */
export interface Sealer {
  tag(body: Buffer): Buffer;
}

export const checksum: Sealer = {
  tag(body) {
    const tag = Buffer.alloc(tagBytes);
    tag.writeUInt32BE(crc32(body));
    return tag;
  },
};

/** @param key both sides have agreed on it; `direction` keeps a frame from being sent back */
export function sealer(key: Buffer, direction: "dialer" | "acceptor"): Sealer {
  let number = 0;
  return {
    tag: (body) => createHmac("sha256", key).update(`${direction} ${++number} `).update(body).digest().subarray(0, tagBytes),
  };
}

export function encodePeerFrame(text: string, seal: Sealer): Buffer {
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headBytes + bytes);
  frame.writeUInt32BE(bytes);
  frame.write(text, headBytes, "utf8");
  seal.tag(frame.subarray(headBytes)).copy(frame, 4);
  return frame;
}

/** Cuts a stream into frames. @throws Error where a frame is too large or its tag is wrong: nothing after it can be believed */
export class PeerFrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #wanted = headBytes;
  seal: Sealer = checksum;
  bytesMax: number = helloBytesMax;

  /** Takes what has arrived; `take` gets the texts of whole frames, and may change `seal` and `bytesMax` between two. */
  push(chunk: Buffer, take: (text: string) => void): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#wanted) {
      const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
      this.#chunks = [bytes];
      const length = bytes.readUInt32BE(0);
      if (length > this.bytesMax) throw new Error(`a frame of ${length} bytes exceeds the limit of ${this.bytesMax} bytes`);
      this.#wanted = headBytes + length;
      if (bytes.length < this.#wanted) return;
      const body = bytes.subarray(headBytes, this.#wanted);
      if (!timingSafeEqual(this.seal.tag(body), bytes.subarray(4, headBytes))) throw new Error("a frame's tag is wrong");
      this.#chunks = [bytes.subarray(this.#wanted)];
      this.#bytes -= this.#wanted;
      this.#wanted = headBytes;
      take(textOf(body));
    }
  }
}
