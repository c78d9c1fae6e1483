/**
 * A frame of a client from its arrival until all that it asks for is answered.
 *
 * It weighs what it took on the way here, and weighs so until its last message is answered. Invariant: what has to wait for long (a
 * connect, an auth) waits as the text that came, not as the objects that stand for it, which take ten times as much.
 */
import { type DecodedFrame, decodeFrame, type RawMessage } from "@copse/protocol";

/** Bytes that a frame takes beside its text, however short it is. */
const frameBytesEach = 256;

export class ReceivedFrame {
  /** What it weighs. */
  readonly bytes: number;
  /** Its messages are refused: too much is held already. */
  readonly isThrottled: boolean;
  readonly #text: string;
  #decoded: DecodedFrame | null = null;
  /** Messages that were given out, and those whose ids stand among the unanswered ones. */
  #given = 0;
  #counted = 0;
  /** Messages counted and not answered, and one more until all are given out. */
  #open = 1;

  constructor(text: string, isThrottled: boolean) {
    this.#text = text;
    this.bytes = text.length + frameBytesEach;
    this.isThrottled = isThrottled;
  }

  /** True while its first message is the newest that was given out. */
  get isFirst(): boolean {
    return this.#given === 1;
  }

  /** Why the connection must close behind its messages, or null. */
  get fault(): string | null {
    return this.#decode().fault;
  }

  /** The next message, or null behind the last. */
  next(): RawMessage | null {
    return this.#decode().messages[this.#given++] ?? null;
  }

  /** Counts messages by `count`, up to the one that was given out last, or all; gives what is wrong with one of them. */
  count(isAll: boolean, count: (id: number) => string | null): string | null {
    const { messages } = this.#decode();
    const until = isAll ? messages.length : this.#given;
    while (this.#counted < until) {
      const fault = count(messages[this.#counted]!.id);
      if (fault !== null) return fault;
      this.#counted++;
      this.#open++;
    }
    return null;
  }

  /** It waits for something that takes a while: nothing but its text is kept. */
  park(): void {
    this.#decoded = null;
  }

  /** One of its messages is answered, or the last is given out. True once it weighs nothing any more. */
  settle(): boolean {
    return --this.#open === 0;
  }

  #decode(): DecodedFrame {
    this.#decoded ??= decodeFrame(this.#text);
    return this.#decoded;
  }
}
