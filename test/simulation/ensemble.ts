/**
 * The product's members in one process, on simulated clocks, disks and networks that fail as they are told.
 *
 * Invariants: nothing reaches a member but through its ports; a process that is stopped keeps what it had, one that crashes
 * keeps its disk. Everything random follows from the world's seed.
 */
import type { ClientPorts, SocketEvents } from "@copse/client";
import { CorruptLogError } from "@copse/log";
import { type Chunk, decodeFrame, defaultLimits, encodeFrames } from "@copse/protocol";
import { decodePeerMessages, encodePeerMessages, Member, type MemberOptions, type PeerMessage, type RaftSizes } from "@copse/replica";
import { FaultDisk } from "./fault-disk.ts";
import type { World } from "./world.ts";

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
  /** Bytes of log behind which a snapshot is taken. */
  readonly snapshotLogBytes: number;
  readonly sizes: RaftSizes;
}

export interface EnsembleWatcher {
  /** A member has ended a turn of its loop. */
  turned(node: Node): void;
  /** A message leaves a member for another. */
  sent(from: Node, to: string, message: PeerMessage): void;
  /** Frames on a client's connection. */
  toServer(connection: ClientConnection, text: string): void;
  toClient(connection: ClientConnection, text: string): void;
}

export interface ClientConnection {
  readonly number: number;
  readonly node: Node;
  /** The run of the process that it belongs to. */
  readonly life: number;
  readonly events: SocketEvents;
  isOpen: boolean;
  /** When what travels each way arrives: frames keep their order. */
  toServerAt: number;
  toClientAt: number;
}

const tickMs = 50;
/** Milliseconds until an end of a broken link notices, at most. */
const noticeMsMax = 5;
/** How long a link that carries nothing is believed in. */
const silenceMs = 5_000;

export class Node {
  readonly id: string;
  readonly disk: FaultDisk;
  readonly speed: number;
  wallOffset = 0;
  member: Member | null = null;
  /** Counts the runs of its process. */
  life = 0;
  /** Stopped as by SIGSTOP until then. */
  pausedUntil = 0;
  /** What has come meanwhile, in order. */
  held: (() => void)[] = [];
  /** A bit of its log is not what it was. */
  isRotten = false;
  /** Its log is damaged, and it says so: it does not run again. */
  isLost = false;
  /** Crashes as soon as it has promised something: when what it promised is most likely to be lost. */
  isDoomed = false;

  constructor(id: string, disk: FaultDisk, speed: number) {
    this.id = id;
    this.disk = disk;
    this.speed = speed;
  }

  get isUp(): boolean {
    return this.member !== null;
  }
}

export class SimulatedEnsemble {
  readonly nodes: Node[] = [];
  readonly #world: World;
  readonly faults: EnsembleFaults;
  readonly #watcher: EnsembleWatcher;
  readonly #connections: Map<number, ClientConnection> = new Map();
  #lastConnection = 0;
  #tokens = 0;
  /** Pairs between which nothing arrives, as "from>to". */
  readonly #cut: Set<string> = new Set();
  /** Links that stand, as "low-high", with the lives of both ends. */
  readonly #links: Map<string, string> = new Map();
  /** Both ends hear of a link's end before it can stand again. */
  readonly #quietUntil: Map<string, number> = new Map();
  /** Faults of single messages are on. */
  isRough = true;

  constructor(world: World, count: number, faults: EnsembleFaults, watcher: EnsembleWatcher) {
    this.#world = world;
    this.faults = faults;
    this.#watcher = watcher;
    const { drift } = faults;
    for (let id = 1; id <= count; id++) {
      const disk = new FaultDisk(world, { latencyMsMax: faults.diskLatencyMsMax, stalls: faults.diskStalls, errors: faults.diskErrors });
      this.nodes.push(new Node(String(id), disk, 1 + world.random.between(-drift, drift)));
    }
  }

  node(id: string): Node {
    return this.nodes.find((node) => node.id === id)!;
  }

  start(node: Node): void {
    if (node.isUp || node.isLost) return;
    const world = this.#world;
    const life = ++node.life;
    const run = (work: () => void): void => this.#within(node, life, work);
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
  #open(node: Node, life: number, run: (work: () => void) => void): Member | null {
    const world = this.#world;
    const founders = this.nodes.map(({ id }) => ({ id, address: `host:${id}` }));
    const options: MemberOptions = {
      cluster: null,
      member: node.id,
      boot: `${node.life}`,
      url: `ws://member-${node.id}`,
      peer: `host:${node.id}`,
      directory: `directory-${node.id}`,
      founders,
      isJoining: false,
      limits: defaultLimits,
      timeoutMsMin: 1_000,
      timeoutMsMax: 120_000,
      timeoutMsDefault: 4_000,
      isReadOnly: false,
      reapMs: 5_000,
      audit: null,
      sizes: this.faults.sizes,
      times: { tickMs, heartbeatTicks: 2, electionTicks: 20 },
      clock: { now: () => world.now * node.speed, wall: () => Math.floor(1e12 + world.now + node.wallOffset) },
      random: { token: () => `token-${++this.#tokens}`.padEnd(22, "x") },
      hash: { sha256: (text) => `hash of ${text}` },
      chance: (below) => world.random.below(below),
      disk: onLife(node, node.disk, run),
      gateway: {
        deliver: (connection, chunks) => this.#toClient(connection, chunks),
        close: (connection, code) => this.#closeFromServer(connection, code),
        authenticate: () => {},
      },
      mesh: { send: (to, messages) => this.#send(node, life, to, messages), connect: () => {} },
      schedule: (turn) =>
        void world.after(0.01, () =>
          run(() => {
            turn();
            if (node.life === life && node.isUp) this.#watcher.turned(node);
          }),
        ),
      onFatal: () => world.after(0, () => node.life === life && this.crash(node)),
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
  crash(node: Node): void {
    if (!node.isUp) return;
    node.member = null;
    node.life++;
    node.pausedUntil = 0;
    node.held = [];
    node.disk.crash();
    for (const connection of [...this.#connections.values()]) if (connection.node === node) this.#break(connection);
    this.lookAtLinks();
  }

  /** As SIGSTOP: nothing runs, nothing is lost. */
  pause(node: Node, ms: number): void {
    node.pausedUntil = Math.max(node.pausedUntil, this.#world.now + ms);
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
    const world = this.#world;
    return {
      now: () => world.now * speed,
      after: (ms, run) => world.after(ms / speed, run),
      random: () => world.random.next(),
      onWake: () => () => {},
      transport: (url, events) => this.#dial(new URL(url).hostname.replace("member-", ""), events),
    };
  }

  /** How many clients a member is connected to. */
  connectionsOf(node: Node): number {
    return [...this.#connections.values()].filter((connection) => connection.node === node).length;
  }

  /** Breaks a random client's connection, as a lost network would. */
  breakOne(): void {
    const open = [...this.#connections.values()];
    if (open.length > 0) this.#break(this.#world.random.pick(open));
  }

  /** Runs what concerns a process: later and in order, where it is stopped; never, where it has ended. */
  #within(node: Node, life: number, work: () => void): void {
    if (node.life !== life) return;
    if (this.#world.now >= node.pausedUntil && node.held.length === 0) return work();
    node.held.push(() => node.life === life && work());
    if (node.held.length === 1) this.#wake(node);
  }

  #wake(node: Node): void {
    this.#world.after(node.pausedUntil - this.#world.now, () => {
      if (this.#world.now < node.pausedUntil) return this.#wake(node);
      for (const work of node.held.splice(0)) work();
    });
  }

  #reaches(from: string, to: string): boolean {
    return !this.#cut.has(`${from}>${to}`);
  }

  #send(from: Node, life: number, to: string, messages: readonly PeerMessage[]): void {
    const target = this.nodes.find(({ id }) => id === to);
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
            this.#within(target, targetLife, () =>
              target.member?.submit({ kind: "peer", member: from.id, messages: decodePeerMessages(text) }),
            );
          }
        });
      }
    }
  }

  /** Brings the links in line with who runs and who reaches whom. */
  lookAtLinks(): void {
    for (const [at, a] of this.nodes.entries()) {
      for (const b of this.nodes.slice(at + 1)) {
        const name = linkName(a.id, b.id);
        const canStand = a.isUp && b.isUp && this.#reaches(a.id, b.id) && this.#reaches(b.id, a.id);
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
              this.#within(one, life, () => one.member?.submit({ kind: "peer-down", member: other.id })),
            );
          }
        }
        if (canStand && !this.#links.has(name)) this.#world.after(this.#world.random.between(5, 60), () => this.#link(a, b, lives));
      }
    }
  }

  #link(a: Node, b: Node, lives: string): void {
    const name = linkName(a.id, b.id);
    const isStill = a.isUp && b.isUp && `${a.life} ${b.life}` === lives;
    const isQuiet = this.#world.now <= (this.#quietUntil.get(name) ?? 0);
    if (!isStill || isQuiet || this.#links.has(name) || !this.#reaches(a.id, b.id) || !this.#reaches(b.id, a.id)) return;
    const { facts: one } = a.member!;
    const { facts: other } = b.member!;
    if (a.member!.refusal(other) !== null || b.member!.refusal(one) !== null) return;
    this.#links.set(name, lives);
    this.#within(a, a.life, () => a.member?.submit({ kind: "peer-up", facts: other }));
    this.#within(b, b.life, () => b.member?.submit({ kind: "peer-up", facts: one }));
  }

  #dial(id: string, events: SocketEvents): { send(text: string): void; close(): void } {
    const world = this.#world;
    const node = this.node(id);
    const number = ++this.#lastConnection;
    const connection: ClientConnection = {
      number,
      node,
      life: node.life,
      events,
      isOpen: true,
      toServerAt: world.now,
      toClientAt: world.now,
    };
    world.after(world.random.between(0.2, 2), () => {
      if (!connection.isOpen) return;
      if (!node.isUp || node.life !== connection.life) {
        connection.isOpen = false;
        return events.closed(1006, "");
      }
      this.#connections.set(number, connection);
      this.#within(node, connection.life, () => node.member?.submit({ kind: "opened", connection: number, address: "127.0.0.1" }));
      events.opened();
    });
    return {
      send: (text) => {
        if (!connection.isOpen) return;
        connection.toServerAt = Math.max(connection.toServerAt, world.now + world.random.between(0.2, 3));
        this.#watcher.toServer(connection, text);
        world.after(connection.toServerAt - world.now, () => {
          if (this.#connections.get(number) !== connection) return;
          this.#within(node, connection.life, () => {
            node.member?.submit({ kind: "frame", connection: number, ...decodeFrame(text) });
          });
        });
      },
      close: () => {
        connection.isOpen = false;
        world.after(Math.max(0, connection.toServerAt - world.now), () => this.#closed(connection));
      },
    };
  }

  #closed(connection: ClientConnection): void {
    if (!this.#connections.delete(connection.number)) return;
    const { node, life, number } = connection;
    this.#within(node, life, () => node.member?.submit({ kind: "closed", connection: number }));
  }

  #toClient(number: number, chunks: readonly Chunk[]): number {
    const connection = this.#connections.get(number);
    if (connection === undefined) return 0;
    for (const frame of encodeFrames(chunks, 1_048_576)) {
      this.#watcher.toClient(connection, frame);
      this.#inOrder(connection, () => connection.events.received(frame));
    }
    return 0;
  }

  #inOrder(connection: ClientConnection, run: () => void): void {
    const world = this.#world;
    connection.toClientAt = Math.max(connection.toClientAt, world.now + world.random.between(0.2, 3));
    world.after(connection.toClientAt - world.now, () => connection.isOpen && run());
  }

  #closeFromServer(number: number, code: number): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    this.#closed(connection);
    this.#inOrder(connection, () => {
      connection.isOpen = false;
      connection.events.closed(code, "");
    });
  }

  #break(connection: ClientConnection): void {
    this.#closed(connection);
    this.#world.after(this.#world.random.between(0, 5), () => {
      if (!connection.isOpen) return;
      connection.isOpen = false;
      connection.events.closed(1006, "");
    });
  }
}

/** An acknowledgement or a vote: what a member must never forget. */
function isPromise(sent: PeerMessage): boolean {
  return sent.kind === "raft" && !sent.message.isRejected && (sent.message.kind === "append-reply" || sent.message.kind === "vote-reply");
}

function linkName(a: string, b: string): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

/** A disk whose callbacks reach only the process that asked, and only while it runs. */
function onLife(node: Node, disk: FaultDisk, run: (work: () => void) => void): FaultDisk {
  return new Proxy(disk, {
    get(target, name: keyof FaultDisk) {
      const found = target[name];
      if (typeof found !== "function") return found;
      return (...given: unknown[]): unknown => {
        const last = given[given.length - 1];
        if (typeof last === "function") {
          const { life } = node;
          given[given.length - 1] = (...results: unknown[]) =>
            run(() => node.life === life && (last as (...r: unknown[]) => void)(...results));
        }
        return (found as (...a: unknown[]) => unknown).apply(target, given);
      };
    },
  });
}
