/**
 * One link to one member, over one connection: the handshake, then frames both ways, until it breaks.
 *
 * Invariants: `onUp` comes once and before any messages, `onDown` once and last; a link that says something that can't be
 * read, is silent for too long, or does not take what is sent, is cut: consensus sends again what it still needs.
 */
import type { Socket } from "node:net";
import { decodePeerMessages, encodePeerMessages, type PeerFacts, type PeerMessage } from "@copse/replica";
import { checksum, encodePeerFrame, PeerFrameReader, peerFrameBytesMax, type Sealer } from "./peer-frame.ts";
import { Handshake, HandshakeError, type HandshakeOptions } from "./peer-handshake.ts";

/** How long a handshake may take from its first byte to its last, in milliseconds. */
const handshakeMsMax = 5_000;
/** How often a link that stands is looked at, and after how many looks without a byte of the other side it is cut: members say something every 250 ms. */
const lookMs = 250;
const silentLooksMax = 6;
/** Unsent bytes past which a link is cut. */
const backlogBytesMax = 268_435_456;

export interface PeerLinkEvents {
  readonly onUp: (link: PeerLink, facts: PeerFacts) => void;
  readonly onMessages: (link: PeerLink, messages: readonly PeerMessage[]) => void;
  /** The peer has proved who it is, and does not link: its table, of that version, lacks this member. */
  readonly onRemoved: (version: number) => void;
  /** @param why in words, for the log */
  readonly onDown: (link: PeerLink, why: string) => void;
}

export class PeerLink {
  readonly #socket: Socket;
  readonly #events: PeerLinkEvents;
  readonly #reader: PeerFrameReader = new PeerFrameReader();
  readonly #handshake: Handshake;
  /** The peer's id, once it is proved. */
  member = "";
  #seal: Sealer = checksum;
  #why = "the connection closed";
  #isUp = false;
  readonly #deadline: NodeJS.Timeout;
  #looking: NodeJS.Timeout | undefined;
  /** Looks in a row that found nothing new. A process that stands still counts none, so it cuts nobody when it goes on. */
  #silentLooks = 0;

  constructor(socket: Socket, handshake: Omit<HandshakeOptions, "send">, events: PeerLinkEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.setNoDelay(true);
    // Not a time of silence: bytes that drip would never end it.
    this.#deadline = setTimeout(() => this.cut("the handshake takes too long"), handshakeMsMax);
    this.#deadline.unref();
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (error) => {
      this.#why = error.message;
    });
    socket.on("close", () => {
      clearTimeout(this.#deadline);
      clearInterval(this.#looking);
      events.onDown(this, this.#why);
    });
    this.#handshake = new Handshake({ ...handshake, send: (text) => socket.write(encodePeerFrame(text, checksum)) });
  }

  send(messages: readonly PeerMessage[]): void {
    if (!this.#isUp || this.#socket.destroyed) return;
    this.#socket.write(encodePeerFrame(encodePeerMessages(messages), this.#seal));
    if (this.#socket.writableLength > backlogBytesMax) this.cut("it does not take what is sent");
  }

  cut(why: string): void {
    if (this.#socket.destroyed) return;
    this.#why = why;
    this.#socket.destroy();
  }

  #look(): void {
    if (++this.#silentLooks > silentLooksMax) this.cut(`it has said nothing for ${lookMs * silentLooksMax} ms`);
  }

  #take(chunk: Buffer): void {
    this.#silentLooks = 0;
    try {
      this.#reader.push(chunk, (text) => {
        if (this.#socket.destroyed) return;
        if (this.#isUp) this.#events.onMessages(this, decodePeerMessages(text));
        else this.#meet(text);
      });
    } catch (error) {
      this.#why = (error as Error).message;
      if (error instanceof HandshakeError && error.removedIn !== null) this.#events.onRemoved(error.removedIn);
      // What was said last (a refusal, with its reason) still goes out.
      this.#socket.destroySoon();
    }
  }

  #meet(text: string): void {
    const met = this.#handshake.take(text);
    if (met === null) return;
    this.member = met.facts.member;
    this.#seal = met.own;
    this.#reader.seal = met.peer;
    this.#reader.bytesMax = peerFrameBytesMax;
    this.#isUp = true;
    clearTimeout(this.#deadline);
    this.#looking = setInterval(() => this.#look(), lookMs);
    this.#looking.unref();
    this.#events.onUp(this, { ...met.facts, reads: met.reads });
  }
}
