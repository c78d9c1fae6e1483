/**
 * A frame of a client from its arrival until all that it asks for is answered.
 *
 * It weighs what it took on the way here, and weighs so until its last message is answered. Invariant: what has to wait for long (a
 * connect, an auth) waits as the text that came, not as the objects that stand for it, which take ten times as much.
 */
import { type DecodedFrame, decodeFrame, type RawMessage } from "@copse/protocol";

/** Bytes that a frame takes beside its text, however short it is. */
const frameBytesEach = 256;

const writes: ReadonlySet<unknown> = new Set(["create", "set", "delete", "setAcl", "multi", "reconfig", "stepTime"]);

const ended: DecodedFrame = { messages: [], fault: null };

export class ReceivedFrame {
  /** What it weighs. */
  readonly bytes: number;
  /** Its messages are refused: too much is held already. */
  readonly isThrottled: boolean;
  #text: string;
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

  /** Why the connection must close after its messages, or null. */
  get fault(): string | null {
    return this.#decode().fault;
  }

  /** True while there is a message that was not given out. */
  get hasNext(): boolean {
    return this.#given < this.#decode().messages.length;
  }

  /** Messages that were not given out and ask for writes: they are answered in a later turn than the one they come in. */
  get writesLeft(): number {
    let count = 0;
    const { messages } = this.#decode();
    for (let at = this.#given; at < messages.length; at++) if (writes.has(messages[at]!.members["op"])) count++;
    return count;
  }

  /** True where it holds one message alone, as most do. */
  get isSingle(): boolean {
    return this.#decode().messages.length === 1;
  }

  /** The next message, or null after the last. */
  next(): RawMessage | null {
    return this.#decode().messages[this.#given++] ?? null;
  }

  /** It was given out to its end: what is kept until it is answered is its weight alone. */
  end(): void {
    this.#text = "";
    this.#decoded = ended;
  }

  /** The next message that is not counted yet, up to the one that was given out last, or of all; null after the last. */
  uncounted(isAll: boolean): RawMessage | null {
    const { messages } = this.#decode();
    return this.#counted < (isAll ? messages.length : this.#given) ? messages[this.#counted]! : null;
  }

  /** The message that `uncounted` gave stands among the unanswered ones from now on. */
  count(): void {
    this.#counted++;
    this.#open++;
  }

  /** As `count`, for a single message, which has its weight from now on. */
  handOver(): void {
    this.#counted++;
    this.#open = Number.POSITIVE_INFINITY;
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
