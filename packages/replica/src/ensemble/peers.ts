/**
 * The members that this one is linked with, and what each says of itself: how far it is, what presses it, and, by what it sends back, how long
 * a round trip takes.
 *
 * Invariant: what a member has said is forgotten with its link.
 */
import type { EnsembleState } from "./ensemble-options.ts";
import type { Peer, PeerFacts } from "./peer-facts.ts";
import type { PeerMessage } from "./peer-message.ts";

type Status = Extract<PeerMessage, { kind: "status" }>;

export class Peers {
  readonly #state: Pick<EnsembleState, "tree" | "time" | "clock" | "coordinator" | "consensus" | "pressures">;
  readonly #linked: Map<string, Peer> = new Map();

  constructor(state: Pick<EnsembleState, "tree" | "time" | "clock" | "coordinator" | "consensus" | "pressures">) {
    this.#state = state;
  }

  get linked(): ReadonlyMap<string, Peer> {
    return this.#linked;
  }

  up(facts: PeerFacts): void {
    const zxid = this.#linked.get(facts.member)?.zxid ?? 0;
    this.#linked.set(facts.member, { facts, zxid, sent: 0, heardAt: 0, isPressed: false, rttUs: null });
    this.#state.time.learn(facts.time);
  }

  down(member: string): void {
    this.#linked.delete(member);
  }

  /** A member says how far it is. What the coordinator says of the time is the time. */
  said(member: string, { zxid, time, sent, echo, heldUs, isPressed }: Status): void {
    if (member === this.#state.coordinator.member) this.#state.time.follow(time);
    else this.#state.time.learn(time);
    const peer = this.#linked.get(member);
    if (peer === undefined) return;
    const now = this.#nowUs;
    Object.assign(peer, { zxid, sent, heardAt: now, isPressed });
    if (echo > 0 && echo <= now - heldUs) peer.rttUs = now - echo - heldUs;
  }

  /** What this member says to a peer of how far it is. */
  statusFor(member: string): Status {
    const { tree, time, pressures } = this.#state;
    const peer = this.#linked.get(member);
    const now = this.#nowUs;
    const echo = peer === undefined || peer.sent === 0 ? { echo: 0, heldUs: 0 } : { echo: peer.sent, heldUs: now - peer.heardAt };
    const isPressed = pressures.has("disk") || pressures.has("heap");
    return { kind: "status", zxid: tree.zxid, time: time.told, sent: now, ...echo, isPressed };
  }

  /** The newest round trip to each, in milliseconds, as far as there was one. */
  get roundTripsMs(): ReadonlyMap<string, number> {
    return new Map([...this.#linked].flatMap(([id, { rttUs }]) => (rttUs === null ? [] : [[id, rttUs / 1_000]])));
  }

  /** Notes whether the member that leads is pressed: it keeps each write before it counts. */
  look(): void {
    const { coordinator, consensus, pressures } = this.#state;
    if (consensus.relayed.isPressed || this.#linked.get(coordinator.member ?? "")?.isPressed === true) pressures.add("leader");
    else pressures.delete("leader");
  }

  /** On this member's clock; 0 means nothing here. */
  get #nowUs(): number {
    return Math.max(1, Math.round(this.#state.clock.now() * 1_000));
  }
}
