/**
 * The tree through which a change reaches very many browsers: members feed edges, edges feed edges, and those tell browsers. What the capacity
 * page works out is counted here, message by message, on the product's members and edges in simulated time, while edges of each level die.
 *
 * `COPSE_FULL` makes it a million browsers; every run has the same shape.
 */
import type { ClientPorts, SocketEvents } from "@copse/client";
import { noFaults, SimulatedEnsemble, type SimulatedMember, World } from "@copse/testing/simulation";
import { describe, expect, it } from "vitest";

const isFull = process.env.COPSE_FULL !== undefined;
/** Browsers, and how many one edge carries at most. */
const [browsers, perEdge] = isFull ? [1_000_000, 10_000] : [2_000, 80];
/** Edges that one member or edge feeds. */
const fanOut = 6;
const membersCount = 3;
const changes = 10;
const calm = { ...noFaults, delayMs: [0.1, 1], diskLatencyMsMax: 0.1 } as const;

/** A browser that follows one znode: it speaks the protocol and keeps nothing but what it was told last, so that a million fit. */
class Browser implements SocketEvents {
  /** The newest value, how many it was told, and how often it was given a whole state. */
  value = -1;
  heard = 0;
  states = 0;
  /** A value that it was told out of its turn. */
  wrong: number | null = null;
  #zxid = 0;
  #at: number;
  #send: (text: string) => void = () => {};
  readonly #ports: ClientPorts;
  readonly #places: readonly string[];

  /** @param places whom it may connect to, in turns, from the one `at` on */
  constructor(ports: ClientPorts, places: readonly string[], at: number) {
    this.#ports = ports;
    this.#places = places;
    this.#at = at;
    this.#dial();
  }

  opened(): void {
    this.#send('{"id":1,"op":"connect","readOnly":true}');
  }

  received(text: string): void {
    const parsed = JSON.parse(text) as Message | Message[];
    for (const message of Array.isArray(parsed) ? parsed : [parsed]) this.#take(message);
  }

  closed(): void {
    this.#at++;
    this.#ports.after(50 * (1 + this.#ports.random()), () => this.#dial());
  }

  #dial(): void {
    const host = this.#places[this.#at % this.#places.length]!;
    this.#send = this.#ports.transport(`ws://member-${host}/v1`, this).send;
  }

  #take({ id, error, zxid = 0, resumed, nodes, change, data }: Message): void {
    if (id === 1) {
      const since = this.#zxid === 0 ? "" : `,"since":${this.#zxid}`;
      return this.#send(`{"id":2,"op":"subscribe","sub":1,"path":"/config","scope":"node"${since}}`);
    }
    if (error !== undefined) throw new Error(JSON.stringify(error));
    if (id === 2 && resumed !== true) {
      this.states++;
      for (const { data } of nodes ?? []) this.value = Number(data);
    }
    if (change !== undefined) this.#changed(Number(data));
    this.#zxid = Math.max(this.#zxid, zxid);
  }

  #changed(value: number): void {
    if (value !== this.value + 1) this.wrong ??= value;
    this.value = value;
    this.heard++;
  }
}

interface Message {
  readonly id?: number;
  readonly error?: unknown;
  readonly zxid?: number;
  readonly resumed?: boolean;
  readonly nodes?: readonly { readonly data?: string }[];
  readonly change?: string;
  readonly data?: string;
}

/** How many levels of edges it takes where each feeds so many, and which edges are where. */
function plan(): { readonly levels: readonly (readonly string[])[] } {
  const leaves = Math.ceil(browsers / perEdge);
  const depth = Math.max(1, Math.ceil(Math.log(leaves / membersCount) / Math.log(fanOut)));
  const levels = Array.from({ length: depth }, (_, level) => {
    const count = level === depth - 1 ? leaves : membersCount * fanOut ** (level + 1);
    return Array.from({ length: count }, (__, at) => `e${level}-${at}`);
  });
  return { levels };
}

describe(`a tree of edges for ${browsers.toLocaleString("en")} browsers`, () => {
  it(
    "tells each browser each change once, in order, while edges of each level die",
    async () => {
      const world = new World(1, async () => {});
      const nobody = { turned: () => {}, toServer: () => {}, toClient: () => {}, sent: () => {} };
      const ensemble = new SimulatedEnsemble(world, membersCount, calm, nobody);
      const { levels } = plan();
      const above = [ensemble.nodes.map(({ id }) => id), ...levels];
      for (const [level, ids] of levels.entries()) {
        for (const [at, id] of ids.entries()) {
          // Its own feeder first, then the next one: what dies is not waited for.
          const feeders = above[level]!;
          const first = Math.floor((at * feeders.length) / ids.length);
          ensemble.addEdge(id, [feeders[first]!, feeders[(first + 1) % feeders.length]!]);
        }
      }
      for (const node of [...ensemble.nodes, ...ensemble.edges]) ensemble.start(node);
      const look = (): void => {
        ensemble.lookAtLinks();
        world.after(500, look);
      };
      look();
      const leads = (): SimulatedMember | undefined => ensemble.nodes.find(({ member }) => member?.order.coordinates === true);
      await world.run(60_000, () => leads() !== undefined);
      const ports = ensemble.clientPorts(1);
      const writer = new Writer(
        ports,
        ensemble.nodes.map(({ id }) => id),
      );
      await world.run(world.now + 5_000, () => writer.acknowledged >= 0);
      const leaves = levels[levels.length - 1]!;
      await world.run(world.now + 5_000, () => leaves.every((id) => ensemble.node(id).member!.tree.index >= 3));
      const all = Array.from({ length: browsers }, (_, at) => new Browser(ports, leaves, at % leaves.length));
      await world.run(world.now + 60_000, () => all[all.length - 1]!.value === 0);
      await world.run(world.now + 2_000);
      expect(all.filter(({ value, states }) => value !== 0 || states !== 1)).toHaveLength(0);
      for (let count = 1; count <= changes; count++) {
        writer.set(count);
        await world.run(world.now + 400, () => writer.acknowledged === count);
        if (count % 3 !== 0) continue;
        // One edge of each level dies, with those who follow it and the browsers of the last: they go on elsewhere.
        for (const ids of levels) ensemble.crash(ensemble.node(ids[count % ids.length]!));
      }
      await world.run(world.now + 20_000);
      expect(ensemble.clients.dialled, "browsers whose edge died").toBeGreaterThan(browsers + perEdge / 2);
      const lost = all.filter(({ value }) => value !== changes).length;
      const twice = all.filter(({ wrong }) => wrong !== null).length;
      const anew = all.filter(({ states }) => states !== 1).length;
      const heard = all.reduce((sum, browser) => sum + browser.heard, 0);
      expect({ lost, twice, anew, heard }).toEqual({ lost: 0, twice: 0, anew: 0, heard: browsers * changes });
    },
    isFull ? 3_600_000 : undefined,
  );
});

/** Writes numbers to the znode that all follow. */
class Writer implements SocketEvents {
  acknowledged = -1;
  #id = 1;
  readonly #send: (text: string) => void;

  constructor(ports: ClientPorts, members: readonly string[]) {
    this.#send = ports.transport(`ws://member-${members[0]!}/v1`, this).send;
  }

  set(value: number): void {
    this.#send(`{"id":${++this.#id},"op":"set","path":"/config","data":"${value}"}`);
  }

  opened(): void {
    this.#send('{"id":1,"op":"connect","timeout":120000}');
    this.#send('{"id":2,"op":"create","path":"/config","data":"0"}');
    this.#id = 2;
  }

  received(text: string): void {
    const parsed = JSON.parse(text) as { id?: number; error?: unknown } | { id?: number; error?: unknown }[];
    for (const { id = 0, error } of Array.isArray(parsed) ? parsed : [parsed]) {
      if (error !== undefined) throw new Error(JSON.stringify(error));
      if (id >= 2) this.acknowledged = id - 2;
    }
  }

  closed(code: number): void {
    throw new Error(`the writer's connection closed with ${code}`);
  }
}
