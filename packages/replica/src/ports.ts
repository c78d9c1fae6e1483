/**
 * What a member needs from the world, each port as small as its use.
 */
import type { Chunk, Credential, Identity } from "@copse/protocol";
import type { PeerMessage } from "./ensemble/peer-message.ts";

/** Where a member is reached by its peers. */
export interface PeerAddress {
  readonly id: string;
  /** HOST:PORT. */
  readonly address: string;
}

/** Where a member may be reached by its peers: the first address is the likeliest. */
export interface PeerPlace {
  readonly id: string;
  readonly addresses: readonly string[];
}

export interface Clock {
  /** Milliseconds on a clock that never jumps: for every timeout. */
  now(): number;
  /** Milliseconds since the epoch: for ctime, mtime and TTL alone. */
  wall(): number;
}

export interface Random {
  /** At least 128 random bits, as 22 characters of A-Z a-z 0-9 _ -. */
  token(): string;
}

export interface Hash {
  /** SHA-256 of the text's UTF-8, in hex. */
  sha256(text: string): string;
  /** HMAC-SHA-256 of the text's UTF-8 under the key's, in hex. */
  hmac(key: string, text: string): string;
  /** CRC-32 (IEEE 802.3) of the text's UTF-8: of what is too large to be looked at by the core. */
  crc32(text: string): number;
}

/** The connections of this member, as the loop sees them. All calls are synchronous and never throw. */
export interface Gateway {
  /**
   * Sends the chunks of one turn, in as few frames as the frame limit allows.
   * @returns bytes that wait to be sent on this connection; past `backlogBytesHigh` a `drained` input follows once they are few again
   */
  deliver(connection: number, chunks: readonly Chunk[]): number;
  /** Bytes that wait to be sent on this connection. */
  unsent(connection: number): number;
  /** Closes after what was delivered. No input of this connection follows but `closed`. */
  close(connection: number, code: number, reason: string): void;
  /**
   * Proves credentials, slowly; an `authenticated` input with the same ticket follows.
   * @param proved what the session that comes back has proved before; null where none does. It is before others, and need not prove it anew
   */
  authenticate(connection: number, ticket: number, credentials: readonly Credential[], proved: readonly Identity[] | null): void;
}

/** The links to the other members. All calls are synchronous and never throw. */
export interface Mesh {
  /** Sends the messages of one turn, in order, or loses them and all after until the link breaks and stands again. */
  send(member: string, messages: readonly PeerMessage[]): void;
  /** Keeps links with these members, and with nobody else; `own` is where they reach this one, or "". */
  connect(peers: readonly PeerPlace[], own: string): void;
}

/** Past so many unsent bytes a connection counts as congested: subscriptions drop, reads wait. */
export const backlogBytesHigh = 4_194_304;
/** Below so many it counts as drained. */
export const backlogBytesLow = 1_048_576;
