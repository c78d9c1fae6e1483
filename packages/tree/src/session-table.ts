/**
 * The replicated half of sessions: who they are, which connection may write for them, what they own, and the replies
 * that make their writes exactly-once.
 *
 * Invariants: replies ascend by id and end with the newest write's; `lastId` is the highest id ever applied;
 * `generation` grows with each resume and fences the connections before it. Nothing here knows when a session expires.
 */
import type { Identity, WriteReply } from "@copse/protocol";
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
  identities: readonly Identity[];
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
    identities: readonly Identity[];
    identitiesZxid: number;
    connection: string;
  }) {
    this.connection = born.connection;
    this.id = born.id;
    this.secretHash = born.secretHash;
    this.timeoutMs = born.timeoutMs;
    this.identities = born.identities;
    this.identitiesZxid = born.identitiesZxid;
  }

  /** Puts back what a snapshot holds. */
  restore(held: { generation: number; lastId: number; replies: readonly KeptReply[] }): void {
    this.generation = held.generation;
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

  /** Takes on the identities that it has from now on; `zxid` is that of the change. */
  identify(identities: readonly Identity[], zxid: number): void {
    if (identities === this.identities) return;
    this.identities = identities;
    this.identitiesZxid = zxid;
  }
}

export type SessionTable = ShardedMap<Session>;

export function sessionTable(): SessionTable {
  return new ShardedMap();
}
