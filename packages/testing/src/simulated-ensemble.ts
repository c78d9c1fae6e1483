/**
 * The product's members in one process, on simulated clocks, disks and networks that fail as they are told.
 *
 * Invariants: nothing reaches a member but through its ports; a process that is stopped keeps what it had, one that crashes
 * keeps its disk. Everything random follows from the world's seed.
 */
import type { ClientPorts } from "@copse/client";
import { CorruptLogError } from "@copse/log";
import { defaultLimits, fingerprint, type Limits } from "@copse/protocol";
import {
  decodePeerMessages,
  encodePeerMessages,
  Member,
  type MemberOptions,
  openBudgets,
  openClassBudgets,
  openPolicy,
  type PeerMessage,
  type RaftSizes,
} from "@copse/replica";
import { type ClientDelays, ClientNetwork } from "./client-network.ts";
import type { EnsembleWatcher } from "./ensemble-watcher.ts";
import { FaultDisk } from "./fault-disk.ts";
import { outcomeOf } from "./simulated-issuer.ts";
import { SimulatedMember } from "./simulated-member.ts";
import type { World } from "./world.ts";

/** How long things take that are not members' own, in milliseconds: at least and at most, or exactly. */
export interface EnsembleDelays extends ClientDelays {
  /** From the first input of a turn to the turn. */
  readonly turnMs: number;
  /** Until a link stands. */
  readonly linkMs: readonly [number, number];
  /** Until an end of a broken link notices, at most. */
  readonly noticeMsMax: number;
}

export interface EnsembleFaults {
  /** Milliseconds on the way between members, at least and at most. */
  readonly delayMs: readonly [number, number];
  /** Chances for each message between members. */
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
  readonly diskLatencyMsMax: number;
  readonly diskStalls: number;
  readonly diskErrors: number;
  /** How far clocks run fast or slow: 0.1 is ten percent. */
  readonly drift: number;
  /** Bytes of log after which a snapshot is taken. */
  readonly snapshotLogBytes: number;
  readonly sizes: RaftSizes;
  /** Connections that are sent to in one turn. */
  readonly deliveriesMax: number;
}

/** Everything works, and at once. */
export const noFaults: EnsembleFaults = {
  delayMs: [0, 0],
  loss: 0,
  duplication: 0,
  reordering: 0,
  diskLatencyMsMax: 0,
  diskStalls: 0,
  diskErrors: 0,
  drift: 0,
  snapshotLogBytes: 1e7,
  sizes: { appendUnitsMax: 1e6, tailUnits: 1e6 },
  deliveriesMax: 1_024,
};

export interface EnsembleSettings {
  readonly limits: Limits;
  readonly timeoutMsDefault: number;
  readonly reapMs: number;
  readonly delays: EnsembleDelays;
  /** What a member's process does about an error that it can't go on with: ends by default. */
  readonly onFatal: ((error: Error) => void) | null;
}

export const defaultSettings: EnsembleSettings = {
  limits: defaultLimits,
  timeoutMsDefault: 4_000,
  reapMs: 5_000,
  delays: { dialMs: [0.2, 2], frameMs: [0.2, 3], breakMs: [0, 5], turnMs: 0.01, linkMs: [5, 60], noticeMsMax: 5 },
  onFatal: null,
};

const tickMs = 50;
/** How long a link that carries nothing is believed in. */
const silenceMs = 5_000;

export class SimulatedEnsemble {
  readonly nodes: SimulatedMember[] = [];
  /** They follow members, or each other. */
  readonly edges: SimulatedMember[] = [];
  readonly clients: ClientNetwork;
  readonly faults: EnsembleFaults;
  readonly #world: World;
  readonly #watcher: EnsembleWatcher;
  readonly #settings: EnsembleSettings;
  #tokens = 0;
  /** Pairs between which nothing arrives, as "from>to". */
  readonly #cut: Set<string> = new Set();
  /** Links that stand, as "low-high", with the lives of both ends. */
  readonly #links: Map<string, string> = new Map();
  /** Both ends hear of a link's end before it can stand again. */
  readonly #quietUntil: Map<string, number> = new Map();
  /** Faults of single messages are on. */
  isRough = true;

  constructor(world: World, count: number, faults: EnsembleFaults, watcher: EnsembleWatcher, settings: EnsembleSettings = defaultSettings) {
    this.#world = world;
    this.faults = faults;
    this.#watcher = watcher;
    this.#settings = settings;
    this.clients = new ClientNetwork(world, settings.delays, settings.limits.frameBytes, watcher);
    const { drift } = faults;
    for (let id = 1; id <= count; id++) {
      const disk = new FaultDisk(world, { latencyMsMax: faults.diskLatencyMsMax, stalls: faults.diskStalls, errors: faults.diskErrors });
      this.nodes.push(new SimulatedMember(world, String(id), disk, 1 + world.random.between(-drift, drift)));
    }
  }

  /** A member or an edge. */
  node(id: string): SimulatedMember {
    return [...this.nodes, ...this.edges].find((node) => node.id === id)!;
  }

  /** Adds an edge, which is to be started as members are. @param feeders whom it may follow; the first that it reaches feeds it */
  addEdge(id: string, feeders: readonly string[], speed = 1): SimulatedMember {
    const disk = new FaultDisk(this.#world, { latencyMsMax: 0, stalls: 0, errors: 0 });
    const edge = new SimulatedMember(this.#world, id, disk, speed, feeders);
    this.edges.push(edge);
    return edge;
  }

  start(node: SimulatedMember): void {
    if (node.isUp || node.isLost) return;
    const world = this.#world;
    const life = node.begin();
    const run = (work: () => void): void => node.within(life, work);
    const member = this.#open(node, life, run);
    if (member === null) return;
    node.member = member;
    member.start();
    const tick = (): void => {
      if (node.life !== life || node.member !== member) return;
      run(() => member.submit({ kind: "tick" }));
      world.after(tickMs / node.speed, tick);
    };
    tick();
    this.lookAtLinks();
  }

  /** Null where its log can't be believed. */
  #open(node: SimulatedMember, life: number, run: (work: () => void) => void): Member | null {
    const world = this.#world;
    const { limits, timeoutMsDefault, reapMs, delays, onFatal } = this.#settings;
    const isEdge = node.feeders !== null;
    const founders = isEdge ? [] : this.nodes.map(({ id }) => ({ id, address: `host:${id}` }));
    const options: MemberOptions = {
      cluster: null,
      member: node.id,
      isEdge,
      boot: `${node.life}`,
      url: `ws://member-${node.id}`,
      peer: `host:${node.id}`,
      directory: `directory-${node.id}`,
      founders,
      founding: isEdge ? "never" : "all",
      limits,
      timeoutMsMin: 1_000,
      timeoutMsMax: 120_000,
      timeoutMsDefault,
      isReadOnly: false,
      reapMs,
      compareMs: 600_000,
      audit: null,
      denied: null,
      trace: null,
      budgets: openBudgets,
      classes: openClassBudgets,
      policy: openPolicy,
      rootAcl: null,
      sizes: this.faults.sizes,
      deliveriesMax: this.faults.deliveriesMax,
      times: { tickMs, heartbeatTicks: 2, electionTicks: 20 },
      clock: { now: () => world.now * node.speed, wall: () => node.wall },
      random: { token: () => `token-${++this.#tokens}`.padEnd(22, "x") },
      hash: {
        sha256: (text) => `hash of ${text}`,
        hmac: (key, text) => `hash of ${text} under ${key}`,
        crc32: (text) => fingerprint(text) % 2 ** 32,
      },
      chance: (below) => world.random.below(below),
      disk: node.diskOf(life),
      gateway: {
        deliver: (connection, chunks) => this.clients.toClient(connection, chunks),
        close: (connection, code) => this.clients.closeFromServer(connection, code),
        unsent: () => 0,
        authenticate: (connection, ticket, credentials) => {
          const outcome = outcomeOf(credentials, node.wall);
          const done = (): void => node.member?.submit({ kind: "authenticated", connection, ticket, outcome });
          world.after(world.random.between(1, 20), () => node.within(life, done));
        },
      },
      mesh: { send: (to, messages) => this.#send(node, life, to, messages), connect: () => {} },
      schedule: (turn) =>
        void world.after(delays.turnMs, () =>
          run(() => {
            turn();
            if (node.life === life && node.isUp) this.#watcher.turned(node);
          }),
        ),
      onFatal: (error) => (onFatal === null ? world.after(0, () => node.life === life && this.crash(node)) : onFatal(error)),
      historyBytes: 1e6,
      snapshotLogBytes: this.faults.snapshotLogBytes,
      segmentBytes: 8_000,
    };
    try {
      return new Member(options);
    } catch (error) {
      if (!(error instanceof CorruptLogError)) throw error;
      node.isLost = true;
      return null;
    }
  }

  /** The process ends, and what its disk had not made durable is lost. */
  crash(node: SimulatedMember): void {
    if (!node.isUp) return;
    node.end();
    this.clients.lose(node);
    this.lookAtLinks();
  }

  /** Nothing of what one says reaches the other. Links break at once, or when their silence is noticed. */
  cut(from: string, to: string, isNoticed: boolean): void {
    this.#cut.add(`${from}>${to}`);
    const look = (): void => this.lookAtLinks();
    if (isNoticed) look();
    else this.#world.after(silenceMs, look);
  }

  heal(): void {
    this.#cut.clear();
    this.lookAtLinks();
  }

  /** What a client needs of the world. `speed` is that of its clock. */
  clientPorts(speed: number): ClientPorts {
    return this.clients.ports(speed, (host) => this.node(host.replace("member-", "")));
  }

  /** How many clients a member is connected to. */
  connectionsOf(node: SimulatedMember): number {
    return this.clients.open.filter((connection) => connection.node === node).length;
  }

  /** Breaks a random client's connection, as a lost network would. */
  breakOne(): void {
    const { open } = this.clients;
    if (open.length > 0) this.clients.break(this.#world.random.pick(open));
  }

  #reaches(from: string, to: string): boolean {
    return !this.#cut.has(`${from}>${to}`);
  }

  #send(from: SimulatedMember, life: number, to: string, messages: readonly PeerMessage[]): void {
    const target = this.node(to);
    if (target === undefined || from.life !== life || !this.#links.has(linkName(from.id, to))) return;
    const { random } = this.#world;
    const { delayMs, loss, duplication, reordering } = this.faults;
    for (const message of messages) {
      this.#watcher.sent(from, to, message);
      if (from.isDoomed && isPromise(message)) {
        from.isDoomed = false;
        this.#world.after(0, () => this.crash(from));
      }
      if (this.isRough && random.chance(loss)) continue;
      const text = encodePeerMessages([message]);
      const copies = this.isRough && random.chance(duplication) ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        const extra = this.isRough && random.chance(reordering) ? random.between(0, 300) : 0;
        const { life: targetLife } = target;
        this.#world.after(random.between(...delayMs) + extra, () => {
          if (this.#reaches(from.id, to)) {
            target.within(targetLife, () => target.member?.submit({ kind: "peer", member: from.id, messages: decodePeerMessages(text) }));
          }
        });
      }
    }
  }

  /** Brings the links in line with who runs and who reaches whom. */
  lookAtLinks(): void {
    const { linkMs, noticeMsMax } = this.#settings.delays;
    for (const [a, b] of this.#pairs()) {
      const name = linkName(a.id, b.id);
      const canStand = this.#canLink(a, b) && (a.feeders === null || this.#feederOf(a) === b);
      const lives = `${a.life} ${b.life}`;
      const present = this.#links.get(name);
      if (present !== undefined && (!canStand || present !== lives)) {
        this.#links.delete(name);
        this.#quietUntil.set(name, this.#world.now + noticeMsMax);
        for (const [one, other] of [
          [a, b],
          [b, a],
        ] as const) {
          const { life } = one;
          this.#world.after(this.#world.random.between(0, noticeMsMax), () =>
            one.within(life, () => one.member?.submit({ kind: "peer-down", member: other.id })),
          );
        }
      }
      if (canStand && !this.#links.has(name)) this.#world.after(this.#world.random.between(...linkMs), () => this.#link(a, b, lives));
    }
  }

  /** Those that may be linked: each two members, and each edge with whom it may follow. */
  *#pairs(): Iterable<readonly [SimulatedMember, SimulatedMember]> {
    for (const [at, a] of this.nodes.entries()) for (const b of this.nodes.slice(at + 1)) yield [a, b];
    for (const edge of this.edges) for (const id of edge.feeders!) yield [edge, this.node(id)];
  }

  #canLink(a: SimulatedMember, b: SimulatedMember): boolean {
    return a.isUp && b.isUp && this.#reaches(a.id, b.id) && this.#reaches(b.id, a.id);
  }

  /** Whom an edge follows: the one that it is linked with, while that link can stand, else the first that it reaches. */
  #feederOf(edge: SimulatedMember): SimulatedMember | undefined {
    const able = edge.feeders!.map((id) => this.node(id)).filter((feeder) => this.#canLink(edge, feeder));
    const isLinked = (feeder: SimulatedMember): boolean => this.#links.get(linkName(edge.id, feeder.id)) === `${edge.life} ${feeder.life}`;
    return able.find(isLinked) ?? able[0];
  }

  #link(a: SimulatedMember, b: SimulatedMember, lives: string): void {
    const name = linkName(a.id, b.id);
    const isStill = a.isUp && b.isUp && `${a.life} ${b.life}` === lives;
    const isQuiet = this.#world.now <= (this.#quietUntil.get(name) ?? 0);
    if (a.feeders !== null && this.#feederOf(a) !== b) return;
    if (!isStill || isQuiet || this.#links.has(name) || !this.#reaches(a.id, b.id) || !this.#reaches(b.id, a.id)) return;
    const { linkMs } = this.#settings.delays;
    const { facts: one } = a.member!;
    const { facts: other } = b.member!;
    const refusals = [
      [a, b.member!.refusal(one)],
      [b, a.member!.refusal(other)],
    ] as const;
    if (refusals.some(([, why]) => why !== null)) {
      for (const [node, why] of refusals) {
        // A mesh dials again soon.
        if (why?.kind === "replaying") this.#world.after(this.#world.random.between(...linkMs), () => this.#link(a, b, lives));
        if (why?.kind === "not-a-member") node.within(node.life, () => node.member?.submit({ kind: "removed", version: why.version }));
      }
      return;
    }
    this.#links.set(name, lives);
    a.within(a.life, () => a.member?.submit({ kind: "peer-up", facts: other }));
    b.within(b.life, () => b.member?.submit({ kind: a.feeders === null ? "peer-up" : "edge-up", facts: one }));
  }
}

/** An acknowledgement or a vote: what a member must never forget. */
function isPromise(sent: PeerMessage): boolean {
  return sent.kind === "raft" && !sent.message.isRejected && (sent.message.kind === "append-reply" || sent.message.kind === "vote-reply");
}

function linkName(a: string, b: string): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
