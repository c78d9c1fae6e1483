/**
 * One run from a seed: a safety phase under faults, then a liveness phase in which everything has to come to rest.
 */

import { type EnsembleFaults, Prng, SimulatedEnsemble, type SimulatedMember, World } from "@copse/testing/simulation";
import { Invariants, Violation, violate } from "./checkers/invariants.ts";
import { verifyOutcomes } from "./checkers/outcomes.ts";
import { verifyStats } from "./checkers/stats.ts";
import { Nemesis } from "./nemesis.ts";
import { Workload } from "./workload.ts";

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
/** After healing, somebody has to lead within ten election timeouts of at most two seconds (L1). */
const electionMsMax = 20_000;
/** Replies that a session may keep at rest: an acknowledgement travels with the next write. */
const keptRepliesMax = 16;
/** How long some pairs stay cut at the end. */
const partedMs = 20_000;
const settlingMs = 2_000;

export async function runSeed(seed: number): Promise<RunReport> {
  const world = new World(seed);
  const { random } = world;
  const members = random.pick([3, 3, 5]);
  const faults = chooseFaults(world);
  const invariants = new Invariants(world);
  const ensemble = new SimulatedEnsemble(world, members, faults, invariants);
  invariants.ensemble = ensemble;
  // Two that follow members, and one that follows those; every eighth seed has them.
  if (seed % 8 === 2) addEdges(ensemble);
  const workload = new Workload(world, ensemble, invariants);
  const isAdministered = random.chance(0.5);
  const nemesis = new Nemesis(world, ensemble, isAdministered);
  let failure: string | null = null;
  try {
    for (const node of [...ensemble.nodes, ...ensemble.edges]) ensemble.start(node);
    workload.start(3, isAdministered);
    nemesis.start();
    // Some situations need seeds of their own; their chance draws from elsewhere, so that no other seed changes.
    if (seed % 4 === 0) nemesis.killNewLeaders(invariants, new Prng(seed));
    if (seed % 8 === 2) nemesis.troubleEdges(new Prng(seed));
    if (seed % 8 === 3) nemesis.strandLeaders(new Prng(seed));
    if (seed % 8 === 5) workload.keepSecrets(new Prng(seed));
    if (seed % 8 === 7) workload.keepNames(new Prng(seed));
    if (seed % 8 === 6) workload.haveBadHosts(new Prng(seed));
    const look = (): void => {
      ensemble.lookAtLinks();
      world.after(500, look);
    };
    look();
    await world.run(safetyMs, () => workload.failure !== null);
    if (workload.failure === null) {
      await settle(world, ensemble, workload, nemesis, invariants);
      if (seed % 4 === 1 && ensemble.nodes.every(({ isLost }) => !isLost)) await partInPart(world, ensemble, invariants);
    }
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
export function chooseFaults({ random }: World): EnsembleFaults {
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
    // One entry at a time, and no entry after a snapshot, meet situations that large ones hide.
    sizes: { appendUnitsMax: random.pick([1, 1e6, 1e6]), tailUnits: random.pick([0, 2_000, 1e7]) },
    // One delivery at a time does, too. It takes no chance of its own: a seed is the same story with and without.
    deliveriesMax: slowest === 20 ? 1 : 1_024,
  };
}

function addEdges(ensemble: SimulatedEnsemble): void {
  const members = ensemble.nodes.map(({ id }) => id);
  ensemble.addEdge("e1", members, 1.05);
  ensemble.addEdge("e2", [...members].reverse(), 0.95);
  ensemble.addEdge("e3", ["e1", "e2"]);
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
  if (!leads()) violate("L1", "nobody leads ten election timeouts after healing");
  workload.stop();
  // What a session asked that its client gave up may be carried out after the client's last word, so that not all are members at the end.
  const stayed = (): SimulatedMember[] =>
    ensemble.nodes.filter(({ id, isLost }) => !isLost && invariants.reference.ensemble.members.some((member) => member.id === id));
  const isAtRest = (): boolean => {
    if (workload.running > 0) return false;
    return [...stayed(), ...ensemble.edges].every(
      ({ member }) => member?.pending === 0 && member.tree.index === invariants.reference.index,
    );
  };
  await world.run(healedAt + livenessMs, () => isAtRest() || workload.failure !== null);
  if (workload.failure !== null) return;
  if (workload.running > 0) violate("L3", `${workload.running} clients do not come to an end`);
  if (!isAtRest())
    violate(
      "L3",
      `members do not come to one state: ${[...ensemble.nodes, ...ensemble.edges].map((node) => `${node.member?.tree.index} (${node.member?.pending} pending)`).join(", ")}`,
    );
  // What was committed last still travels to those who follow; sessions of clients that died may go on expiring meanwhile.
  await world.run(world.now + 3_000);
  for (let index = -1; index !== invariants.reference.index; ) {
    index = invariants.reference.index;
    await world.run(world.now + 200);
    await world.run(world.now + 5_000, isAtRest);
  }
  for (const node of [...stayed(), ...ensemble.edges]) if (node.isUp) invariants.compare(node);
  verifyBounds(ensemble);
  verifyOutcomes(workload.seen, invariants);
  verifyStats(invariants.happened, invariants.reference);
}

/** What is kept for clients goes once they are done with it (S18); the bounds while they are not are tests of the protocol. */
function verifyBounds(ensemble: SimulatedEnsemble): void {
  for (const node of [...ensemble.nodes, ...ensemble.edges]) {
    if (node.member === null) continue;
    const { figures, tree } = node.member;
    const open = ensemble.connectionsOf(node);
    if (figures.connections !== open) violate("S18", `member ${node.id} holds ${figures.connections} connections of ${open}`);
    for (const { id, replies } of tree.sessions.values()) {
      if (replies.length > keptRepliesMax) violate("S18", `session ${id} keeps ${replies.length} replies that its client has`);
    }
  }
}

/**
 * Cuts some pairs for good, while a majority stays connected: the term settles within two leaders, and within two changes after the
 * first elections (L2). Members outside it may reach any of those within.
 */
async function partInPart(world: World, ensemble: SimulatedEnsemble, invariants: Invariants): Promise<void> {
  const { random } = world;
  const majority = Math.floor(ensemble.nodes.length / 2) + 1;
  const ids = ensemble.nodes.map(({ id }) => id).sort(() => random.next() - 0.5);
  const term = (): number => Math.max(...ensemble.nodes.map(({ member }) => member?.order.raft.term ?? 0));
  for (const [at, one] of ids.entries()) {
    for (const other of ids.slice(Math.max(at + 1, majority))) {
      if (random.chance(0.5)) continue;
      const isNoticed = random.chance(0.5);
      ensemble.cut(one, other, isNoticed);
      ensemble.cut(other, one, isNoticed);
    }
  }
  // Those who notice at once stand at once, and how often they split the votes is chance: who won counts from the cut on, changes after that.
  const connected = ids.slice(0, majority).join(", ");
  const atCut = term();
  await world.run(world.now + settlingMs);
  const settled = term();
  await world.run(world.now + partedMs - settlingMs);
  const elected = [...invariants.leaders.keys()].filter((won) => won > atCut).length;
  if (elected > 2) violate("L2", `${elected} leaders were elected while ${connected} were connected`);
  const changes = term() - settled;
  if (changes > 2) violate("L2", `the term changed ${changes} times while ${connected} were connected`);
  const leads = ensemble.nodes.some(({ member }) => member?.order.coordinates === true);
  if (!leads) violate("L2", "nobody leads, while a majority is connected");
}
