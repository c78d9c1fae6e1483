/**
 * The product's member on a disk in memory and on simulated time, spoken to by the product's client through a network that
 * the test can cut. No socket, no file, no real waiting.
 */
import { type ClientPorts, type ConnectOptions, Copse, type SocketEvents } from "@copse/client";
import type { MemoryDisk } from "@copse/log";
import { type Chunk, decodeFrame, defaultLimits, encodeFrames, type Limits } from "@copse/protocol";
import { Member } from "@copse/replica";
import { memoryDisk } from "./memory-disk.ts";
import { SimulatedTime } from "./simulated-world.ts";

const tickMs = 250;

export class SimulatedHub {
  readonly time = new SimulatedTime();
  readonly disk: MemoryDisk = memoryDisk();
  member: Member;
  /** While true, nothing arrives in either direction, and nobody is told. */
  isCut = false;
  readonly #sockets = new Map<number, SocketEvents>();
  readonly #limits: Limits;
  #last = 0;
  #tokens = 0;

  constructor(limits: Limits = defaultLimits) {
    this.#limits = limits;
    this.member = this.#start();
    const tick = (): void => {
      this.member.submit({ kind: "tick" });
      this.time.after(tickMs, tick);
    };
    this.time.after(tickMs, tick);
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
  restart(): void {
    this.disk.crash();
    this.dropConnections();
    this.member = this.#start();
  }

  #start(): Member {
    const member: Member = new Member({
      cluster: "simulated",
      member: "1",
      url: "ws://hub",
      limits: this.#limits,
      timeoutMsMin: 1_000,
      timeoutMsMax: 120_000,
      timeoutMsDefault: 30_000,
      isReadOnly: false,
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
    if (this.isCut || member !== this.member) return 0;
    const events = this.#sockets.get(connection);
    for (const frame of encodeFrames(chunks, 1_048_576)) setImmediate(() => events?.received(frame));
    return 0;
  }

  #close(number: number, code: number): void {
    const events = this.#sockets.get(number);
    if (events === undefined) return;
    this.#sockets.delete(number);
    this.member.submit({ kind: "closed", connection: number });
    if (!this.isCut) setImmediate(() => events.closed(code, ""));
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
        if (!this.isCut) {
          setImmediate(() => {
            this.member.submit({ kind: "opened", connection: number, address: "127.0.0.1" });
            events.opened();
          });
        }
        return {
          send: (text) => {
            if (this.isCut || !this.#sockets.has(number)) return;
            setImmediate(() => this.member.submit({ kind: "frame", connection: number, ...decodeFrame(text) }));
          },
          close: () => {
            const isKnown = this.#sockets.delete(number);
            if (!isKnown) return;
            if (!this.isCut) this.member.submit({ kind: "closed", connection: number });
            setImmediate(() => events.closed(1006, ""));
          },
        };
      },
    };
  }
}
