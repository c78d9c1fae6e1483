/**
 * What goes wrong: crashes, pauses, partitions, damage, each class as often as the seed's chance says.
 */

import type { Prng, SimulatedEnsemble, World } from "@copse/testing/simulation";
import type { Invariants } from "./checkers/invariants.ts";

/** Entries that a stranded leader gets, at most. With many more, lost and reordered messages of one entry each are what most of a run is about. */
const strandedEntriesMax = 50;

/** Makes faults, each class as often as chance says. */
export class Nemesis {
  readonly counts: Record<string, number> = {};
  readonly #world: World;
  readonly #ensemble: SimulatedEnsemble;
  readonly #kinds: readonly (() => string)[];
  #isOver = false;
  #hasRotted = false;

  constructor(world: World, ensemble: SimulatedEnsemble, isAdministered: boolean) {
    this.#world = world;
    this.#ensemble = ensemble;
    const { random } = world;
    const all = [
      () => this.#crash(),
      () => this.#crash(),
      () => this.#crashAll(),
      () => this.#pause(),
      () => this.#partition(),
      () => this.#partition(),
      () => this.#oneWay(),
      () => this.#heal(),
      () => this.#heal(),
      () => this.#handOver(),
      () => this.#breakClients(),
      () => this.#jumpWall(),
      () => this.#doom(),
      () => this.#doom(),
      // Where members leave as well, the damaged one could be needed.
      ...(isAdministered ? [] : [() => this.#rot()]),
    ];
    this.#kinds = all.filter(() => random.chance(0.6));
  }

  start(): void {
    const strike = (): void => {
      if (this.#isOver) return;
      if (this.#kinds.length > 0) {
        const name = this.#world.random.pick(this.#kinds)();
        this.counts[name] = (this.counts[name] ?? 0) + 1;
      }
      this.#world.after(this.#world.random.between(100, 2_500), strike);
    };
    this.#world.after(1_500, strike);
  }

  /** Kills who has just begun to lead: what it has replicated so far is on few logs. Every fourth seed does this too. */
  killNewLeaders(invariants: Invariants, random: Prng): void {
    invariants.onLeader = (node) => {
      const { life } = node;
      if (this.#isOver || random.chance(0.3)) return;
      this.#world.after(random.between(0.5, 40), () => {
        if (this.#isOver || node.life !== life) return;
        this.counts["death of a new leader"] = (this.counts["death of a new leader"] ?? 0) + 1;
        this.#ensemble.crash(node);
        this.#world.after(random.between(20, 400), () => this.#ensemble.start(node));
      });
    };
  }

  /** Parts a leader from all others while it is given a long tail that nobody else will have. Every eighth seed does this too. */
  strandLeaders(random: Prng): void {
    const strand = (): void => {
      if (this.#isOver) return;
      this.#world.after(random.between(1_000, 3_000), strand);
      const leader = this.#ensemble.nodes.find((node) => node.member?.order.raft.role === "leader");
      if (leader === undefined || this.#world.now < leader.pausedUntil) return;
      for (const { id } of this.#ensemble.nodes) {
        if (id === leader.id) continue;
        this.#ensemble.cut(id, leader.id, true);
        this.#ensemble.cut(leader.id, id, true);
      }
      for (let count = random.below(strandedEntriesMax); count > 0; count--) leader.member!.order.propose("");
      leader.member!.submit({ kind: "tick" });
      this.counts["stranded leader"] = (this.counts["stranded leader"] ?? 0) + 1;
      this.#world.after(random.between(200, 4_000), () => this.#ensemble.heal());
    };
    strand();
  }

  /** Ends edges, stops them, and parts them from one of those whom they may follow. */
  troubleEdges(random: Prng): void {
    const { edges } = this.#ensemble;
    const strike = (): void => {
      if (this.#isOver) return;
      this.#world.after(random.between(200, 2_500), strike);
      const edge = random.pick(edges);
      const feeder = random.pick(edge.feeders!);
      const trouble = random.pick([
        ["death of an edge", () => this.#ensemble.crash(edge)],
        ["pause of an edge", () => edge.pause(random.between(100, 6_000))],
        [
          "cut of an edge",
          () => [edge.id, feeder].forEach((id, at, both) => void this.#ensemble.cut(id, both[1 - at]!, random.chance(0.5))),
        ],
        ["heal", () => this.#ensemble.heal()],
      ] as const);
      trouble[1]();
      this.counts[trouble[0]] = (this.counts[trouble[0]] ?? 0) + 1;
      this.#world.after(random.between(20, 3_000), () => this.#ensemble.start(edge));
    };
    strike();
  }

  stop(): void {
    this.#isOver = true;
    this.#ensemble.isRough = false;
    this.#ensemble.heal();
    for (const node of [...this.#ensemble.nodes, ...this.#ensemble.edges]) {
      node.pausedUntil = 0;
      node.isDoomed = false;
      node.disk.faults = { latencyMsMax: node.disk.faults.latencyMsMax, stalls: 0, errors: 0 };
      this.#ensemble.start(node);
    }
  }

  #restartSoon(node: SimulatedEnsemble["nodes"][number]): void {
    this.#world.after(this.#world.random.between(20, 3_000), () => this.#ensemble.start(node));
  }

  #crash(): string {
    const node = this.#world.random.pick(this.#ensemble.nodes);
    this.#ensemble.crash(node);
    this.#restartSoon(node);
    return "crash";
  }

  #crashAll(): string {
    for (const node of this.#ensemble.nodes) {
      this.#ensemble.crash(node);
      this.#restartSoon(node);
    }
    return "crash of all";
  }

  /** A crash right after a promise. */
  #doom(): string {
    const node = this.#world.random.pick(this.#ensemble.nodes);
    node.isDoomed = true;
    this.#world.after(this.#world.random.between(500, 3_000), () => {
      node.isDoomed = false;
      this.#ensemble.start(node);
    });
    return "crash after a promise";
  }

  /** A damaged log: once, so that a quorum has what it had. */
  #rot(): string {
    const node = this.#world.random.pick(this.#ensemble.nodes);
    if (this.#hasRotted || !node.disk.rot()) return "nothing to damage";
    this.#hasRotted = true;
    node.isRotten = true;
    this.#ensemble.crash(node);
    this.#restartSoon(node);
    return "damaged log";
  }

  #pause(): string {
    const { random } = this.#world;
    random.pick(this.#ensemble.nodes).pause(random.between(100, 6_000));
    return "pause";
  }

  #partition(): string {
    const { random } = this.#world;
    const ids = this.#ensemble.nodes.map(({ id }) => id);
    const side = new Set(ids.filter(() => random.chance(0.5)));
    const isNoticed = random.chance(0.5);
    for (const from of ids) for (const to of ids) if (side.has(from) !== side.has(to)) this.#ensemble.cut(from, to, isNoticed);
    return "partition";
  }

  #oneWay(): string {
    const { random } = this.#world;
    const [from, to] = [random.pick(this.#ensemble.nodes).id, random.pick(this.#ensemble.nodes).id];
    if (from !== to) this.#ensemble.cut(from, to, false);
    return "one-way cut";
  }

  #heal(): string {
    this.#ensemble.heal();
    return "heal";
  }

  #handOver(): string {
    for (const { member } of this.#ensemble.nodes) member?.handOver();
    return "hand-over";
  }

  #breakClients(): string {
    for (let count = this.#world.random.below(3); count >= 0; count--) this.#ensemble.breakOne();
    return "broken connections";
  }

  #jumpWall(): string {
    this.#world.random.pick(this.#ensemble.nodes).wallOffset = this.#world.random.between(-3_600_000, 3_600_000);
    return "wall clock jump";
  }
}
