/**
 * The recipes under the simulator's faults: clients on clocks of their own use them as users would, while members crash, links break
 * and sessions are lost.
 *
 * At every grant: no more holders whose signals are unaborted than the recipe allows, and tokens that grow. At the end, when all is
 * healed: nobody sleeps for ever, no ephemeral of a client that has left remains, who is kept present is listed, each job is done,
 * and whoever has lost its place is refused its guarded writes.
 */
import { Copse, isCopseError } from "@copse/client";
import { counter } from "@copse/recipes/counter";
import { doubleBarrier } from "@copse/recipes/double-barrier";
import { election } from "@copse/recipes/election";
import { lock } from "@copse/recipes/lock";
import { multiLock } from "@copse/recipes/multi-lock";
import { readLock, writeLock } from "@copse/recipes/read-write-lock";
import { semaphore } from "@copse/recipes/semaphore";
import { type Job, workQueue } from "@copse/recipes/work-queue";
import { type Prng, SimulatedEnsemble, World } from "@copse/testing/simulation";
import { Violation, violate } from "./checkers/invariants.ts";
import { Nemesis } from "./nemesis.ts";
import { Registries } from "./registries.ts";
import { chooseFaults, type RunReport } from "./run.ts";

interface Holding {
  readonly token: number;
  readonly signal: AbortSignal;
  readonly guard: Parameters<Copse["set"]>[2] extends { guard?: infer Guards } | undefined ? Guards : never;
  close(): Promise<void>;
}

const faultsMs = 14_000;
const healedMs = 90_000;
const clientsOfEach = 3;
const jobsOfEach = 6;
/** Who was lost holds the takers' turn until a coordinator that may be new, and counts from the start, gives its session up. */
const lastJobsWaitMs = 20_000;

export async function runRecipes(seed: number): Promise<RunReport> {
  const world = new World(seed);
  const nobody = { turned: () => {}, sent: () => {}, toServer: () => {}, toClient: () => {} };
  const ensemble = new SimulatedEnsemble(world, 3, chooseFaults(world), nobody);
  const nemesis = new Nemesis(world, ensemble, false);
  const run = new Run(world, ensemble);
  let failure: string | null = null;
  try {
    for (const node of ensemble.nodes) ensemble.start(node);
    run.start();
    nemesis.start();
    const look = (): void => {
      ensemble.lookAtLinks();
      world.after(500, look);
    };
    look();
    await world.run(faultsMs, () => run.failure !== null);
    nemesis.stop();
    run.stop();
    await world.run(world.now + healedMs, () => run.failure !== null || run.running.size === 0);
    if (run.failure !== null) throw run.failure;
    if (run.running.size > 0) violate("recipes", `these sleep for ever: ${[...run.running].join(", ")}`);
    // Sessions that were lost, not closed, go in their own time, and a new coordinator counts it anew.
    await world.run(world.now + 20_000);
    run.verify();
  } catch (error) {
    failure = error instanceof Violation ? error.message : `unexpected: ${(error as Error).stack ?? String(error)}`;
  }
  const { events, now } = world;
  const figures = { members: 3, simulatedMs: Math.round(now), events, operations: run.grants, entries: 0, terms: 0 };
  return { seed, ...figures, faults: nemesis.counts, failure };
}

class Run {
  readonly #world: World;
  readonly #random: Prng;
  readonly #ensemble: SimulatedEnsemble;
  readonly #holders: Map<string, Set<AbortSignal>> = new Map();
  readonly #writers: Map<string, AbortSignal> = new Map();
  readonly #tokens: Map<string, number> = new Map();
  /** Rounds of the double barrier: who is inside. */
  readonly #inside: Map<number, Set<{ signal: AbortSignal; hasLeft: boolean }>> = new Map();
  readonly #done: Map<string, number> = new Map();
  /** Jobs whose `put` or `done` has an unknown outcome. */
  #unknown = 0;
  #put = 0;
  #added = { least: 0, most: 0 };
  #isOver = false;
  readonly running: Set<string> = new Set();
  grants = 0;
  failure: Error | null = null;

  constructor(world: World, ensemble: SimulatedEnsemble) {
    this.#world = world;
    this.#random = world.random;
    this.#ensemble = ensemble;
  }

  start(): void {
    const registries = new Registries({
      clients: clientsOfEach,
      isOver: () => this.#isOver,
      now: () => this.#world.now,
      pause: (least, most) => this.#pause(least, most),
      repeat: (work) => this.#repeat(work),
      granted: () => this.grants++,
    });
    const kinds: Record<string, (copse: Copse, name: string) => Promise<void>> = {
      lock: (copse) => this.#contend("lock", 1, () => lock(copse, "/lock"), copse),
      "multi-lock": (copse) => this.#contend("multi-lock", 1, () => multiLock(copse, ["/m/b", "/m/a"]), copse),
      semaphore: (copse) => this.#contend("semaphore", 2, () => semaphore(copse, "/semaphore", { permits: 2 }), copse),
      "read-write lock": (copse) => this.#shareOrWrite(copse),
      election: (copse) => this.#campaign(copse),
      "double barrier": (copse) => this.#meet(copse),
      "work queue": (copse) => this.#work(copse),
      counter: (copse) => this.#add(copse),
      group: (copse, name) => registries.join(copse, name),
      service: (copse, name) => registries.register(copse, name),
      presence: (copse, name) => registries.appear(copse, name),
      barrier: (copse, name) => registries.pass(copse, name),
      "tree cache": (copse, name) => registries.keep(copse, name),
    };
    // Three at a time, or nobody would get much done.
    const names = Object.keys(kinds);
    for (let count = 0; count < 3; count++) {
      const [name] = names.splice(this.#random.below(names.length), 1) as [string];
      for (let number = 0; number < clientsOfEach; number++) this.#run(`${name} ${number}`, kinds[name]!);
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  /** What must be so when everybody has left. */
  verify(): void {
    const { tree } = this.#ensemble.nodes.find(({ member }) => member?.order.coordinates === true)?.member ?? violate("L1", "nobody leads");
    for (const session of tree.sessions.values()) {
      const paths = [...session.ephemerals.after(null)];
      if (paths.length > 0) violate("recipes", `ghosts: ${paths.join(", ")}`);
    }
    const left = tree.find("/queue/jobs")?.numChildren ?? 0;
    if (left > this.#unknown) violate("recipes", `${left} jobs are left`);
    if (this.#done.size < this.#put - this.#unknown) violate("recipes", `${this.#done.size} jobs of ${this.#put} were done`);
    const sum = Number(JSON.parse(tree.find("/counter")?.value?.json ?? "0"));
    const { least, most } = this.#added;
    if (sum < least || sum > most) violate("recipes", `the counter is at ${sum}, not ${least} to ${most}`);
  }

  #run(name: string, work: (copse: Copse, name: string) => Promise<void>): void {
    this.running.add(name);
    const ports = this.#ensemble.clientPorts(this.#random.between(0.92, 1.08));
    const urls = this.#ensemble.nodes.map(({ id }) => `ws://member-${id}`);
    const copse = new Copse(urls, { sessionTimeoutMs: this.#random.pick([3_000, 4_000, 6_000]), ports });
    const { clients } = this.#ensemble;
    const silence = (): void => {
      if (this.#isOver) return;
      // Its network goes away, and nobody is told.
      clients.hold(ports);
      this.#world.after(this.#random.between(200, 6_000), () => clients.release(ports));
      this.#world.after(this.#random.between(3_000, 12_000), silence);
    };
    this.#world.after(this.#random.between(2_000, 12_000), silence);
    work(copse, name)
      .catch((error: unknown) => {
        this.failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(async () => {
        await copse.close();
        this.running.delete(name);
      });
  }

  #pause(least: number, most: number): Promise<void> {
    return new Promise((resolve) => void this.#world.after(this.#random.between(least, most), resolve));
  }

  /** Does `work` until the run is over; what fails for the client's sake is tried again. */
  async #repeat(work: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        await work();
      } catch (error) {
        if (!isCopseError(error)) throw error;
      }
      await this.#pause(1, 80);
    }
  }

  #grant(name: string, most: number, { signal, token }: { signal: AbortSignal; token: number }, isOrdered: boolean): () => void {
    const holders = this.#holders.get(name) ?? new Set();
    this.#holders.set(name, holders);
    for (const other of holders) if (other.aborted) holders.delete(other);
    if (!signal.aborted) holders.add(signal);
    if (holders.size > most) violate("S19", `${holders.size} hold ${name} at once`);
    const last = this.#tokens.get(name) ?? 0;
    // Leases of a semaphore are granted one after the other, but their replies may pass each other.
    if (isOrdered && token <= last) violate("S19", `the tokens of ${name} do not grow: ${token} after ${last}`);
    this.#tokens.set(name, Math.max(last, token));
    this.grants++;
    return () => void holders.delete(signal);
  }

  async #contend(name: string, most: number, take: () => Promise<Holding>, copse: Copse): Promise<void> {
    await this.#repeat(async () => this.#hold(name, most, await take(), copse));
  }

  async #hold(name: string, most: number, held: Holding, copse: Copse): Promise<void> {
    const leave = this.#grant(name, most, held, most === 1);
    const session = copse.sessionSignal;
    // Some hold for so long that their session may be lost meanwhile.
    await this.#pause(1, this.#random.chance(0.15) ? 7_000 : 300);
    if (this.#random.chance(0.3)) await copse.create("/guarded", null, { guard: held.guard, timeoutMs: 2_000 }).catch(unlessCopse);
    leave();
    const wasLost = held.signal.aborted;
    await held.close();
    const isLost = wasLost || session.aborted;
    if (this.#isOver || this.#random.chance(0.7)) return;
    await this.#pause(1, 2_000);
    // Whoever has given its place up is refused, and whoever has lost it to another. Its session may outlive what its client knows.
    if (isLost && (most > 1 || this.#tokens.get(name) === held.token)) return;
    const error = await copse.set("/", null, { guard: held.guard, timeoutMs: 5_000 }).catch((refusal: unknown) => refusal);
    if (!isCopseError(error)) violate("recipes", `a guard of ${name} held after its end: ${JSON.stringify(error)}`);
  }

  async #shareOrWrite(copse: Copse): Promise<void> {
    const name = "read-write lock";
    await this.#repeat(async () => {
      if (this.#random.chance(0.6)) {
        const reader = await readLock(copse, "/rw");
        const writer = this.#writers.get(name);
        if (writer !== undefined && !writer.aborted && !reader.signal.aborted) violate("S19", "somebody reads while another writes");
        await this.#hold(name, clientsOfEach, reader, copse);
        return;
      }
      const writer = await writeLock(copse, "/rw");
      const leave = this.#grant(name, 1, writer, false);
      this.#writers.set(name, writer.signal);
      await this.#pause(1, 200);
      leave();
      if (this.#random.chance(0.5)) return writer.close();
      const reader = await writer.downgrade().catch(async (error: unknown) => {
        await writer.close();
        throw error;
      });
      await this.#hold(name, clientsOfEach, reader, copse);
    });
  }

  async #campaign(copse: Copse): Promise<void> {
    const controller = new AbortController();
    const look = (): void => {
      if (this.#isOver) controller.abort();
      else this.#world.after(200, look);
    };
    look();
    for await (const term of election(copse, "/election", { signal: controller.signal })) {
      const leave = this.#grant("election", 1, term, true);
      await this.#pause(1, 300);
      leave();
    }
  }

  async #meet(copse: Copse): Promise<void> {
    const count = clientsOfEach - 1;
    await this.#repeat(async () => {
      const one = await doubleBarrier(copse, "/meeting", { count, waitMs: 5_000 });
      const mine = { signal: one.signal, hasLeft: false };
      const all = this.#inside.get(one.round) ?? new Set();
      this.#inside.set(one.round, all.add(mine));
      this.grants++;
      await this.#pause(1, 200);
      mine.hasLeft = true;
      await one.leave();
      // Whoever is told late may find itself in a round that has ended: its signal says so.
      const here = [...all].filter(({ signal, hasLeft }) => !signal.aborted && !hasLeft);
      if (here.length > 0) violate("recipes", `${here.length} are inside while another has left with all`);
    });
  }

  async #work(copse: Copse): Promise<void> {
    const queue = workQueue(copse, "/queue");
    for (let number = 0; number < jobsOfEach; number++) {
      this.#put++;
      await queue.put(`job ${this.#put}`).catch(() => this.#unknown++);
    }
    const take = async (waitMs: number): Promise<boolean> => {
      const job: Job = await queue.take({ waitMs });
      const leave = this.#grant(job.path, 1, job, true);
      await this.#pause(1, 200);
      leave();
      if (!this.#isOver && this.#random.chance(0.2)) await job.close();
      else {
        await job.done().catch((error: unknown) => {
          // It may have been done, and the answer lost.
          if (isCopseError(error) && error.outcome === "unknown") this.#unknown++;
          throw error;
        });
        const times = (this.#done.get(job.path) ?? 0) + 1;
        if (times > 1) violate("recipes", `${job.path} was done ${times} times`);
        this.#done.set(job.path, times);
      }
      return true;
    };
    await this.#repeat(async () => void (await take(3_000)));
    // All is healed: what is left is done now.
    for (let hasMore = true; hasMore; ) {
      hasMore = await take(lastJobsWaitMs).catch((error: unknown) => {
        if (isCopseError(error, "TIMEOUT")) return false;
        if (!isCopseError(error)) throw error;
        return true;
      });
    }
  }

  async #add(copse: Copse): Promise<void> {
    const sum = counter(copse, "/counter");
    await this.#repeat(async () => {
      this.#added.most++;
      try {
        await sum.add(1);
        this.#added.least++;
        this.grants++;
      } catch (error) {
        if (isCopseError(error) && error.outcome === "none") this.#added.most--;
        throw error;
      }
    });
  }
}

function unlessCopse(error: unknown): void {
  if (!isCopseError(error)) throw error;
}
