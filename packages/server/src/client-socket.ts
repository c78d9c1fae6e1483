/**
 * One client's WebSocket: frames in, frames out, and how much waits.
 *
 * It decodes and hands on; it decides nothing but what the transport itself refuses. Invariant: once past the high mark of
 * its backlog it reports `drained` exactly once, when it is below the low mark.
 */
import { type Chunk, changeFrameBytesMax, closeCode, decodeFrame, encodeFrames } from "@copse/protocol";
import { backlogBytesHigh, backlogBytesLow, type Input } from "@copse/replica";

/** UTF-16 units of one frame that joins several chunks: what a subscription splits at 1 MiB is not joined again. */
const frameUnitsMax = changeFrameBytesMax;
/** Unsent bytes past which a connection is too slow to keep. */
const backlogBytesMax = 67_108_864;
/** Bytes of a close frame's reason. */
const reasonBytesMax = 120;

/** What a transport does for one connection. Nothing is called once it is closed. */
export interface FrameSocket {
  /** Bytes that wait to be sent. */
  readonly unsentBytes: number;
  /** Sends a text frame: text, or its UTF-8. `ClientSocket.sent` follows whenever bytes that waited have gone. */
  send(frame: string | Buffer): void;
  /** Closes behind what was sent, whether or not the other side answers. */
  close(code: number, reason: string): void;
  /** Ends without a word. */
  terminate(): void;
}

export class ClientSocket {
  readonly #number: number;
  readonly #socket: FrameSocket;
  readonly #submit: (input: Input) => void;
  #isCongested = false;
  #phase: "open" | "closing" | "closed" = "open";

  constructor(number: number, socket: FrameSocket, address: string, submit: (input: Input) => void) {
    this.#number = number;
    this.#socket = socket;
    this.#submit = submit;
    submit({ kind: "opened", connection: number, address });
  }

  /** Sends the chunks of one turn; see Gateway.deliver. */
  deliver(chunks: readonly Chunk[], encodeOnce: (chunk: Chunk) => Buffer): number {
    if (this.#phase !== "open") return 0;
    const only = chunks[0];
    if (chunks.length === 1 && only !== undefined) this.#socket.send(encodeOnce(only));
    else for (const frame of encodeFrames(chunks, frameUnitsMax)) this.#socket.send(frame);
    const backlog = this.#socket.unsentBytes;
    this.#isCongested ||= backlog > backlogBytesHigh;
    if (backlog > backlogBytesMax) this.close(closeCode.tooMuch, "too slow");
    return backlog;
  }

  close(code: number, reason: string): void {
    if (this.#phase !== "open") return;
    this.#phase = "closing";
    this.#socket.close(code, reason.slice(0, reasonBytesMax));
  }

  terminate(): void {
    if (this.#phase !== "closed") this.#socket.terminate();
  }

  /** A frame has come: its text, or null for a binary one. */
  take(text: string | null): void {
    if (this.#phase !== "open") return;
    if (text === null) return this.close(closeCode.binary, "frames are text");
    const { messages, fault } = decodeFrame(text);
    this.#submit({ kind: "frame", connection: this.#number, messages, fault });
  }

  /** Some of what waited has gone. */
  sent(): void {
    if (this.#phase === "closed" || !this.#isCongested || this.#socket.unsentBytes > backlogBytesLow) return;
    this.#isCongested = false;
    this.#submit({ kind: "drained", connection: this.#number });
  }

  /** The transport has ended it. */
  closed(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#submit({ kind: "closed", connection: this.#number });
  }
}
