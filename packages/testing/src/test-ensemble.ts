/**
 * An ensemble for tests: the product's members and clients in one process, on time that moves when the test says so.
 *
 * What travels takes no time and needs no help: a call that the members can answer is answered. What needs time (an
 * election, an expiry, a back-off, a lock's `waitMs`) needs `advance`, or `until`. No socket, no file, no real waiting.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import { type ClientPorts, type ConnectOptions, Copse } from "@copse/client";
import { defaultLimits, type Limits } from "@copse/protocol";
import type { Member } from "@copse/replica";
import type { EnsembleWatcher } from "./ensemble-watcher.ts";
import { noFaults, SimulatedEnsemble } from "./simulated-ensemble.ts";
import type { SimulatedMember } from "./simulated-member.ts";
import { World } from "./world.ts";

export interface TestEnsembleOptions {
  /** How many members; one, a hub alone, unless said otherwise. */
  readonly members?: number;
  /** What chance follows from: elections and back-offs. */
  readonly seed?: number;
  readonly limits?: Partial<Limits>;
  /** How often containers and TTL znodes are looked at, in milliseconds. */
  readonly reapMs?: number;
  /** Is shown every turn, message and frame. */
  readonly watcher?: EnsembleWatcher;
}

export interface TestClientOptions extends ConnectOptions {
  /** The client's clock runs so many times as fast as the members'. */
  readonly speed?: number;
  /** The member to connect to, or those to choose from; any of them unless said otherwise. */
  readonly member?: string | readonly string[];
}

const noDelays = { dialMs: [0, 0], frameMs: [0, 0], breakMs: [0, 0], turnMs: 0, linkMs: [0, 0], noticeMsMax: 0 } as const;
const nobody: EnsembleWatcher = { turned: () => {}, sent: () => {}, toServer: () => {}, toClient: () => {} };
/** How often links are looked at, in simulated milliseconds. */
const linkLookMs = 100;
/** The longest that `until` lets pass, in simulated milliseconds. */
const untilMsMax = 600_000;
/** Turns that `until` gives what is under way before it lets time pass. */
const stillTurns = 10;
/** A server expires a session so much later than its timeout, at most. */
const expiryTickMs = 1_000;

export class TestEnsemble {
  readonly #world: World;
  readonly #ensemble: SimulatedEnsemble;
  readonly #clients: Map<Copse, ClientPorts> = new Map();
  #isRunning = false;
  #isPumping = false;
  #isClosed = false;

  /** The members start at once; one alone leads at once, several need time to elect: see `testEnsemble`. */
  constructor(options: TestEnsembleOptions = {}) {
    const { members = 1, seed = 1, limits = {}, reapMs = 60_000, watcher = nobody } = options;
    this.#world = new World(seed, hostSettled);
    this.#world.now = 1_000;
    this.#world.onSchedule = () => this.#pump();
    this.#ensemble = new SimulatedEnsemble(this.#world, members, noFaults, watcher, {
      limits: { ...defaultLimits, ...limits },
      timeoutMsDefault: 30_000,
      reapMs,
      delays: noDelays,
      // A disk in memory does not fail: this would be a defect, and the test's runner has to hear of it.
      onFatal: (error) =>
        queueMicrotask(() => {
          throw error;
        }),
    });
    for (const node of this.#ensemble.nodes) this.#ensemble.start(node);
    const look = (): void => {
      if (this.#isClosed) return;
      this.#ensemble.lookAtLinks();
      this.#world.after(linkLookMs, look);
    };
    look();
  }

  /** Simulated milliseconds. */
  now = (): number => this.#world.now;

  /** Calls `run` after so many simulated milliseconds; gives what cancels it. */
  after = (ms: number, run: () => void): (() => void) => this.#world.after(ms, run);

  /**
   * Lets simulated time pass, with all that happens in it.
   * @example await ensemble.advance(5_000); // all timers of the next five seconds run
   */
  async advance(ms: number): Promise<void> {
    await hostSettled();
    await this.#run(this.#world.now + ms);
  }

  /**
   * Lets simulated time pass until the promise is settled, and gives what it gave.
   * @example const { stat } = await ensemble.until(copse.create("/late"));
   */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const over = promise.finally(() => {
      isOver = true;
    });
    over.catch(() => {});
    // What needs no time takes none.
    for (let turn = 0; turn < stillTurns && !isOver; turn++) await this.advance(0);
    const end = this.#world.now + untilMsMax;
    while (!isOver) {
      if (this.#world.now >= end) throw new Error(`it was not settled within ${untilMsMax} simulated milliseconds`);
      await this.advance(50);
    }
    return over;
  }

  /**
   * Time passes and no timer runs, as in a process or page that was frozen.
   * @example ensemble.freeze(2_000); // timers that came due meanwhile run late
   */
  freeze(ms: number): void {
    this.#world.now += ms;
  }

  /**
   * A client that begins to connect.
   * @example
   * const waiting = ensemble.client({ member: "1" });
   * await ensemble.until(waiting.connected());
   */
  client(options: TestClientOptions = {}): Copse {
    const { speed = 1, member, ...rest } = options;
    const ports = this.#ensemble.clientPorts(speed);
    const ids = member === undefined ? this.members : [member].flat();
    const copse = new Copse(
      ids.map((id) => `ws://member-${id}`),
      { ...rest, ports },
    );
    this.#clients.set(copse, ports);
    return copse;
  }

  /**
   * A client that is connected. Time passes only where that needs it: during an election, say.
   * @example const one = await ensemble.connect({ sessionTimeoutMs: 10_000 });
   */
  async connect(options: TestClientOptions = {}): Promise<Copse> {
    const copse = this.client(options);
    await this.until(copse.connected(options.signal));
    return copse;
  }

  /** The ids of the members. */
  get members(): readonly string[] {
    return this.#ensemble.nodes.map(({ id }) => id);
  }

  /** The id of the member that leads, or null. */
  get leader(): string | null {
    return this.#ensemble.nodes.find(({ member }) => member?.order.coordinates === true)?.id ?? null;
  }

  /**
   * The member itself, for a look at its tree and figures: unless said otherwise the one that leads, or else any that runs.
   * @example const { znodes } = ensemble.member().figures;
   */
  member(id: string | null = this.leader): Member {
    const { nodes } = this.#ensemble;
    const member = (id === null ? nodes.find(({ isUp }) => isUp) : this.#node(id))?.member ?? null;
    if (member === null) throw new Error(`member ${id ?? "of this ensemble"} does not run`);
    return member;
  }

  /** Connections that clients have opened so far. */
  get connections(): number {
    return this.#ensemble.clients.dialled;
  }

  /**
   * Breaks connections, of one client or of all, and says so to both ends: they come back by themselves.
   * @example
   * ensemble.dropConnections(copse);
   * await ensemble.until(copse.connected());
   */
  dropConnections(copse?: Copse): void {
    const client = copse === undefined ? null : this.#portsOf(copse);
    for (const connection of this.#ensemble.clients.open) {
      if (client === null || connection.client === client) this.#ensemble.clients.break(connection);
    }
  }

  /**
   * Nothing travels to or from one client, or all, and nobody is told. After `heal`, what was sent arrives, as TCP would have it.
   * @example
   * ensemble.cutOff(copse);
   * await ensemble.advance(1_000);
   * ensemble.heal();
   */
  cutOff(copse?: Copse): void {
    for (const ports of copse === undefined ? this.#clients.values() : [this.#portsOf(copse)]) this.#ensemble.clients.hold(ports);
  }

  /**
   * Members of one group hear nothing from those of another. Clients reach them all. Links are known to be broken at once.
   * @example
   * ensemble.partition(["1"], ["2", "3"]);
   * await ensemble.advance(5_000);
   * ensemble.heal();
   */
  partition(...groups: readonly (readonly string[])[]): void {
    const groupOf = (id: string): number => groups.findIndex((group) => group.includes(id));
    for (const from of this.members) {
      for (const to of this.members) if (groupOf(from) !== groupOf(to)) this.#ensemble.cut(from, to, true);
    }
  }

  /**
   * Ends `partition` and `cutOff`.
   * @example
   * ensemble.heal();
   * await ensemble.elected();
   */
  heal(): void {
    this.#ensemble.heal();
    for (const ports of this.#clients.values()) this.#ensemble.clients.release(ports);
  }

  /**
   * Cuts a client off until the ensemble has given its session up, then heals it: what a sleeping laptop does.
   * @example await ensemble.expireSession(copse);
   */
  async expireSession(copse: Copse): Promise<void> {
    this.cutOff(copse);
    await this.advance(copse.sessionTimeoutMs + 2 * expiryTickMs);
    this.#ensemble.clients.release(this.#portsOf(copse));
    if (copse.state !== "closed") await this.until(copse.connected());
  }

  /**
   * A member's process dies, with what its disk had not made durable.
   * @example
   * ensemble.kill("1");
   * await ensemble.advance(1_000);
   * ensemble.start("1");
   */
  kill(id: string): void {
    this.#ensemble.crash(this.#node(id));
  }

  /**
   * Starts a member again on what its disk kept.
   * @example
   * ensemble.kill("2");
   * ensemble.start("2");
   */
  start(id: string): void {
    this.#ensemble.start(this.#node(id));
  }

  /**
   * Kills and starts all members. With `wiped`, their disks are empty: another cluster.
   * @example
   * ensemble.restart();
   * await ensemble.elected();
   */
  restart(options: { readonly wiped?: boolean } = {}): void {
    const { nodes } = this.#ensemble;
    for (const node of nodes) {
      this.#ensemble.crash(node);
      if (options.wiped === true) node.disk.wipe();
    }
    for (const node of nodes) this.#ensemble.start(node);
  }

  /**
   * Resolves once somebody leads.
   * @example
   * await ensemble.elected();
   * console.log(ensemble.leader);
   */
  async elected(): Promise<void> {
    const end = this.#world.now + untilMsMax;
    while (this.leader === null) {
      if (this.#world.now >= end) throw new Error("no leader was elected");
      await this.advance(50);
    }
  }

  /**
   * Ends the clients' and the members' work.
   * @example
   * const own = await testEnsemble();
   * await own.close();
   */
  async close(): Promise<void> {
    for (const copse of this.#clients.keys()) void copse.close();
    await this.advance(0);
    this.#isClosed = true;
    for (const node of this.#ensemble.nodes) this.#ensemble.crash(node);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #node(id: string): SimulatedMember {
    const node = this.#ensemble.nodes.find((one) => one.id === id);
    if (node === undefined) throw new Error(`there is no member ${id}`);
    return node;
  }

  #portsOf(copse: Copse): ClientPorts {
    const ports = this.#clients.get(copse);
    if (ports === undefined) throw new Error("this client does not belong to this ensemble");
    return ports;
  }

  /** Whatever is due runs soon, without anybody letting time pass. */
  #pump(): void {
    if (this.#isPumping || this.#isRunning) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      if (this.#world.isDue && !this.#isRunning) void this.#run(this.#world.now);
    });
  }

  async #run(until: number): Promise<void> {
    // Two runs at once would move time twice: the later waits for the earlier.
    while (this.#isRunning) await hostSettled();
    this.#isRunning = true;
    try {
      await this.#world.run(until);
    } finally {
      this.#isRunning = false;
    }
    this.#pump();
  }
}

/**
 * Starts an ensemble and waits until it has a leader.
 * @example
 * const own = await testEnsemble({ members: 3 });
 * const client = await own.connect();
 * await own.until(client.create("/app"));
 * await own.close();
 */
export async function testEnsemble(options: TestEnsembleOptions = {}): Promise<TestEnsemble> {
  const ensemble = new TestEnsemble(options);
  await ensemble.elected();
  return ensemble;
}

/** Resolves after all that is under way in this process's turns. */
async function hostSettled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
