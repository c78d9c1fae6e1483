/**
 * The ensemble as one member sees it: who the others are, where they are, and who may speak to it.
 *
 * `reconfig` writes into the table who is meant to be a member. The coordinator brings consensus in line: newcomers learn
 * first and vote once they have caught up, so a member that never starts takes no quorum away. Invariant: a data directory
 * that is not the one a member is bound to, or an older copy of it, never counts as that member.
 */
import type { Results } from "@copse/protocol";
import { configOf, type EnsembleTable, type MemberRow, type ShownRole, shownRole, type Txn, txnFormats } from "@copse/tree";
import type { Relayed } from "../edges/edge-message.ts";
import type { PeerPlace } from "../ports.ts";
import { Comparison } from "./comparison.ts";
import type { EnsembleOptions, EnsembleState } from "./ensemble-options.ts";
import { Founding } from "./founding.ts";
import type { PeerFacts, PeerRefusal } from "./peer-facts.ts";
import type { PeerMessage } from "./peer-message.ts";
import { Peers } from "./peers.ts";
import { Upkeep } from "./upkeep.ts";

/** Builds that read this format of txns, or a newer one, know edges. */
const edgesSince = 8;
/** Edges that one reply names to a client. */
const edgeUrlsMax = 64;

export class Ensemble {
  readonly #options: EnsembleOptions;
  readonly #state: EnsembleState;
  readonly #peers: Peers;
  readonly #founding: Founding;
  readonly #upkeep: Upkeep;
  readonly #comparison: Comparison;
  /** The newest table of which a peer has said that it lacks this member. */
  #removedIn = 0;
  /** What clients may come to, and of what that was made. */
  #urls: { readonly ensemble: EnsembleTable; readonly edges: readonly string[]; readonly all: readonly string[] } | null = null;

  constructor(options: EnsembleOptions, state: EnsembleState) {
    this.#options = options;
    this.#state = state;
    this.#peers = new Peers(state);
    const { linked } = this.#peers;
    this.#founding = new Founding(options, state, linked);
    this.#comparison = new Comparison({
      ...state,
      member: options.member,
      everyMs: options.compareMs,
      canUse: (format) => this.canUse(format),
      peers: () => linked.keys(),
      tell: state.tellPeers,
    });
    const ensemble = this;
    this.#upkeep = new Upkeep(options, state, {
      peers: linked,
      canUse: (format) => this.canUse(format),
      get facts() {
        return ensemble.facts;
      },
      get cluster() {
        return ensemble.#cluster;
      },
    });
  }

  /** What this member says of itself. */
  get facts(): PeerFacts {
    const { member, url, directory, founders } = this.#options;
    const { tree, time, consensus } = this.#state;
    const startPeer = founders.find(({ id }) => id === member)?.address ?? "";
    return {
      member,
      url,
      peer: this.ownAddress,
      ...(startPeer === "" ? {} : { startPeer }),
      directory,
      cluster: this.#cluster,
      isFounded: this.#founding.isFounded,
      lastIndex: consensus.lastIndex,
      version: tree.ensemble.version,
      founders: founders.map(({ id }) => id).sort(),
      reads: txnFormats[1],
      time: time.told,
      ...(this.#options.isEdge === true ? { isEdge: true } : {}),
    };
  }

  /** Where its peers reach this member, or "". */
  get ownAddress(): string {
    const { member, peer } = this.#options;
    return this.#state.tree.ensemble.members.find(({ id }) => id === member)?.peer || peer;
  }

  /** Everybody else, as far as this member knows where they may be: where the table says, and where this member was told at start. */
  get places(): readonly PeerPlace[] {
    const { founders, member, isEdge = false } = this.#options;
    if (isEdge) return [];
    const { members } = this.#state.tree.ensemble;
    const known = members.length > 0 ? members : founders.map(({ id }) => ({ id, peer: "" }));
    const placed = known.map(({ id, peer }) => {
      const told = founders.find((founder) => founder.id === id)?.address ?? "";
      return { id, addresses: [...new Set([peer, told])].filter((address) => address !== "") };
    });
    return placed.filter(({ id, addresses }) => id !== member && addresses.length > 0);
  }

  /** Why this member does not speak with another, or null where it does. */
  refusal(facts: PeerFacts): PeerRefusal | null {
    const { member } = facts;
    if (member === this.#options.member) return { kind: "own-id", member };
    if (this.#cluster !== "" && facts.cluster !== "" && facts.cluster !== this.#cluster) {
      return { kind: "other-cluster", member, cluster: facts.cluster, own: this.#cluster };
    }
    const { tree, consensus } = this.#state;
    if (this.#options.isEdge === true) return null;
    // The table of the snapshot may not know yet what a copy of a directory lacks.
    if (tree.index < consensus.committedAtStart) return { kind: "replaying", member };
    const { members, version } = tree.ensemble;
    if (facts.isEdge === true) return (facts.reads ?? 0) < txnFormats[1] ? { kind: "older-edge", member } : null;
    if (members.length > 0) return refusalByTable(members, version, facts) ?? this.#refusalOfCopy(members, facts);
    const { founders, founding } = this.#options;
    if (founding === "never") return null;
    if (!founders.some(({ id }) => id === member)) return { kind: "not-a-founder", member };
    const mine = this.facts.founders.join(",");
    if (!facts.isFounded && !this.facts.isFounded && facts.founders.join(",") !== mine) {
      return { kind: "other-founders", member, founders: facts.founders.join(","), own: mine };
    }
    return null;
  }

  /** A directory that ends before what its member has acknowledged is a copy of it from before: what it would vote for may lack that. */
  #refusalOfCopy(members: readonly MemberRow[], { member, lastIndex }: PeerFacts): PeerRefusal | null {
    const noted = members.find(({ id }) => id === member)?.acknowledged ?? 0;
    const acknowledged = Math.max(noted, this.#state.consensus.acknowledged(Number(member)));
    if (lastIndex === undefined || lastIndex >= acknowledged) return null;
    return { kind: "older-copy", member, acknowledged, lastIndex };
  }

  /** What this member waits for before it has a cluster, in words; null where it has one. */
  get waitsFor(): string | null {
    return this.#founding.waitsFor;
  }

  up(facts: PeerFacts): void {
    this.#peers.up(facts);
    this.#founding.look();
  }

  down(member: string): void {
    this.#peers.down(member);
  }

  /** A peer that has proved who it is does not link, because its table lacks this member. */
  removed(version: number): void {
    this.#removedIn = Math.max(this.#removedIn, version);
  }

  /** True for a member that was taken out, and has heard of it; once it is taken in again, its own table is newer than that word. */
  get isRemoved(): boolean {
    const { version } = this.#state.tree.ensemble;
    return version > 0 && this.#removedIn >= version;
  }

  /** True while this member takes no clients. */
  get isDrained(): boolean {
    const { member, isLocalEdge = false } = this.#options;
    if (isLocalEdge) return this.#state.consensus.relayed.isDrained;
    return this.#state.tree.ensemble.members.find(({ id }) => id === member)?.isDrained === true;
  }

  /** What a member says of itself; the rest is for consensus. */
  heard(member: string, messages: readonly PeerMessage[]): void {
    for (const message of messages) {
      if (message.kind === "status") this.#peers.said(member, message);
      if (message.kind === "hash") this.#comparison.said(member, message);
    }
  }

  /** What this member says to a peer of how far it is. */
  statusFor(member: string): ReturnType<Peers["statusFor"]> {
    return this.#peers.statusFor(member);
  }

  /** The newest round trip to each linked member, in milliseconds, as far as there was one. */
  get roundTripsMs(): ReadonlyMap<string, number> {
    return this.#peers.roundTripsMs;
  }

  applied({ kind }: Txn): void {
    if (kind === "hash") this.#comparison.begin();
  }

  restored(): void {
    this.#comparison.restored();
  }

  /** Compares the trees of all members. */
  compare(done: Parameters<Comparison["compare"]>[0]): void {
    this.#comparison.compare(done);
  }

  /** Another member coordinates from now on, or none. */
  coordinated(): void {
    this.#founding.look();
    this.#upkeep.coordinated();
  }

  /** Looks, where it is time: whether to found, and, as the coordinator, whether the table is true. */
  look(): void {
    this.#founding.look();
    this.#upkeep.look();
    this.#comparison.look();
    this.#peers.look();
  }

  /**
   * True if every member reads this format of txns, as far as it has said what it reads. One that was never seen does not count: where it
   * turns out to be of an older build, it has to be upgraded before it can take part.
   */
  canUse(format: number): boolean {
    for (const { facts } of this.#peers.linked.values()) if ((facts.reads ?? 0) < format) return false;
    return this.#state.tree.ensemble.members.every(({ id, directory, reads = 0 }) => {
      return directory === null || id === this.#options.member || this.#peers.linked.has(id) || reads >= format;
    });
  }

  /**
   * True for a member that was seen and did not say that it reads format 3. One that was never seen is no older build: a stranger could
   * speak in its place before it comes.
   */
  isOlder(member: string): boolean {
    const row = this.#state.tree.ensemble.members.find(({ id }) => id === member);
    return row !== undefined && row.directory !== null && (row.reads ?? 0) < 3;
  }

  /** Those that a link stands with, and that read what is said of edges: a build of before would cut the link. */
  get hearsOfEdges(): readonly string[] {
    return [...this.#peers.linked].filter(([, { facts }]) => (facts.reads ?? 0) >= edgesSince).map(([id]) => id);
  }

  /** The URLs that members and edges have said of themselves, over links that proved who they are: the same array until one changes. */
  get urls(): readonly string[] {
    const { ensemble } = this.#state.tree;
    const { urls } = this.#state.edges;
    if (this.#urls?.ensemble !== ensemble || this.#urls.edges !== urls) {
      const said = ensemble.members.filter(({ directory, url }) => directory !== null && url !== "");
      this.#urls = { ensemble, edges: urls, all: [...said.map(({ url }) => url), ...urls] };
    }
    return this.#urls.all;
  }

  /** Where edges take clients: some of them, where there are many. */
  get edgeUrls(): readonly string[] {
    return this.#state.edges.someUrls(edgeUrlsMax);
  }

  /** What `ensemble` answers; where members reach each other is for admins. */
  shown(isForAdmin: boolean): Results["ensemble"] {
    const { members, ...rest } = configOf(this.#shown());
    const salt = this.#state.tree.ensemble.salt ?? this.#cluster;
    const shown = members.map(({ peer, ...member }) => ({ ...member, ...(isForAdmin ? { peer } : {}), zxid: this.#zxidOf(member.id) }));
    const edges = this.#state.edges.all;
    return { members: shown, ...rest, salt, ...(edges.length === 0 ? {} : { edges }) };
  }

  get role(): ShownRole {
    const { member } = this.#options;
    if (this.#state.coordinator.isHere) return "leader";
    const row = this.#state.tree.ensemble.members.find(({ id }) => id === member);
    const isVoting = this.#state.consensus.members.voters.includes(Number(member));
    return row === undefined ? (isVoting ? "follower" : "observer") : shownRole({ ...row, isVoting }, "");
  }

  get #cluster(): string {
    return this.#options.cluster ?? this.#state.tree.ensemble.cluster;
  }

  /** Txns that the member which coordinates has said it has applied and this one has not: it says so as soon as the link stands. */
  get lag(): number {
    const { coordinator, tree } = this.#state;
    return coordinator.member === null ? 0 : Math.max(0, this.#zxidOf(coordinator.member) - tree.zxid);
  }

  #zxidOf(id: string): number {
    if (id === this.#options.member) return this.#state.tree.zxid;
    return Math.max(this.#peers.linked.get(id)?.zxid ?? 0, this.#state.consensus.relayed.up[id] ?? 0);
  }

  /** What edges hear of the ensemble through this one. */
  get relayed(): Relayed {
    const { members } = this.#shown();
    const up = members.filter(({ isUp }) => isUp).map(({ id }) => [id, this.#zxidOf(id)]);
    const isPressed = this.#state.pressures.size > 0;
    return { up: Object.fromEntries(up), isPressed, isDrained: this.isDrained, waitsFor: this.waitsFor };
  }

  /** The table with what this member sees for itself. */
  #shown(): EnsembleTable {
    const { ensemble } = this.#state.tree;
    const { member, isEdge = false } = this.#options;
    const { up } = this.#state.consensus.relayed;
    // An edge is linked with its feeder alone.
    const isUp = (id: string): boolean => (isEdge ? Object.hasOwn(up, id) : id === member || this.#peers.linked.has(id));
    return {
      ...ensemble,
      leader: this.#state.coordinator.member ?? "",
      members: ensemble.members.map((row) => ({ ...row, isUp: isUp(row.id) })),
    };
  }
}

function refusalByTable(members: readonly MemberRow[], version: number, { member, ...facts }: PeerFacts): PeerRefusal | null {
  const row = members.find(({ id }) => id === member);
  // One that knows a newer table may have been added while this member was away.
  if (row === undefined) return facts.version > version ? null : { kind: "not-a-member", member, version };
  if (row.directory === null || row.directory === facts.directory) return null;
  return { kind: facts.isFounded ? "other-directory" : "empty-directory", member };
}
