/**
 * One client's WebSocket: frames in, frames out, and how much waits.
 *
 * It hands on; it decides nothing but what the transport itself refuses. Invariants: once past the low mark of its backlog it reports
 * `drained` exactly once, when it is below it again; a silent client is pinged, and one that does not answer is closed.
 */
import { type Chunk, changeFrameBytesMax, closeCode, encodeFrames } from "@copse/protocol";
import { backlogBytesLow, type Input, type Proof } from "@copse/replica";

/** UTF-16 units of one frame that joins several chunks: what a subscription splits at 1 MiB is not joined again. */
const frameUnitsMax = changeFrameBytesMax;
/** Pings of the transport that are answered while something else waits to be sent: their answers would wait too. */
const pingsMax = 1_000;
/** Bytes of a close frame's reason. */
const reasonBytesMax = 120;

/** What a transport does for one connection. Nothing is called once it is closed. */
export interface FrameSocket {
  /** Bytes that wait to be sent. */
  readonly unsentBytes: number;
  /**
   * Sends a text frame: text, or its UTF-8. `ClientSocket.sent` follows whenever bytes that waited have gone.
   * @returns bytes that wait to be sent from then on
   */
  send(frame: string | Buffer): number;
  /** Asks whether the other side is there; `ClientSocket.heard` follows with its answer. */
  ping(): void;
  /** Closes after what was sent, whether or not the other side answers. */
  close(code: number, reason: string): void;
  /** Ends without a word. */
  terminate(): void;
}

export class ClientSocket {
  readonly #number: number;
  readonly #socket: FrameSocket;
  readonly #submit: (input: Input) => void;
  readonly #unsentBytesMax: number;
  /** More waited than the low mark, and `drained` was not said since. */
  #isFull = false;
  /** Pings answered since nothing waited. */
  #pings = 0;
  /** When it was last seen that something had come, whether something has come since, and whether the other side was asked since. */
  #heardAt: number = performance.now();
  #isHeard = false;
  #isAsked = false;
  #phase: "open" | "closing" | "closed" = "open";

  constructor(
    number: number,
    socket: FrameSocket,
    from: { readonly address: string; readonly certificate: Proof | null },
    unsentBytesMax: number,
    submit: (input: Input) => void,
  ) {
    this.#number = number;
    this.#unsentBytesMax = unsentBytesMax;
    this.#socket = socket;
    this.#submit = submit;
    submit({ kind: "opened", connection: number, ...from });
  }

  /** Sends the chunks of one turn; see Gateway.deliver. */
  deliver(chunks: readonly Chunk[], encodeOnce: (chunk: Chunk) => Buffer): number {
    if (this.#phase !== "open") return 0;
    const only = chunks[0];
    let backlog = 0;
    if (chunks.length === 1 && only !== undefined) backlog = this.#socket.send(encodeOnce(only));
    else {
      for (const frame of encodeFrames(chunks, frameUnitsMax)) {
        // The one before may have ended it.
        if (this.#isOpen) backlog = this.#socket.send(frame);
      }
    }
    this.#isFull ||= backlog > backlogBytesLow;
    if (backlog > this.#unsentBytesMax) this.close(closeCode.tooMuch, "too slow");
    return backlog;
  }

  get #isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Bytes that wait to be sent. */
  get unsentBytes(): number {
    return this.#phase === "open" ? this.#socket.unsentBytes : 0;
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
    this.heard();
    if (text === null) return this.close(closeCode.binary, "frames are text");
    this.#submit({ kind: "frame", connection: this.#number, text });
  }

  /** Something whole has come. */
  heard(): void {
    this.#isHeard = true;
  }

  /** The transport was asked whether it is there. False where it had better not answer: nobody takes the answers. */
  pinged(): boolean {
    this.heard();
    if (this.unsentBytes === 0) this.#pings = 0;
    if (++this.#pings <= pingsMax) return true;
    this.terminate();
    return false;
  }

  /** Looks at the clock: pings a client that has been silent for `silenceMs`, and closes one that was pinged and is still silent. */
  look(now: number, silenceMs: number): void {
    if (this.#phase !== "open") return;
    if (this.#isHeard) {
      this.#isHeard = false;
      this.#isAsked = false;
      this.#heardAt = now;
    }
    const silentMs = now - this.#heardAt;
    if (silentMs >= 2 * silenceMs) this.terminate();
    else if (silentMs >= silenceMs && !this.#isAsked) {
      this.#isAsked = true;
      this.#socket.ping();
    }
  }

  /** Some of what waited has gone. */
  sent(): void {
    if (this.#phase === "closed" || !this.#isFull || this.#socket.unsentBytes > backlogBytesLow) return;
    this.#isFull = false;
    this.#submit({ kind: "drained", connection: this.#number });
  }

  /** The transport has ended it. */
  closed(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#submit({ kind: "closed", connection: this.#number });
  }
}
