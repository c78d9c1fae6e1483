/**
 * The upkeep of the table that all members share, by the one that coordinates.
 *
 * It brings consensus in line with the table, as far as that is possible now, and writes down how members stand. Invariants: consensus
 * changes only towards what the table names; a row says nothing of a member that it has not said over a link which proved who it is.
 */
import type { MemberChange, MemberId } from "@copse/raft";
import { type EnsembleTable, isStaying, type MemberRow } from "@copse/tree";
import type { Trace } from "../trace.ts";
import type { EnsembleOptions, EnsembleState } from "./ensemble-options.ts";
import type { Peer, PeerFacts } from "./peer-facts.ts";

/** What the upkeep knows of this member and its peers. */
export interface EnsembleView {
  readonly facts: PeerFacts;
  readonly peers: ReadonlyMap<string, Peer>;
  /** The cluster's id, or "". */
  readonly cluster: string;
  canUse(format: number): boolean;
}

/** How often the coordinator looks at the table, in milliseconds. */
const upkeepMs = 200;
/** How often it writes down how far members have come where nothing else changes, in milliseconds, and by how many entries they have to. */
const notedMs = 10_000;
const notedEntries = 64;

export class Upkeep {
  readonly #options: EnsembleOptions;
  readonly #state: EnsembleState;
  readonly #view: EnsembleView;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #notedAt = Number.NEGATIVE_INFINITY;
  #isProposing = false;

  constructor(options: EnsembleOptions, state: EnsembleState, view: EnsembleView) {
    this.#options = options;
    this.#state = state;
    this.#view = view;
  }

  /** Another member coordinates from now on, or none. */
  coordinated(): void {
    this.#isProposing = false;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    this.look();
  }

  /** Looks, where it is time: the coordinator keeps the table true. */
  look(): void {
    const now = this.#state.clock.now();
    if (!this.#state.coordinator.isHere || now - this.#lookedAt < upkeepMs) return;
    this.#lookedAt = now;
    this.#align();
    this.#giveWay();
    const table = this.#table();
    const { tree, proposals } = this.#state;
    const { limits } = this.#options;
    if (this.#isProposing || (this.#isTrue(table) && JSON.stringify(limits) === JSON.stringify(tree.limits))) return;
    this.#isProposing = true;
    const { term } = this.#state.coordinator;
    const done = (): void => {
      this.#isProposing = false;
    };
    const born = tree.ensemble.version === 0 && this.#options.rootAcl !== null && this.#view.canUse(3);
    const root = born ? ({ rootAcl: this.#options.rootAcl, format: 3 } as const) : {};
    proposals.add({ kind: "configure", table, limits, ...root }, done, () => this.#state.coordinator.isHereIn(term));
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
        const seen = row.id === member ? this.#view.facts : this.#view.peers.get(row.id)?.facts;
        return {
          ...row,
          isVoting: voters.includes(Number(row.id)),
          url: seen?.url ?? row.url,
          ...peerOf(seen, row),
          directory: row.directory ?? seen?.directory ?? null,
          isUp: seen !== undefined,
          ...readsOf(seen, row),
          ...this.#acknowledged(row),
        };
      });
    const cluster = this.#view.cluster === "" ? random.token() : this.#view.cluster;
    const version = Math.max(1, ensemble.version);
    const salt = ensemble.salt === undefined ? {} : { salt: ensemble.salt };
    const isSettled = this.#changes().length === 0 && !this.#isJoint;
    return { cluster, ...salt, version, leader: member, isSettled, ...this.#nextLeader(), members };
  }

  /** How far a member's directory has come, so that an older copy of it is known for one. */
  #acknowledged(row: MemberRow): Pick<MemberRow, "acknowledged"> {
    const index = Math.max(row.acknowledged ?? 0, this.#state.consensus.acknowledged(Number(row.id)));
    return index === 0 ? {} : { acknowledged: index };
  }

  /** True if the table that all share says this already, apart from a little that has been acknowledged since. */
  #isTrue(table: EnsembleTable): boolean {
    const { ensemble } = this.#state.tree;
    const now = this.#state.clock.now();
    if (now - this.#notedAt >= notedMs) {
      this.#notedAt = now;
      const noted = new Map(ensemble.members.map(({ id, acknowledged = 0 }) => [id, acknowledged]));
      if (table.members.some(({ id, acknowledged = 0 }) => acknowledged - (noted.get(id) ?? 0) >= notedEntries)) return false;
    }
    return withoutProgress(table) === withoutProgress(ensemble);
  }

  /** Who was named to lead, while that one still can, and does not. */
  #nextLeader(): Pick<EnsembleTable, "nextLeader"> {
    const { nextLeader } = this.#state.tree.ensemble;
    if (nextLeader === undefined || !this.#mayLead(nextLeader) || nextLeader === this.#options.member) return {};
    return { nextLeader };
  }

  #mayLead(id: string): boolean {
    const { tree, consensus } = this.#state;
    const row = tree.ensemble.members.find((one) => one.id === id);
    return row?.role === "voter" && row.isDrained !== true && row.isUp && consensus.members.voters.includes(Number(id));
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

  /** A member that is drained, or another than was named, does not go on leading where one that may is ready. */
  #giveWay(): void {
    const { tree, consensus } = this.#state;
    const { member } = this.#options;
    const { nextLeader, members } = tree.ensemble;
    const isDrained = members.find(({ id }) => id === member)?.isDrained === true;
    if (nextLeader === undefined && !isDrained) return;
    const wanted = nextLeader === undefined ? members.map(({ id }) => id) : [nextLeader];
    const ready = wanted.filter((id) => id !== member && this.#mayLead(id) && consensus.isCaughtUp(Number(id)));
    if (ready.length > 0) consensus.handOver(ready.map(Number));
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

/**
 * Where a member is reached. One that is started with another address than before has moved; else what the table says holds, because an
 * operator may have changed it.
 */
function peerOf(seen: PeerFacts | undefined, row: MemberRow): Pick<MemberRow, "peer" | "startPeer"> {
  const startPeer = seen?.startPeer ?? row.startPeer;
  if (startPeer === undefined) return { peer: row.peer || (seen?.peer ?? "") };
  const hasMoved = row.startPeer !== undefined && row.startPeer !== startPeer;
  return { peer: hasMoved ? startPeer : row.peer || (seen?.peer ?? ""), startPeer };
}

/** What a member said last that it reads: nothing is noted of a member that never said more than the oldest builds do. */
function readsOf(seen: PeerFacts | undefined, row: MemberRow): Pick<MemberRow, "reads"> {
  const reads = seen?.reads ?? row.reads ?? 0;
  return reads >= 3 ? { reads } : {};
}

function withoutProgress({ members, ...rest }: EnsembleTable): string {
  return JSON.stringify([rest, members.map(({ acknowledged: _, ...row }) => row)]);
}

/** Says who was added to the table and who was taken out of it. */
export function traceMembers(trace: Trace | null, before: EnsembleTable | null, now: EnsembleTable): void {
  if (trace === null || before === null || before.version === 0 || before.version === now.version) return;
  const idsOf = (table: EnsembleTable): readonly string[] => table.members.filter(isStaying).map(({ id }) => id);
  const [old, all] = [idsOf(before), idsOf(now)];
  const { version } = now;
  for (const id of all) if (!old.includes(id)) trace.tell({ kind: "member-added", id, version });
  for (const id of old) if (!all.includes(id)) trace.tell({ kind: "member-removed", id, version });
}
