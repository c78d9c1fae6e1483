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
const comparedFormat = 7;
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

/** Where the trees are compared, and how far that is. */
interface Place {
  readonly index: number;
  readonly zxid: number;
  phase:
    | { readonly kind: "hashing"; readonly reader: DigestReader }
    /** This member has its hash, and waits for the others. */
    | { readonly kind: "hashed"; readonly at: number }
    | { readonly kind: "told" };
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
    this.#leave();
    this.#askedAt = clock.now();
    this.#place = { index, zxid, phase: { kind: "hashing", reader: new DigestReader(tree) } };
    for (const [member, said] of this.#early) {
      if (said.index === index) this.#note(member, said.hash);
      if (said.index <= index) this.#early.delete(member);
    }
  }

  #leave(): void {
    if (this.#place?.phase.kind === "hashing") this.#place.phase.reader.close();
    this.#place = null;
    this.#hashes = new Map();
  }

  /** Another state has taken the place of the present one: what was hashed so far is of none. */
  restored(): void {
    this.#leave();
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
    if (this.#place?.phase.kind === "hashed" && now - this.#place.phase.at >= waitMs) this.#tell(this.#place);
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
    while (place?.phase.kind === "hashing" && clock.now() - from < workMs) {
      const hash = place.phase.reader.step();
      if (hash === null) continue;
      place.phase = { kind: "hashed", at: clock.now() };
      tell({ kind: "hash", index: place.index, hash });
      this.#note(member, hash);
    }
  }

  #note(member: string, hash: string): void {
    if (this.#hashes.has(member)) return;
    this.#hashes.set(member, hash);
    const { member: own, tally, trace, peers } = this.#options;
    const mine = this.#hashes.get(own);
    const place = this.#place;
    if (mine === undefined || place === null) return;
    const others = member === own ? [...this.#hashes] : [[member, hash] as const];
    for (const [other, theirs] of others) {
      if (theirs === mine) continue;
      tally.hashMismatches++;
      trace?.tell({ kind: "members-differ", peer: other, zxid: place.zxid });
    }
    if ([...peers()].every((id) => this.#hashes.has(id))) this.#tell(place);
  }

  /** Tells those who wait what is known by now: all hashes, or those that came in time. */
  #tell(place: Place): void {
    if (place.phase.kind === "told") return;
    place.phase = { kind: "told" };
    const told = this.#waiting.filter(({ index }) => index <= place.index);
    this.#waiting = this.#waiting.filter(({ index }) => index > place.index);
    for (const { done } of told) done({ zxid: place.zxid, hashes: this.#hashes });
    if (this.#waiting.length > 0) this.#mark();
  }
}
