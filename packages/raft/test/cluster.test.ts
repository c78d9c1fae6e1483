/**
 * Clusters of bare cores under random loss, delay, repetition, crashes and membership changes, from a seed: the invariants of
 * SPEC.md hold at every step, and once the network is whole the cluster goes on.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Configuration, type Entry, emptyConfiguration, type HardState, type SnapshotHead } from "../src/entry.ts";
import type { Message } from "../src/message.ts";
import { MembershipError } from "../src/quorum/membership.ts";
import { Raft } from "../src/raft.ts";

interface Disk {
  hardState: HardState;
  entries: Entry[];
  snapshot: SnapshotHead;
}

class Member {
  readonly id: number;
  readonly disk: Disk;
  readonly random: (below: number) => number;
  readonly isChecking: boolean;
  raft!: Raft;

  constructor(id: number, disk: Disk, random: (below: number) => number, isChecking: boolean) {
    this.isChecking = isChecking;
    this.id = id;
    this.disk = disk;
    this.random = random;
    this.start();
  }

  /** Starts from what is on disk: applied state is the snapshot's and comes again. */
  start(): void {
    const { hardState, entries, snapshot } = this.disk;
    const options = {
      id: this.id,
      electionTicks: 10,
      heartbeatTicks: 1,
      appendBytesMax: 200,
      applyBytesMax: 300,
      uncommittedBytesMax: 10_000,
      window: { countMax: 4, bytesMax: 0 },
      // Without a check of the quorum a leader that is cut off goes on believing: its reads have to find out.
      checksQuorum: this.isChecking,
      preVotes: this.isChecking,
      reads: "safe" as const,
      // A leader that leaves goes on until others can lead: one that stepped down at once could hold entries that
      // nobody can be elected without. (A host hands over first.)
      stepsDownOnRemoval: false,
      skipsChangeValidation: false,
      random: this.random,
      snapshot: () => this.disk.snapshot,
    };
    this.raft = new Raft(options, { hardState, base: snapshot, configuration: snapshot.configuration, entries });
  }
}

class Cluster {
  readonly members: Member[] = [];
  readonly messages: Message[] = [];
  readonly leaders = new Map<number, number>();
  readonly committed = new Map<number, string>();
  readonly #random: (below: number) => number;
  proposed = 0;
  /** Highest commit known anywhere when a read was asked, by context. */
  readonly asked = new Map<string, number>();

  constructor(seed: number, voters: number, total: number) {
    let state = seed >>> 0 || 1;
    this.#random = (below) => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % below;
    };
    const ids = Array.from({ length: voters }, (_, at) => at + 1);
    for (let id = 1; id <= total; id++) {
      const configuration: Configuration = id <= voters ? { ...emptyConfiguration, voters: ids } : emptyConfiguration;
      const snapshot = id <= voters ? { index: 1, term: 1, configuration } : { index: 0, term: 0, configuration };
      this.members.push(
        new Member(id, { hardState: { term: 0, vote: 0, commit: snapshot.index }, entries: [], snapshot }, this.#random, seed % 2 === 0),
      );
    }
  }

  below(bound: number): number {
    return this.#random(bound);
  }

  leader(): Member | undefined {
    return this.members.filter(({ raft }) => raft.role === "leader").sort((a, b) => b.raft.term - a.raft.term)[0];
  }

  process(member: Member): void {
    const { raft, disk } = member;
    while (raft.hasReady) {
      const before = disk.hardState;
      const ready = raft.ready();
      this.messages.push(...ready.messages);
      if (ready.hardState !== null) {
        const { term, vote, commit } = ready.hardState;
        expect(term).toBeGreaterThanOrEqual(before.term);
        expect(commit).toBeGreaterThanOrEqual(before.commit);
        if (term === before.term && before.vote !== 0) expect(vote).toBe(before.vote);
        disk.hardState = ready.hardState;
      }
      if (ready.snapshot !== null) {
        disk.snapshot = ready.snapshot;
        disk.entries = [];
      }
      for (const entry of ready.entries) {
        disk.entries = disk.entries.filter(({ index }) => index < entry.index);
        disk.entries.push(entry);
      }
      this.messages.push(...ready.messagesAfterStore);
      for (const entry of ready.committed) this.#apply(member, entry);
      for (const { context, index } of ready.reads) {
        expect(index).toBeGreaterThanOrEqual(this.asked.get(context)!);
      }
      raft.advance();
      if (disk.snapshot.index >= raft.log.firstIndex) raft.log.compact(Math.min(disk.snapshot.index, raft.log.applied));
    }
    if (raft.role !== "leader") return;
    const known = this.leaders.get(raft.term);
    expect(known ?? member.id).toBe(member.id);
    this.leaders.set(raft.term, member.id);
  }

  #apply(member: Member, entry: Entry): void {
    const text = JSON.stringify([entry.term, entry.payload, entry.change]);
    expect(this.committed.get(entry.index) ?? text).toBe(text);
    this.committed.set(entry.index, text);
    let { configuration } = member.disk.snapshot;
    if (entry.change !== null) {
      try {
        configuration = member.raft.applyChange(entry.change);
      } catch (error) {
        expect(error).toBeInstanceOf(MembershipError);
      }
      this.#compact(member, entry, configuration);
    } else if (this.below(12) === 0) this.#compact(member, entry, this.#now(member));
  }

  #now({ raft }: Member): Configuration {
    const { voters, learners, learnersNext, autoLeave } = raft.members;
    const list = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);
    return { voters: list(voters[0]), outgoing: list(voters[1]), learners: list(learners), learnersNext: list(learnersNext), autoLeave };
  }

  /** A snapshot of the state after an entry; the log before it goes once it is applied. */
  #compact(member: Member, entry: Entry, configuration: Configuration): void {
    member.disk.snapshot = { index: entry.index, term: entry.term, configuration };
    member.disk.entries = member.disk.entries.filter(({ index }) => index > entry.index);
  }

  /** Members on one side of a partition; nothing crosses. */
  #side: ReadonlySet<number> = new Set();

  deliver(at: number): void {
    const crossing = this.messages[at];
    if (crossing !== undefined && this.#side.has(crossing.from) !== this.#side.has(crossing.to)) return this.#lose(at, 1);
    const [message] = this.messages.splice(at, 1);
    if (message === undefined) return;
    const to = this.members[message.to - 1];
    if (to === undefined) return;
    to.raft.step(message);
    this.process(to);
    if (message.kind === "snapshot") this.members[message.from - 1]!.raft.reportSnapshot(message.to, true);
  }

  /** Logs agree: who has an entry of a term at an index has the same log up to there. */
  checkLogs(): void {
    for (const [at, one] of this.members.entries()) {
      for (const other of this.members.slice(at + 1)) {
        const from = Math.max(one.raft.log.firstIndex, other.raft.log.firstIndex);
        let hasMatched = false;
        for (let index = Math.min(one.raft.log.lastIndex, other.raft.log.lastIndex); index >= from; index--) {
          const isSame = one.raft.log.term(index) === other.raft.log.term(index);
          if (hasMatched) expect(isSame).toBe(true);
          hasMatched ||= isSame;
        }
      }
    }
  }

  /** A snapshot that does not arrive is reported, as a host has to: nothing else is sent to its member meanwhile. */
  #lose(at: number, count: number): void {
    for (const { kind, from, to } of this.messages.splice(at, count))
      if (kind === "snapshot") this.members[from - 1]!.raft.reportSnapshot(to, false);
  }

  crash(member: Member): void {
    for (let at = this.messages.length - 1; at >= 0; at--)
      if (this.messages[at]!.to === member.id && this.below(2) === 0) this.#lose(at, 1);
    member.start();
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const member = this.members[this.below(this.members.length)]!;
      const what = this.below(100);
      if (this.below(80) === 0) this.#side = new Set(this.members.filter(() => this.below(2) === 0).map(({ id }) => id));
      if (what < 40) this.deliver(this.below(Math.min(8, this.messages.length || 1)));
      else if (what < 45) this.#lose(this.below(this.messages.length || 1), 1);
      else if (what < 48 && this.messages.length > 0) this.messages.push(this.messages[this.below(this.messages.length)]!);
      else if (what < 78) member.raft.tick();
      else if (what < 90) member.raft.propose(`p${++this.proposed}`);
      else if (what < 92) this.crash(member);
      else if (what < 95) this.#read(member);
      else if (what < 97) this.#change(member);
      else if (what === 97) member.raft.transferLeadership(1 + this.below(this.members.length));
      this.process(member);
      if (this.messages.length > 300) this.#lose(0, 100);
    }
    this.checkLogs();
  }

  #read(member: Member): void {
    const context = `r${this.asked.size}`;
    this.asked.set(context, Math.max(...[...this.committed.keys(), 0]));
    member.raft.read(context);
  }

  #change(member: Member): void {
    const id = 1 + this.below(this.members.length);
    const kinds = ["add-voter", "add-voter", "add-learner", "remove"] as const;
    const changes = Array.from({ length: 1 + this.below(2) }, (_, at) => ({
      kind: kinds[this.below(4)]!,
      member: ((id + at - 1) % this.members.length) + 1,
    }));
    member.raft.proposeChange({ transition: "auto", changes });
  }

  /** A whole network and steady clocks: within so many rounds somebody leads and a proposal is committed. */
  heal(rounds: number): boolean {
    const before = Math.max(...this.committed.keys(), 0);
    this.#side = new Set();
    for (let round = 0; round < rounds; round++) {
      for (const member of this.members) {
        member.raft.tick();
        // A leader that is no voter any more hands over: that is its host's duty.
        const [voter] = member.raft.members.voters[0];
        if (member.raft.role === "leader" && voter !== undefined && !member.raft.members.voters[0].has(member.id)) {
          member.raft.transferLeadership(voter);
        }
        this.process(member);
      }
      while (this.messages.length > 0) this.deliver(0);
      this.leader()?.raft.propose(`healed ${round}`);
      const leader = this.leader();
      if (leader !== undefined) this.process(leader);
      if (Math.max(...this.committed.keys(), 0) > before + 3 && this.leader() !== undefined) return true;
    }
    return false;
  }
}

describe("a cluster of bare cores", () => {
  it("[R1] [R2] [R3] [R4] [R5] [R9] is safe under every fault, and goes on once the network is whole", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.constantFrom(1, 3, 5), async (seed, voters) => {
        const cluster = new Cluster(seed, voters, voters);
        for (let phase = 0; phase < 6; phase++) await cluster.run(250);
        expect(cluster.heal(400)).toBe(true);
        cluster.checkLogs();
      }),
      { numRuns: 60 },
    );
  });

  it("[R7] [R8] is safe while members come, go and change their role, snapshots included", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 - 1 }), async (seed) => {
        const cluster = new Cluster(seed, 3, 6);
        for (let phase = 0; phase < 8; phase++) await cluster.run(300);
        cluster.checkLogs();
      }),
      { numRuns: 60 },
    );
  });
});
