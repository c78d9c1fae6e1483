/**
 * The connections between clients and members: frames that keep their order each way, and ends that are heard of late.
 *
 * Invariant: what a client or a process that has ended still had on the way reaches nobody. While a client is held, nothing
 * travels to or from it and nobody is told; after it, what was sent arrives, as TCP would have it.
 */
import type { ClientPorts, SocketEvents } from "@copse/client";
import { type Chunk, encodeFrames } from "@copse/protocol";
import type { ClientConnection } from "./client-connection.ts";
import type { EnsembleWatcher } from "./ensemble-watcher.ts";
import type { SimulatedMember } from "./simulated-member.ts";
import type { World } from "./world.ts";

/** Milliseconds on the way, at least and at most. */
type Range = readonly [number, number];

export interface ClientDelays {
  readonly dialMs: Range;
  readonly frameMs: Range;
  /** Until an end hears that its connection is broken. */
  readonly breakMs: Range;
}

export class ClientNetwork {
  readonly #world: World;
  readonly #delays: ClientDelays;
  readonly #frameBytesMax: number;
  readonly #watcher: EnsembleWatcher;
  readonly #connections: Map<number, ClientConnection> = new Map();
  /** What waits for clients that are held. */
  readonly #held: Map<ClientPorts, (() => void)[]> = new Map();
  /** Connections that were dialled. */
  dialled = 0;

  constructor(world: World, delays: ClientDelays, frameBytesMax: number, watcher: EnsembleWatcher) {
    this.#world = world;
    this.#delays = delays;
    this.#frameBytesMax = frameBytesMax;
    this.#watcher = watcher;
  }

  /** The connections that stand. */
  get open(): readonly ClientConnection[] {
    return [...this.#connections.values()];
  }

  /** What a client needs of the world. `speed` is that of its clock; `memberOf` says whom an address means. */
  ports(speed: number, memberOf: (host: string) => SimulatedMember): ClientPorts {
    const world = this.#world;
    const ports: ClientPorts = {
      now: () => world.now * speed,
      after: (ms, run) => world.after(ms / speed, run),
      random: () => world.random.next(),
      onWake: () => () => {},
      transport: (url, events) => this.#dial(memberOf(new URL(url).hostname), ports, events),
    };
    return ports;
  }

  /** Nothing travels to or from a client until it is released. */
  hold(client: ClientPorts): void {
    if (!this.#held.has(client)) this.#held.set(client, []);
  }

  release(client: ClientPorts): void {
    const held = this.#held.get(client) ?? [];
    this.#held.delete(client);
    for (const run of held) this.#world.after(0, run);
  }

  /** The connections of a process are gone with it. */
  lose(node: SimulatedMember): void {
    for (const connection of this.open) if (connection.node === node) this.break(connection);
  }

  #dial(node: SimulatedMember, client: ClientPorts, events: SocketEvents): { send(text: string): void; close(): void } {
    const world = this.#world;
    const { dialMs, frameMs } = this.#delays;
    const number = ++this.dialled;
    const connection: ClientConnection = {
      number,
      node,
      life: node.life,
      client,
      events,
      isOpen: true,
      toServerAt: world.now,
      toClientAt: world.now,
    };
    this.#travel(connection, world.random.between(...dialMs), () => {
      if (!connection.isOpen) return;
      if (!node.isUp || node.life !== connection.life) {
        connection.isOpen = false;
        return events.closed(1006, "");
      }
      this.#connections.set(number, connection);
      node.within(connection.life, () => node.member?.submit({ kind: "opened", connection: number, address: "127.0.0.1" }));
      events.opened();
    });
    return {
      send: (text) => {
        if (!connection.isOpen) return;
        if (Buffer.byteLength(text) > this.#frameBytesMax) return this.closeFromServer(number, 1009);
        connection.toServerAt = Math.max(connection.toServerAt, world.now + world.random.between(...frameMs));
        this.#watcher.toServer(connection, text);
        this.#travel(connection, connection.toServerAt - world.now, () => {
          if (this.#connections.get(number) !== connection) return;
          node.within(connection.life, () => {
            node.member?.submit({ kind: "frame", connection: number, text });
          });
        });
      },
      close: () => {
        connection.isOpen = false;
        this.#travel(connection, Math.max(0, connection.toServerAt - world.now), () => this.#closed(connection));
      },
    };
  }

  #closed(connection: ClientConnection): void {
    if (!this.#connections.delete(connection.number)) return;
    const { node, life, number } = connection;
    node.within(life, () => node.member?.submit({ kind: "closed", connection: number }));
  }

  /** Sends to a client. Gives the bytes that wait, which are none. */
  toClient(number: number, chunks: readonly Chunk[]): number {
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
    connection.toClientAt = Math.max(connection.toClientAt, world.now + world.random.between(...this.#delays.frameMs));
    this.#travel(connection, connection.toClientAt - world.now, () => connection.isOpen && run());
  }

  /** The server's end closes: the client's hears of it after what was sent before. */
  closeFromServer(number: number, code: number): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    this.#closed(connection);
    this.#inOrder(connection, () => {
      connection.isOpen = false;
      connection.events.closed(code, "");
    });
  }

  /** Breaks a connection, as a lost network would. */
  break(connection: ClientConnection): void {
    this.#closed(connection);
    this.#travel(connection, this.#world.random.between(...this.#delays.breakMs), () => {
      if (!connection.isOpen) return;
      connection.isOpen = false;
      connection.events.closed(1006, "");
    });
  }

  #travel(connection: ClientConnection, ms: number, arrive: () => void): void {
    const held = this.#held.get(connection.client);
    if (held === undefined) this.#world.after(ms, arrive);
    else held.push(arrive);
  }
}
