/**
 * One run from a seed: a safety phase under faults, then a liveness phase in which everything has to come to rest.
 */
import { Invariants, Violation, violate } from "./checkers/invariants.ts";
import { type EnsembleFaults, SimulatedEnsemble } from "./ensemble.ts";
import { Workload } from "./workload.ts";
import { Prng, World } from "./world.ts";

export interface RunReport {
  readonly seed: number;
  readonly members: number;
  /** Simulated milliseconds. */
  readonly simulatedMs: number;
  readonly events: number;
  readonly operations: number;
  readonly entries: number;
  readonly terms: number;
  /** How often each fault was made. */
  readonly faults: Readonly<Record<string, number>>;
  /** What was violated, or null. */
  readonly failure: string | null;
}

const safetyMs = 16_000;
/** What the liveness phase may take: elections, reconnects with their back-off, waits, catching up. */
const livenessMs = 60_000;
/** Behind healing, somebody has to lead within ten election timeouts of at most two seconds (L1). */
const electionMsMax = 20_000;

export async function runSeed(seed: number): Promise<RunReport> {
  const world = new World(seed);
  const { random } = world;
  const members = random.pick([3, 3, 5]);
  const faults = chooseFaults(world);
  const invariants = new Invariants(world);
  const ensemble = new SimulatedEnsemble(world, members, faults, invariants);
  invariants.ensemble = ensemble;
  const workload = new Workload(world, ensemble, invariants);
  const isAdministered = random.chance(0.5);
  const nemesis = new Nemesis(world, ensemble, isAdministered);
  let failure: string | null = null;
  try {
    for (const node of ensemble.nodes) ensemble.start(node);
    workload.start(3, isAdministered);
    nemesis.start();
    if (seed % 4 === 0) nemesis.killNewLeaders(invariants, new Prng(seed));
    const look = (): void => {
      ensemble.lookAtLinks();
      world.after(500, look);
    };
    look();
    await world.run(safetyMs, () => workload.failure !== null);
    if (workload.failure === null) await settle(world, ensemble, workload, nemesis, invariants);
    if (workload.failure !== null) throw workload.failure;
  } catch (error) {
    failure = error instanceof Violation ? error.message : `unexpected: ${(error as Error).stack ?? String(error)}`;
  }
  return {
    seed,
    members,
    simulatedMs: Math.round(world.now),
    events: world.events,
    operations: workload.ended,
    entries: invariants.committed.length,
    terms: invariants.leaders.size,
    faults: nemesis.counts,
    failure,
  };
}

/** Each class of faults is on or off, and how often it strikes is random too. */
function chooseFaults({ random }: World): EnsembleFaults {
  const some = (most: number): number => (random.chance(0.5) ? random.next() * most : 0);
  const slowest = random.pick([2, 5, 20]);
  return {
    delayMs: [0.1, slowest],
    loss: some(0.03),
    duplication: some(0.03),
    reordering: some(0.05),
    diskLatencyMsMax: random.pick([0.5, 3, 15]),
    diskStalls: some(0.004),
    diskErrors: some(0.0006),
    drift: random.chance(0.5) ? 0.09 : 0,
    snapshotLogBytes: random.pick([4_000, 20_000, 1e7]),
    // One entry at a time, and no entry behind a snapshot, meet situations that large ones hide.
    sizes: { appendUnitsMax: random.pick([1, 1e6, 1e6]), tailUnits: random.pick([0, 2_000, 1e7]) },
  };
}

/** Everything works from now on: everybody has to come to rest, in one state. */
async function settle(
  world: World,
  ensemble: SimulatedEnsemble,
  workload: Workload,
  nemesis: Nemesis,
  invariants: Invariants,
): Promise<void> {
  nemesis.stop();
  const healedAt = world.now;
  const leads = (): boolean => ensemble.nodes.some((node) => node.member?.order.coordinates === true);
  await world.run(healedAt + electionMsMax, leads);
  if (!leads()) violate("L1", "nobody leads ten election timeouts behind healing");
  workload.stop();
  const isAtRest = (): boolean => {
    const left = ensemble.nodes.filter(({ isLost }) => !isLost);
    const indexes = new Set(left.map((node) => node.member?.tree.index));
    const isIdle = left.every((node) => node.member !== null && node.member.figures.pending === 0);
    return workload.running === 0 && isIdle && indexes.size === 1 && [...indexes][0] === invariants.reference.index;
  };
  await world.run(healedAt + livenessMs, () => isAtRest() || workload.failure !== null);
  if (workload.failure !== null) return;
  if (workload.running > 0) violate("L3", `${workload.running} clients do not come to an end`);
  if (!isAtRest()) violate("L3", `members do not come to one state: ${ensemble.nodes.map((node) => node.member?.tree.index).join(", ")}`);
  // What was committed last still travels to those who follow; sessions of clients that died may go on expiring meanwhile.
  await world.run(world.now + 3_000);
  for (let index = -1; index !== invariants.reference.index; ) {
    index = invariants.reference.index;
    await world.run(world.now + 200);
    await world.run(world.now + 5_000, isAtRest);
  }
  for (const node of ensemble.nodes) if (node.isUp) invariants.compare(node);
  workload.verify();
}

/** Makes faults, each class as often as chance says. */
class Nemesis {
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

  stop(): void {
    this.#isOver = true;
    this.#ensemble.isRough = false;
    this.#ensemble.heal();
    for (const node of this.#ensemble.nodes) {
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

  /** A crash right behind a promise. */
  #doom(): string {
    const node = this.#world.random.pick(this.#ensemble.nodes);
    node.isDoomed = true;
    this.#world.after(this.#world.random.between(500, 3_000), () => {
      node.isDoomed = false;
      this.#ensemble.start(node);
    });
    return "crash behind a promise";
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
    this.#ensemble.pause(random.pick(this.#ensemble.nodes), random.between(100, 6_000));
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
