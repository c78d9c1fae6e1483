/**
 * The product's member on a disk in memory and on simulated time, spoken to by the product's client through a network that
 * the test can cut. No socket, no file, no real waiting.
 */
import { type ClientPorts, type ConnectOptions, Copse, type SocketEvents } from "@copse/client";
import type { MemoryDisk } from "@copse/log";
import { type Chunk, decodeFrame, defaultLimits, encodeFrames, type Limits } from "@copse/protocol";
import { defaultElectionTimes, defaultRaftSizes, Member } from "@copse/replica";
import { memoryDisk } from "./memory-disk.ts";
import { SimulatedTime } from "./simulated-world.ts";

const tickMs = 250;

export class SimulatedHub {
  readonly time = new SimulatedTime();
  readonly disk: MemoryDisk = memoryDisk();
  member: Member;
  /** Connections that were opened. */
  get connections(): number {
    return this.#last;
  }

  readonly #held: (() => void)[] = [];
  #isCut = false;
  readonly #sockets = new Map<number, SocketEvents>();
  readonly #limits: Limits;
  #last = 0;
  #tokens = 0;
  #boots = 0;
  #cluster = "simulated";

  constructor(limits: Limits = defaultLimits) {
    this.#limits = limits;
    this.member = this.#start();
    const tick = (): void => {
      this.member.submit({ kind: "tick" });
      this.time.after(tickMs, tick);
    };
    this.time.after(tickMs, tick);
  }

  /** While true, nothing arrives in either direction, and nobody is told. Behind it, what was sent arrives, as TCP would have it. */
  get isCut(): boolean {
    return this.#isCut;
  }

  set isCut(isCut: boolean) {
    this.#isCut = isCut;
    if (!isCut) for (const run of this.#held.splice(0)) setImmediate(run);
  }

  /** Lets something travel. */
  #travel(run: () => void): void {
    if (this.#isCut) this.#held.push(run);
    else setImmediate(run);
  }

  /** A client whose clock runs at `speed` times the hub's. */
  client(options: ConnectOptions = {}, speed = 1): Copse {
    return new Copse(["ws://hub"], { ...options, ports: this.#ports(speed) });
  }

  async connect(options: ConnectOptions = {}, speed = 1): Promise<Copse> {
    const copse = this.client(options, speed);
    await copse.connected();
    return copse;
  }

  /** Breaks every connection, and says so to both ends. */
  dropConnections(): void {
    for (const number of [...this.#sockets.keys()]) this.#close(number, 1006);
  }

  /** The process dies and starts again on what its disk kept. */
  restart(cluster: string = this.#cluster): void {
    this.disk.crash();
    if (cluster !== this.#cluster) for (const name of this.disk.list()) this.disk.remove(name, () => {});
    this.#cluster = cluster;
    this.dropConnections();
    this.member = this.#start();
  }

  #start(): Member {
    const member: Member = new Member({
      cluster: this.#cluster,
      member: "1",
      boot: `boot-${++this.#boots}`,
      url: "ws://hub",
      peer: "",
      founders: [{ id: "1", address: "" }],
      isJoining: false,
      times: defaultElectionTimes,
      sizes: defaultRaftSizes,
      chance: () => 0,
      mesh: { send: () => {}, connect: () => {} },
      limits: this.#limits,
      timeoutMsMin: 1_000,
      timeoutMsMax: 120_000,
      timeoutMsDefault: 30_000,
      isReadOnly: false,
      reapMs: 60_000,
      audit: null,
      clock: { now: this.time.now, wall: this.time.now },
      random: { token: () => `token-${++this.#tokens}`.padEnd(22, "x") },
      hash: { sha256: (text) => `hash of ${text}` },
      disk: this.disk,
      directory: "d",
      gateway: {
        deliver: (connection, chunks) => this.#deliver(member, connection, chunks),
        close: (connection, code) => this.#close(connection, code),
        authenticate: () => {},
      },
      schedule: setImmediate,
      onFatal: (error) => {
        throw error;
      },
      historyBytes: 1e7,
      snapshotLogBytes: 1e7,
      segmentBytes: 1e6,
    });
    member.start();
    return member;
  }

  #deliver(member: Member, connection: number, chunks: readonly Chunk[]): number {
    if (member !== this.member) return 0;
    for (const frame of encodeFrames(chunks, 1_048_576)) this.#travel(() => this.#sockets.get(connection)?.received(frame));
    return 0;
  }

  /** The server's end closes: the client's hears of it when that can travel. */
  #close(number: number, code: number): void {
    if (!this.#sockets.has(number)) return;
    this.member.submit({ kind: "closed", connection: number });
    this.#travel(() => {
      const events = this.#sockets.get(number);
      this.#sockets.delete(number);
      events?.closed(code, "");
    });
  }

  #ports(speed: number): ClientPorts {
    return {
      now: () => this.time.now() * speed,
      after: (ms, run) => this.time.after(ms / speed, run),
      random: () => 0.5,
      onWake: () => () => {},
      transport: (_url, events) => {
        const number = ++this.#last;
        this.#sockets.set(number, events);
        this.#travel(() => {
          if (!this.#sockets.has(number)) return;
          this.member.submit({ kind: "opened", connection: number, address: "127.0.0.1" });
          events.opened();
        });
        return {
          send: (text) => {
            if (Buffer.byteLength(text) > this.#limits.frameBytes) return this.#close(number, 1009);
            this.#travel(() => this.member.submit({ kind: "frame", connection: number, ...decodeFrame(text) }));
          },
          close: () => {
            if (this.#sockets.delete(number)) this.#travel(() => this.member.submit({ kind: "closed", connection: number }));
          },
        };
      },
    };
  }
}
