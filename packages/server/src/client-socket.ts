/**
 * One client's WebSocket: frames in, frames out, and how much waits.
 *
 * It decodes and hands on; it decides nothing but what the transport itself refuses. Invariant: once past the high mark of
 * its backlog it reports `drained` exactly once, when it is below the low mark.
 */
import { type Chunk, changeFrameBytesMax, closeCode, decodeFrame, encodeFrames } from "@copse/protocol";
import { backlogBytesHigh, backlogBytesLow, type Input } from "@copse/replica";
import type { RawData, WebSocket } from "ws";

/** UTF-16 units of one frame that joins several chunks: what a subscription splits at 1 MiB is not joined again. */
const frameUnitsMax = changeFrameBytesMax;
/** Unsent bytes past which a connection is too slow to keep. */
const backlogBytesMax = 67_108_864;
/** How long a peer may take to answer our close, in milliseconds. */
const closeMsMax = 5_000;

export class ClientSocket {
  readonly #number: number;
  readonly #socket: WebSocket;
  readonly #submit: (input: Input) => void;
  #isCongested = false;
  #isClosing = false;

  constructor(number: number, socket: WebSocket, address: string, submit: (input: Input) => void, onClosed: () => void) {
    this.#number = number;
    this.#socket = socket;
    this.#submit = submit;
    submit({ kind: "opened", connection: number, address });
    socket.on("message", (bytes, isBinary) => this.#take(bytes, isBinary));
    socket.on("close", () => {
      submit({ kind: "closed", connection: number });
      onClosed();
    });
    // ws closes the connection itself, with the code that belongs to the error.
    socket.on("error", () => {});
  }

  /** Sends the chunks of one turn; see Gateway.deliver. */
  deliver(chunks: readonly Chunk[], encodeOnce: (chunk: Chunk) => Buffer): number {
    const socket = this.#socket;
    if (this.#isClosing || socket.readyState !== socket.OPEN) return 0;
    const only = chunks[0];
    if (chunks.length === 1 && only !== undefined) this.#send(encodeOnce(only));
    else for (const frame of encodeFrames(chunks, frameUnitsMax)) this.#send(frame);
    const backlog = socket.bufferedAmount;
    if (backlog > backlogBytesMax) this.close(closeCode.tooMuch, "too slow");
    this.#isCongested ||= backlog > backlogBytesHigh;
    return backlog;
  }

  close(code: number, reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.close(code, reason.slice(0, 120));
    const timer = setTimeout(() => this.#socket.terminate(), closeMsMax);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  /** Ends without a word. */
  terminate(): void {
    this.#socket.terminate();
  }

  #send(frame: string | Buffer): void {
    this.#socket.send(frame, { binary: false }, () => this.#sent());
  }

  #sent(): void {
    if (!this.#isCongested || this.#socket.bufferedAmount > backlogBytesLow) return;
    this.#isCongested = false;
    this.#submit({ kind: "drained", connection: this.#number });
  }

  #take(bytes: RawData, isBinary: boolean): void {
    if (this.#isClosing) return;
    if (isBinary) return this.close(closeCode.binary, "frames are text");
    const { messages, fault } = decodeFrame(bytes.toString());
    this.#submit({ kind: "frame", connection: this.#number, messages, fault });
  }
}
