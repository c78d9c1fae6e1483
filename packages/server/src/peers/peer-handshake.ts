/**
 * How two members meet: five frames, in which each proves that it knows the secret.
 *
 * dialer: its id, whom it means, a nonce · acceptor: a nonce · dialer: its proof, what it says of itself · acceptor: its proof, what it says
 * of itself, or why not · dialer: welcome, or why not. Who accepts proves last: a stranger who dials gets nothing to guess the secret with.
 * Invariants: a proof covers both nonces and both ids, so none can be used again; what is said before the proof changes nothing; formats
 * that the other side does not read end it with both named.
 *
 * In format 1 the acceptor's proof stands in its first frame, and a member may have no secret at all. It is spoken with a member that is
 * known to be of such a build, so that an ensemble is upgraded member by member, and with nobody else.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { isPeerAddress } from "@copse/protocol";
import { type PeerFacts, type PeerRefusal, txnFormats } from "@copse/replica";
import { checksum, type Sealer, sealer } from "./peer-frame.ts";
import { refusalText } from "./refusal-text.ts";

/** What this build reads and writes, oldest and newest: how members meet, and the txns inside entries. */
export const formats: { readonly peer: readonly [number, number]; readonly txn: readonly [number, number] } = {
  peer: [1, 2],
  txn: txnFormats,
};

type Role = "dialer" | "acceptor";

export interface HandshakeOptions {
  readonly role: Role;
  readonly member: string;
  /** Whom a dialer means; null for whoever is there, as an edge does. */
  readonly to: string | null;
  readonly secret: string | null;
  /** Accepted beside `secret` while members change from one to the other. */
  readonly otherSecret?: string | null;
  /** True where the secret is not one that somebody chose for these members: builds of format 1 had none then. */
  readonly isImplicit?: boolean;
  /** True for a member that is known to be of a build of format 1. */
  readonly isOlder?: (member: string) => boolean;
  /** The id that the peer's certificate proves, or null without TLS. */
  readonly certified: string | null;
  readonly facts: () => PeerFacts;
  /** Why the peer is not welcome, or null. */
  readonly refusal: (facts: PeerFacts) => PeerRefusal | null;
  readonly send: (text: string) => void;
}

export interface Met {
  readonly facts: PeerFacts;
  /** The newest format of txns that the peer reads. */
  readonly reads: number;
  /** For the frames that follow: this side's, and the peer's. */
  readonly own: Sealer;
  readonly peer: Sealer;
}

/** The peer, or this side, does not want the link. */
export class HandshakeError extends Error {
  override readonly name: string = "HandshakeError";
  /** The version of the ensemble's table that lacks this member, where a peer that has proved who it is said so; else null. */
  readonly removedIn: number | null;

  constructor(why: string, removedIn: number | null = null) {
    super(why);
    this.removedIn = removedIn;
  }
}

export class Handshake {
  readonly #options: HandshakeOptions;
  readonly #nonce: string = randomBytes(24).toString("base64");
  #step = 0;
  #peer = "";
  #nonces = "";
  /** What the dialer has said of itself, while its welcome is missing. */
  #facts: PeerFacts | null = null;
  /** The format in which they meet, and the newest of txns that the peer reads. */
  #format = formats.peer[1];
  #reads = 0;
  /** The secret of this meeting: of two that are accepted, the one that the dialer has proved. */
  #secret: string | null;

  constructor(options: HandshakeOptions) {
    this.#options = options;
    this.#secret = options.secret;
    this.#peer = options.to ?? "";
    if (options.role === "dialer") this.#say({ copse: "peer", from: options.member, to: options.to, nonce: this.#nonce, formats });
  }

  /** Takes the peer's next frame; gives the result once both have said all. @throws HandshakeError */
  take(text: string): Met | null {
    const said = parse(text);
    if (typeof said["refused"] === "string") {
      throw new HandshakeError(`refused by member ${this.#peer}: ${said["refused"].slice(0, 500)}`, this.#removal(said));
    }
    return this.#options.role === "acceptor" ? this.#accept(said) : this.#dial(said);
  }

  #accept(said: Said): Met | null {
    const { member } = this.#options;
    if (this.#step++ === 0) {
      if (said["copse"] !== "peer") throw new HandshakeError("a stranger that does not speak this protocol");
      this.#peer = this.#text(said, "from");
      const { to } = said;
      if (to !== null && to !== member) return this.#refuse(`this is member ${member}, not ${String(to).slice(0, 20)}`);
      this.#checkFormats(said);
      this.#nonces = `${this.#text(said, "nonce")} ${this.#nonce}`;
      const named = to === null ? { member } : {};
      this.#say({ nonce: this.#nonce, formats, ...named, ...(this.#format === 1 ? { proof: this.#proof("acceptor") } : {}) });
      return null;
    }
    if (this.#facts !== null) return this.#met(this.#facts);
    this.#checkProof(said, "dialer");
    this.#facts = this.#checkFacts(said);
    this.#say({ facts: this.#options.facts(), ...(this.#format === 1 ? {} : { proof: this.#proof("acceptor") }) });
    return null;
  }

  #dial(said: Said): Met | null {
    if (this.#step++ === 0) {
      if (this.#options.to === null) this.#peer = this.#text(said, "member");
      this.#checkFormats(said);
      this.#nonces = `${this.#nonce} ${this.#text(said, "nonce")}`;
      if (this.#format === 1) this.#checkProof(said, "acceptor");
      this.#say({ proof: this.#proof("dialer"), facts: this.#options.facts() });
      return null;
    }
    if (this.#format > 1) this.#checkProof(said, "acceptor");
    const facts = this.#checkFacts(said);
    this.#say({ welcome: true });
    return this.#met(facts);
  }

  /** What a refusal says of this member's removal: an operator's word travels with it, so nobody else's is taken. */
  #removal(said: Said): number | null {
    const { role, certified } = this.#options;
    const version = said["removedIn"];
    if (!Number.isSafeInteger(version) || (this.#secret === null && certified === null)) return null;
    // A dialer proves itself before it refuses, an acceptor while it does.
    const isProved = role === "acceptor" ? this.#facts !== null : this.#proves(said, "acceptor");
    return isProved ? (version as number) : null;
  }

  #met(facts: PeerFacts): Met {
    const { role } = this.#options;
    const reads = this.#reads;
    if (this.#secret === null) return { facts, reads, own: checksum, peer: checksum };
    const key = this.#hmac("key", this.#secret);
    return { facts, reads, own: sealer(key, role), peer: sealer(key, role === "dialer" ? "acceptor" : "dialer") };
  }

  #checkFormats(said: Said): void {
    const theirs = said["formats"] as Partial<Record<keyof typeof formats, unknown>> | undefined;
    for (const [name, [oldest, newest]] of Object.entries(formats)) {
      const range = theirs?.[name as keyof typeof formats];
      const [from = 0, to = 0] = Array.isArray(range) ? range.map(Number) : [];
      // What is no number is no overlap either.
      if (!(from <= newest && to >= oldest)) {
        this.#refuse(`its ${name} format is ${from} to ${to}, this build's ${oldest} to ${newest}: upgrade one step at a time`);
      }
      if (name === "peer") this.#meetIn(Math.min(to, newest));
      else this.#reads = to;
    }
  }

  #meetIn(format: number): void {
    this.#format = format;
    if (format > 1) return;
    const { isOlder, isImplicit } = this.#options;
    if (isOlder?.(this.#peer) !== true) this.#refuse("it uses handshake format 1, but is not known to run a build limited to format 1");
    if (isImplicit === true) this.#secret = null;
  }

  #checkProof(said: Said, role: Role): void {
    const { certified } = this.#options;
    if (certified !== null && certified !== this.#peer) this.#refuse(`its certificate is that of member ${certified}`);
    if (!this.#proves(said, role)) this.#refuse("its secret does not match");
  }

  /** True where the peer has proved that it knows a secret which is accepted; that one is the secret of this meeting from then on. */
  #proves(said: Said, role: Role): boolean {
    const { otherSecret } = this.#options;
    if (this.#secret === null) return true;
    const proof = Buffer.from(this.#text(said, "proof"), "base64");
    // Who accepts takes either, and proves itself with the one that was proved.
    const accepted = this.#options.role === "acceptor" ? [this.#secret, otherSecret ?? null] : [this.#secret];
    for (const secret of accepted) {
      const expected = secret === null ? null : this.#hmac(`proof ${role}`, secret);
      if (expected === null || proof.length !== expected.length || !timingSafeEqual(proof, expected)) continue;
      this.#secret = secret;
      return true;
    }
    return false;
  }

  #checkFacts(said: Said): PeerFacts {
    const given = said["facts"] as PeerFacts | undefined;
    const texts = [given?.member, given?.url, given?.peer, given?.directory, given?.cluster];
    if (given === undefined || !texts.every((text) => typeof text === "string" && text.length <= factLengthMax)) {
      return this.#refuse("its description of itself is malformed");
    }
    if (!Array.isArray(given.founders) || given.founders.length > 64) return this.#refuse("its description of itself is malformed");
    const { member, url, peer, directory, cluster } = given;
    if (member !== this.#peer) return this.#refuse("it claims two different ids");
    const version = Number.isSafeInteger(given.version) ? given.version : 0;
    const time = Number.isSafeInteger(given.time) && given.time >= 0 ? given.time : 0;
    const isFounded = given.isFounded === true;
    const { startPeer, lastIndex } = given;
    const isEdge = given.isEdge === true;
    if (isEdge !== isEdgeId(member)) return this.#refuse("its id is not of its kind");
    const facts = {
      ...{ member, url, peer, directory, cluster, isFounded, version, founders: given.founders.map(String), time },
      ...(typeof startPeer === "string" && isPeerAddress(startPeer) ? { startPeer } : {}),
      ...(isEdge ? { isEdge } : {}),
      ...(Number.isSafeInteger(lastIndex) && lastIndex! >= 0 ? { lastIndex: lastIndex! } : {}),
    };
    const refusal = this.#options.refusal({ ...facts, reads: this.#reads });
    if (refusal === null) return facts;
    // Each side has proved itself by now, or does so with this.
    const removal = refusal.kind === "not-a-member" ? { removedIn: refusal.version, proof: this.#proof(this.#options.role) } : {};
    return this.#refuse(refusalText(refusal), removal);
  }

  #proof(role: Role): string {
    return this.#secret === null ? "" : this.#hmac(`proof ${role}`, this.#secret).toString("base64");
  }

  #hmac(purpose: string, secret: string): Buffer {
    const { role, member } = this.#options;
    const ids = role === "dialer" ? `${member} ${this.#peer}` : `${this.#peer} ${member}`;
    return createHmac("sha256", secret).update(`copse peer ${purpose} ${ids} ${this.#nonces}`).digest();
  }

  #text(said: Said, member: string): string {
    const text = said[member];
    if (typeof text !== "string" || text.length > factLengthMax) throw new HandshakeError("a stranger that does not speak this protocol");
    return text;
  }

  #say(words: Said): void {
    this.#options.send(JSON.stringify(words));
  }

  #refuse(why: string, rest: Said = {}): never {
    this.#say({ refused: why, ...rest });
    throw new HandshakeError(`refused member ${this.#peer}: ${why}`);
  }
}

const factLengthMax = 1_024;

/** Edges have names, members have numbers. */
export function isEdgeId(id: string): boolean {
  return /^edge-[a-z0-9][a-z0-9-]{0,31}$/.test(id);
}

type Said = Record<string, unknown>;

function parse(text: string): Said {
  try {
    const said = JSON.parse(text) as unknown;
    if (typeof said === "object" && said !== null) return said as Said;
  } catch {
    // Not JSON: the same stranger as one whose JSON is no object.
  }
  throw new HandshakeError("a stranger that does not speak this protocol");
}
