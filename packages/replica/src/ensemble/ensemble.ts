/**
 * The ensemble as one member sees it: who the others are, who may speak to it, and, where it coordinates, the upkeep of the
 * table that all share.
 *
 * `reconfig` writes into the table who is meant to be a member. The coordinator brings consensus in line: newcomers learn
 * first and vote once they have caught up, so a member that never starts takes no quorum away. Invariants: a data directory
 * that is not the one a member is bound to never counts as that member; a member is founded once, with others that are as
 * empty as it is, or taken in by those that are founded already.
 */
import type { AclItem, Results } from "@copse/protocol";
import type { Configuration, MemberChange, MemberId } from "@copse/raft";
import {
  configOf,
  type EnsembleTable,
  isStaying,
  type MemberRow,
  type ShownRole,
  shownRole,
  type Tree,
  type TreeLimits,
  txnFormats,
} from "@copse/tree";
import type { Coordinator } from "../order/coordinator.ts";
import type { Proposals } from "../order/proposals.ts";
import type { StateTime } from "../order/state-time.ts";
import type { Clock, PeerAddress, Random } from "../ports.ts";
import type { PeerFacts, PeerRefusal } from "./peer-facts.ts";
import type { PeerMessage } from "./peer-message.ts";

export interface EnsembleOptions {
  readonly member: string;
  readonly url: string;
  /** Where peers reach this member, HOST:PORT; "" leaves it to the table. */
  readonly peer: string;
  readonly directory: string;
  /** The cluster that this data directory was born with; null where the ensemble agrees on one. */
  readonly cluster: string | null;
  /** All members at first, this one included; nobody else for a hub alone. */
  readonly founders: readonly PeerAddress[];
  /** This member waits to be taken in by an ensemble that runs. */
  readonly isJoining: boolean;
  readonly limits: TreeLimits;
  /** The ACL of the root of a cluster that this member founds; null leaves it open to everyone. */
  readonly rootAcl: readonly AclItem[] | null;
}

/** What the upkeep needs of consensus. */
export interface Consensus {
  readonly isFounded: boolean;
  /** The members that consensus counts. */
  readonly members: Configuration;
  /** True while a member that has nothing would be given entries instead of a snapshot. */
  readonly needsSnapshot: boolean;
  isCaughtUp(member: MemberId): boolean;
  change(changes: readonly MemberChange[]): void;
  /** Hands over to that one of these voters that lacks least. */
  handOver(to: readonly MemberId[]): void;
}

export interface EnsembleState {
  readonly tree: Tree;
  readonly consensus: Consensus;
  readonly coordinator: Coordinator;
  readonly proposals: Proposals;
  readonly clock: Clock;
  readonly time: StateTime;
  readonly random: Random;
  readonly takeSnapshot: () => void;
  /** Founds the ensemble with these members. */
  readonly found: (voters: readonly MemberId[]) => void;
}

interface Peer {
  readonly facts: PeerFacts;
  zxid: number;
}

/** How often the coordinator looks at the table, in milliseconds. */
const upkeepMs = 200;

export class Ensemble {
  readonly #options: EnsembleOptions;
  readonly #state: EnsembleState;
  /** The members that this one is connected with. */
  readonly #peers: Map<string, Peer> = new Map();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #isProposing = false;
  #isFounding = false;
  /** The newest table of which a peer has said that it lacks this member. */
  #removedIn = 0;

  constructor(options: EnsembleOptions, state: EnsembleState) {
    this.#options = options;
    this.#state = state;
  }

  /** What this member says of itself. */
  get facts(): PeerFacts {
    const { member, url, directory, founders } = this.#options;
    const peer = this.ownAddress;
    const isFounded = this.#isFounding || this.#state.consensus.isFounded;
    const { tree, time } = this.#state;
    const { version } = tree.ensemble;
    const ids = founders.map(({ id }) => id).sort();
    return {
      member,
      url,
      peer,
      directory,
      cluster: this.#cluster,
      isFounded,
      version,
      founders: ids,
      reads: txnFormats[1],
      time: time.told,
    };
  }

  /** Where its peers reach this member, or "". */
  get ownAddress(): string {
    const { member, peer } = this.#options;
    return this.#state.tree.ensemble.members.find(({ id }) => id === member)?.peer || peer;
  }

  /** Everybody else, as far as this member knows where they are. */
  get addresses(): readonly PeerAddress[] {
    const { members } = this.#state.tree.ensemble;
    const known = members.length > 0 ? members.map(({ id, peer }) => ({ id, address: peer })) : this.#options.founders;
    return known.filter(({ id, address }) => id !== this.#options.member && address !== "");
  }

  /** Why this member does not speak with another, or null where it does. */
  refusal(facts: PeerFacts): PeerRefusal | null {
    const { member } = facts;
    if (member === this.#options.member) return { kind: "own-id", member };
    if (this.#cluster !== "" && facts.cluster !== "" && facts.cluster !== this.#cluster) {
      return { kind: "other-cluster", member, cluster: facts.cluster, own: this.#cluster };
    }
    const { members, version } = this.#state.tree.ensemble;
    if (members.length > 0) return refusalByTable(members, version, facts);
    const { founders, isJoining } = this.#options;
    if (isJoining) return null;
    if (!founders.some(({ id }) => id === member)) return { kind: "not-a-founder", member };
    const mine = this.facts.founders.join(",");
    if (!facts.isFounded && !this.facts.isFounded && facts.founders.join(",") !== mine) {
      return { kind: "other-founders", member, founders: facts.founders.join(","), own: mine };
    }
    return null;
  }

  up(facts: PeerFacts): void {
    this.#peers.set(facts.member, { facts, zxid: this.#peers.get(facts.member)?.zxid ?? 0 });
    this.#state.time.learn(facts.time);
    this.#foundIfAllAreNew();
  }

  down(member: string): void {
    this.#peers.delete(member);
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

  /** A member says how far it is. What the coordinator says of the time is the time. */
  said(member: string, { zxid, time }: Extract<PeerMessage, { kind: "status" }>): void {
    if (member === this.#state.coordinator.member) this.#state.time.follow(time);
    else this.#state.time.learn(time);
    const peer = this.#peers.get(member);
    if (peer !== undefined) peer.zxid = zxid;
  }

  /** Another member coordinates from now on, or none. */
  coordinated(): void {
    this.#isProposing = false;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    this.look();
  }

  /** Looks, where it is time: the coordinator keeps the table true. */
  look(): void {
    this.#foundIfAllAreNew();
    const now = this.#state.clock.now();
    if (!this.#state.coordinator.isHere || now - this.#lookedAt < upkeepMs) return;
    this.#lookedAt = now;
    this.#align();
    const table = this.#table();
    const { tree, proposals } = this.#state;
    const { limits } = this.#options;
    if (this.#isProposing || JSON.stringify([table, limits]) === JSON.stringify([tree.ensemble, tree.limits])) return;
    this.#isProposing = true;
    const { term } = this.#state.coordinator;
    const done = (): void => {
      this.#isProposing = false;
    };
    const born = tree.ensemble.version === 0 && this.#options.rootAcl !== null && this.canUse(3);
    const root = born ? ({ rootAcl: this.#options.rootAcl, format: 3 } as const) : {};
    proposals.add({ kind: "configure", table, limits, ...root }, done, () => this.#state.coordinator.isHereIn(term));
  }

  /**
   * True if every member reads this format of txns, as far as it has said what it reads. One that was never seen does not count: where it
   * turns out to be of an older build, it has to be upgraded before it can take part.
   */
  canUse(format: number): boolean {
    for (const { facts } of this.#peers.values()) if ((facts.reads ?? 0) < format) return false;
    return this.#state.tree.ensemble.members.every(({ id, directory, reads = 0 }) => {
      return directory === null || id === this.#options.member || this.#peers.has(id) || reads >= format;
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

  /** The URLs that members have said of themselves, over a link that proved who they are. */
  get urls(): readonly string[] {
    const said = this.#state.tree.ensemble.members.filter(({ directory, url }) => directory !== null && url !== "");
    return said.map(({ url }) => url);
  }

  /** What `ensemble` answers; where members reach each other is for admins. */
  shown(isForAdmin: boolean): Results["ensemble"] {
    const { members, ...rest } = configOf(this.#shown());
    const shown = members.map(({ peer, ...member }) => ({ ...member, ...(isForAdmin ? { peer } : {}), zxid: this.#zxidOf(member.id) }));
    return { members: shown, ...rest };
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
    return id === this.#options.member ? this.#state.tree.zxid : (this.#peers.get(id)?.zxid ?? 0);
  }

  /** The table with what this member sees for itself. */
  #shown(): EnsembleTable {
    const { ensemble } = this.#state.tree;
    const isUp = (id: string): boolean => id === this.#options.member || this.#peers.has(id);
    return {
      ...ensemble,
      leader: this.#state.coordinator.member ?? "",
      members: ensemble.members.map((row) => ({ ...row, isUp: isUp(row.id) })),
    };
  }

  #foundIfAllAreNew(): void {
    const { founders, isJoining } = this.#options;
    const { consensus, found } = this.#state;
    if (isJoining || this.#isFounding || consensus.isFounded) return;
    const others = [...this.#peers.values()];
    if (others.some(({ facts }) => facts.isFounded || facts.cluster !== "")) return;
    if ((others.length + 1) * 2 <= founders.length) return;
    this.#isFounding = true;
    found(founders.map(({ id }) => Number(id)).sort((a, b) => a - b));
  }

  /** The table as the coordinator sees it. */
  #table(): EnsembleTable {
    const { tree, consensus, random } = this.#state;
    const { ensemble } = tree;
    const { member } = this.#options;
    const rows = ensemble.members.length > 0 ? ensemble.members : this.#firstRows();
    const { voters } = consensus.members;
    const { learners, outgoing } = consensus.members;
    const counted = new Set([...voters, ...learners, ...outgoing].map(String));
    const members = rows
      .filter((row) => isStaying(row) || counted.has(row.id))
      .map((row): MemberRow => {
        const seen = row.id === member ? this.facts : this.#peers.get(row.id)?.facts;
        return {
          ...row,
          isVoting: voters.includes(Number(row.id)),
          url: seen?.url ?? row.url,
          peer: row.peer || (seen?.peer ?? ""),
          directory: row.directory ?? seen?.directory ?? null,
          isUp: seen !== undefined,
          ...readsOf(seen, row),
        };
      });
    const cluster = this.#cluster === "" ? random.token() : this.#cluster;
    const version = Math.max(1, ensemble.version);
    return { cluster, version, leader: member, isSettled: this.#changes().length === 0 && !this.#isJoint, members };
  }

  #firstRows(): readonly MemberRow[] {
    const addresses = new Map(this.#options.founders.map(({ id, address }) => [id, address]));
    const { voters, learners } = this.#state.consensus.members;
    const row = (id: MemberId, role: MemberRow["role"]): MemberRow => {
      const text = String(id);
      return { id: text, role, isVoting: false, url: "", peer: addresses.get(text) ?? "", directory: null, isUp: false };
    };
    return [...voters.map((id) => row(id, "voter")), ...learners.map((id) => row(id, "observer"))];
  }

  get #isJoint(): boolean {
    return this.#state.consensus.members.outgoing.length > 0;
  }

  /** What consensus has to change to have the members that the table names, as far as that is possible now. */
  #changes(): MemberChange[] {
    const { tree, consensus } = this.#state;
    const rows = tree.ensemble.members;
    if (rows.length === 0) return [];
    const { voters, learners } = consensus.members;
    const changes: MemberChange[] = [];
    for (const { id, role } of rows) {
      const member = Number(id);
      const isVoter = voters.includes(member);
      if (role === "leaving") continue;
      if (!isVoter && !learners.includes(member)) changes.push({ kind: "add-learner", member });
      else if (role === "observer" && isVoter) changes.push({ kind: "add-learner", member });
      else if (role === "voter" && !isVoter && consensus.isCaughtUp(member)) changes.push({ kind: "add-voter", member });
    }
    const named = new Set(rows.filter(isStaying).map(({ id }) => Number(id)));
    for (const member of [...voters, ...learners]) if (!named.has(member)) changes.push({ kind: "remove", member });
    return changes;
  }

  #align(): void {
    const changes = this.#changes();
    const { tree, consensus, takeSnapshot } = this.#state;
    if (changes.length === 0 || this.#isJoint) return;
    if (consensus.needsSnapshot) return takeSnapshot();
    const own = Number(this.#options.member);
    if (!changes.some(({ kind, member }) => member === own && kind !== "add-voter")) return consensus.change(changes);
    // Two that leave would hand over to each other for ever: it takes one that stays, and where none is ready, those who come are first.
    const { voters } = consensus.members;
    const staying = tree.ensemble.members.filter(({ role }) => role === "voter").map(({ id }) => Number(id));
    const ready = staying.filter((id) => id !== own && voters.includes(id) && consensus.isCaughtUp(id));
    if (ready.length > 0) return consensus.handOver(ready);
    const additions = changes.filter(({ kind, member }) => kind !== "remove" && !voters.includes(member));
    if (additions.length > 0) consensus.change(additions);
  }
}

/** What a member said last that it reads: nothing is noted of a member that never said more than the oldest builds do. */
function readsOf(seen: PeerFacts | undefined, row: MemberRow): Pick<MemberRow, "reads"> {
  const reads = seen?.reads ?? row.reads ?? 0;
  return reads >= 3 ? { reads } : {};
}

function refusalByTable(members: readonly MemberRow[], version: number, { member, ...facts }: PeerFacts): PeerRefusal | null {
  const row = members.find(({ id }) => id === member);
  // One that knows a newer table may have been added while this member was away.
  if (row === undefined) return facts.version > version ? null : { kind: "not-a-member", member, version };
  if (row.directory === null || row.directory === facts.directory) return null;
  return { kind: facts.isFounded ? "other-directory" : "empty-directory", member };
}
