/**
 * Whether all members hold the same tree.
 *
 * A txn marks one place in the log; each member hashes its tree as it is there, a little at each tick, and tells the others. Invariant: only
 * hashes of one place are compared, so that members which lag, or write meanwhile, raise no alarm.
 */
import { type Refusal, refuse } from "@copse/protocol";
import { DigestReader, type Tree } from "@copse/tree";
import type { Tally } from "../figures/tally.ts";
import type { Coordinator } from "../order/coordinator.ts";
import type { Proposals } from "../order/proposals.ts";
import type { Clock } from "../ports.ts";
import type { Trace } from "../trace.ts";
import type { PeerMessage } from "./peer-message.ts";

/** The format of txns that has the one which marks a place. */
export const comparedFormat = 7;
/** How long a tick hashes, in milliseconds: a small part of the time between two. */
const workMs = 15;
/** How long the others are waited for once this member has its hash, and how long at most altogether, in milliseconds. */
const waitMs = 30_000;
const waitMsMax = 600_000;

/** Hashes by member, of the tree at one place. */
export interface Compared {
  readonly zxid: number;
  readonly hashes: ReadonlyMap<string, string>;
}

export interface ComparisonOptions {
  readonly member: string;
  /** How often the coordinator compares, in milliseconds. */
  readonly everyMs: number;
  readonly tree: Tree;
  readonly clock: Clock;
  readonly coordinator: Coordinator;
  readonly proposals: Proposals;
  readonly canUse: (format: number) => boolean;
  /** The members that are linked. */
  readonly peers: () => Iterable<string>;
  readonly tell: (message: Extract<PeerMessage, { kind: "hash" }>) => void;
  readonly tally: Tally;
  readonly trace: Trace | null;
}

interface Place {
  readonly index: number;
  readonly zxid: number;
  /** When this member had its hash; null before that. */
  hashedAt: number | null;
  /** Null once this member has its hash. */
  reader: DigestReader | null;
  isFinished: boolean;
}

type Done = (result: Compared | Refusal) => void;

export class Comparison {
  readonly #options: ComparisonOptions;
  #place: Place | null = null;
  #hashes: Map<string, string> = new Map();
  /** What was heard of places that this member has not come to. */
  readonly #early: Map<string, Extract<PeerMessage, { kind: "hash" }>> = new Map();
  /** Who wait for a comparison at this place, or a later one. */
  #waiting: { readonly index: number; readonly since: number; readonly done: Done }[] = [];
  #askedAt: number;

  constructor(options: ComparisonOptions) {
    this.#options = options;
    this.#askedAt = options.clock.now();
  }

  /** Compares. @param done gets what the members have said by half a minute after this one, or why there is nothing */
  compare(done: Done): void {
    const { canUse, tree, clock } = this.#options;
    if (!canUse(comparedFormat)) return done(refuse("UNAVAILABLE", "a member of the ensemble runs a build that does not support this yet"));
    this.#waiting.push({ index: tree.index, since: clock.now(), done });
    if (this.#waiting.length === 1) this.#mark();
  }

  /** The txn is applied: the place is after the entry before it, which is the newest that the tree names. */
  begin(): void {
    const { tree, clock } = this.#options;
    const { index, zxid } = tree;
    this.#place?.reader?.close();
    this.#askedAt = clock.now();
    this.#place = { index, zxid, hashedAt: null, reader: new DigestReader(tree), isFinished: false };
    this.#hashes = new Map();
    for (const [member, said] of this.#early) {
      if (said.index === index) this.#note(member, said.hash);
      if (said.index <= index) this.#early.delete(member);
    }
  }

  /** Another state has taken the place of the present one: what was hashed so far is of none. */
  restored(): void {
    this.#place?.reader?.close();
    this.#place = null;
    this.#hashes = new Map();
    if (this.#waiting.length > 0) this.#mark();
  }

  said(member: string, said: Extract<PeerMessage, { kind: "hash" }>): void {
    if (this.#place !== null && said.index === this.#place.index) this.#note(member, said.hash);
    else if (said.index >= this.#options.tree.index) this.#early.set(member, said);
  }

  /** Hashes on, and compares where it is time. */
  look(): void {
    const { clock, coordinator, everyMs, canUse } = this.#options;
    const now = clock.now();
    this.#work(now);
    const { hashedAt = null } = this.#place ?? {};
    if (hashedAt !== null && now - hashedAt >= waitMs) this.#finish();
    const late = this.#waiting.filter(({ since }) => now - since >= waitMsMax);
    this.#waiting = this.#waiting.filter((one) => !late.includes(one));
    for (const { done } of late) done(refuse("UNAVAILABLE", "the members could not be asked in time"));
    if (!coordinator.isHere || now - this.#askedAt < everyMs) return;
    this.#askedAt = now;
    if (canUse(comparedFormat)) this.#mark();
  }

  #mark(): void {
    this.#options.proposals.add({ kind: "hash", format: comparedFormat }, () => {});
  }

  #work(from: number): void {
    const place = this.#place;
    const { clock, member, tell } = this.#options;
    while (place?.reader != null && clock.now() - from < workMs) {
      const hash = place.reader.step();
      if (hash === null) continue;
      place.reader = null;
      place.hashedAt = clock.now();
      tell({ kind: "hash", index: place.index, hash });
      this.#note(member, hash);
    }
  }

  #note(member: string, hash: string): void {
    if (this.#hashes.has(member)) return;
    this.#hashes.set(member, hash);
    const { member: own, tally, trace, peers } = this.#options;
    const mine = this.#hashes.get(own);
    if (mine === undefined) return;
    const others = member === own ? [...this.#hashes] : [[member, hash] as const];
    for (const [other, theirs] of others) {
      if (theirs === mine) continue;
      tally.hashMismatches++;
      trace?.tell({ kind: "members-differ", peer: other, zxid: this.#place!.zxid });
    }
    if ([...peers()].every((id) => this.#hashes.has(id))) this.#finish();
  }

  /** All have said what they hold, or too long has passed: whoever waits is told. */
  #finish(): void {
    const place = this.#place!;
    if (place.isFinished) return;
    place.isFinished = true;
    const { zxid } = place;
    const told = this.#waiting.filter(({ index }) => index <= place.index);
    this.#waiting = this.#waiting.filter(({ index }) => index > place.index);
    for (const { done } of told) done({ zxid, hashes: this.#hashes });
    if (this.#waiting.length > 0) this.#mark();
  }
}
