/**
 * The replicated half of sessions: who they are, which connection may write for them, what they own, and the replies
 * that make their writes exactly-once.
 *
 * Invariants: replies ascend by id and end with the newest write's; `lastId` is the highest id ever applied;
 * `generation` grows with each resume and fences the connections before it. Nothing here knows when a session expires.
 */
import { type Identity, identityText, type WriteReply } from "@copse/protocol";
import type { Identities } from "./access/identities.ts";
import { ShardedMap } from "./collections/sharded-map.ts";
import { type SortedList, sortedStrings } from "./collections/sorted-list.ts";

export interface KeptReply {
  readonly id: number;
  /** Fingerprint of the request, to tell a repetition from another request under the same id. */
  readonly print: number;
  readonly reply: WriteReply;
}

/** Replies kept for one session, and their size in UTF-16 units; the newest is kept whatever its size. */
export const repliesMax = 1_000;
export const replyUnitsMax = 262_144;

export class Session {
  readonly id: string;
  /** SHA-256 of the secret; the secret itself is never kept. */
  readonly secretHash: string;
  timeoutMs: number;
  generation = 1;
  /** The token of the connection that opened or moved it last. */
  connection: string;
  /** What it has proved. */
  held: Identities;
  /** The token subject that it has for life, once it has proved one. */
  subject: string | null = null;
  /** A revocation took an identity from it: nothing of it is applied any more, and it is about to end. */
  isRevoked = false;
  /** zxid at which the identities last changed. */
  identitiesZxid: number;
  lastId = 0;
  /** Paths of the ephemerals, in code-unit order. */
  readonly ephemerals: SortedList<string> = sortedStrings();
  #replies: KeptReply[] = [];
  #replyUnits = 0;

  constructor(born: {
    id: string;
    secretHash: string;
    timeoutMs: number;
    held: Identities;
    identitiesZxid: number;
    connection: string;
  }) {
    this.connection = born.connection;
    this.id = born.id;
    this.secretHash = born.secretHash;
    this.timeoutMs = born.timeoutMs;
    this.held = born.held;
    this.subject = born.held.subject;
    this.identitiesZxid = born.identitiesZxid;
  }

  /** Puts back what a snapshot holds. */
  restore(held: {
    generation: number;
    lastId: number;
    replies: readonly KeptReply[];
    subject?: string | undefined;
    isRevoked?: boolean | undefined;
  }): void {
    this.generation = held.generation;
    this.subject = held.subject ?? null;
    this.isRevoked = held.isRevoked === true;
    for (const reply of held.replies) this.remember(reply);
    this.lastId = held.lastId;
  }

  get replies(): readonly KeptReply[] {
    return this.#replies;
  }

  reply(id: number): KeptReply | undefined {
    if (id > this.lastId) return undefined;
    return this.#replies.find((reply) => reply.id === id);
  }

  /** Keeps the reply of the newest write and drops the oldest past the bounds. */
  remember(kept: KeptReply): void {
    this.lastId = kept.id;
    this.#replies.push(kept);
    this.#replyUnits += kept.reply.units;
    while (this.#replies.length > 1 && (this.#replies.length > repliesMax || this.#replyUnits > replyUnitsMax)) this.#dropOldest();
  }

  /** Forgets the replies that the client says have arrived. */
  acknowledge(id: number): void {
    while (this.#replies.length > 0 && this.#replies[0]!.id <= id) this.#dropOldest();
  }

  #dropOldest(): void {
    const oldest = this.#replies.shift();
    if (oldest !== undefined) this.#replyUnits -= oldest.reply.units;
  }

  /** Takes on what it has proved; a renewal that proves the same changes nothing that it may see. */
  identify(held: Identities, zxid: number): void {
    if (held === this.held) return;
    const before = new Set(this.held.all.map(identityText));
    const isOther = held.all.length !== before.size || !held.all.every((identity) => before.has(identityText(identity)));
    this.held = held;
    this.subject ??= held.subject;
    if (isOther) this.identitiesZxid = zxid;
  }

  /** All its identities. */
  get identities(): readonly Identity[] {
    return this.held.all;
  }
}

export type SessionTable = ShardedMap<Session>;

export function sessionTable(): SessionTable {
  return new ShardedMap();
}
