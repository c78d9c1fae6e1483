/**
 * Clients in a bad world: their event loops are blocked for seconds, their wall clocks are set, and foreign servers answer at the addresses
 * of members.
 *
 * S20: a client acts on one cluster only. S21: a lost lock's signal is never found unaborted. Each client that gets the lock looks at the
 * signals of all earlier holders before their overdue timers have run.
 */
import { type ClientPorts, Copse, isCopseError, type SocketEvents } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import type { Prng, World } from "@copse/testing/simulation";
import { noJson, rubbishAnswers } from "../support/rubbish.ts";
import { violate } from "./checkers/invariants.ts";

const clients = 3;
const path = "/bad-hosts";
const timeoutMs = 4_000;
/** What another cluster says to a connect. */
const greeting = { zxid: 9, session: { id: "s", secret: "t", timeout: timeoutMs }, resumed: false, lastId: 0, cluster: "another" };

/** One client's host: a clock that may be set, and a loop that may be blocked. */
class Host {
  readonly ports: ClientPorts;
  readonly #world: World;
  #wallOffset = 0;
  #isBlocked = false;
  #cut: () => void = () => {};
  /** What is due once the loop runs again, in its order. */
  readonly #overdue: (() => void)[] = [];

  constructor(
    world: World,
    base: ClientPorts,
    foreign: (url: string, events: SocketEvents) => ReturnType<ClientPorts["transport"]> | null,
  ) {
    this.#world = world;
    const within = (run: () => void): void => {
      if (this.#isBlocked) this.#overdue.push(run);
      else run();
    };
    this.ports = {
      ...base,
      wallNow: () => world.now + this.#wallOffset,
      after: (ms, run) => {
        let isCancelled = false;
        const cancel = base.after(ms, () => within(() => !isCancelled && run()));
        return () => {
          isCancelled = true;
          cancel();
        };
      },
      transport: (url, events) => {
        const heard: SocketEvents = {
          opened: () => within(() => events.opened()),
          received: (text) => within(() => events.received(text)),
          closed: (code, reason) => within(() => events.closed(code, reason)),
        };
        const socket = foreign(url, heard) ?? base.transport(url, heard);
        this.#cut = () => {
          this.#cut = () => {};
          socket.close();
          heard.closed(1006, "cut");
        };
        return socket;
      },
    };
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.ports.after(ms, resolve));
  }

  setWall(offset: number): void {
    this.#wallOffset = offset;
  }

  /** Its newest connection breaks. */
  cut(): void {
    this.#cut();
  }

  /** The loop does nothing for so long; what has come meanwhile comes before the timers that are overdue. */
  block(ms: number): void {
    if (this.#isBlocked) return;
    this.#isBlocked = true;
    this.#world.after(ms, () => {
      this.#isBlocked = false;
      for (const run of this.#overdue.splice(0)) this.#world.after(0, run);
    });
  }
}

interface Holder {
  readonly host: Host;
  readonly signal: AbortSignal;
}

export class BadHosts {
  readonly #world: World;
  readonly #random: Prng;
  readonly #hosts: readonly Host[];
  readonly #given: string;
  #foreign: "refuses" | "is of another cluster" | "is no server" | null = null;
  #holders: Holder[] = [];
  #isOver = false;

  /**
   * @param random draws from elsewhere than the world, so that no other seed changes
   * @param portsOf makes the ports of a client whose clock runs at this speed
   * @param given the one URL that these clients are given; all others are learned
   */
  constructor(world: World, random: Prng, portsOf: (speed: number) => ClientPorts, given: string) {
    this.#world = world;
    this.#random = random;
    this.#given = given;
    const foreign = (url: string, events: SocketEvents): ReturnType<ClientPorts["transport"]> | null => this.#meetForeign(url, events);
    this.#hosts = Array.from({ length: clients }, () => new Host(world, portsOf(random.between(0.92, 1.08)), foreign));
  }

  /** What the clients do: each runs until `stop`. */
  work(): Promise<void>[] {
    this.#strike();
    return this.#hosts.map((host) => this.#contend(host));
  }

  stop(): void {
    this.#isOver = true;
    this.#foreign = null;
  }

  #strike(): void {
    const random = this.#random;
    if (this.#isOver) return;
    const host = random.pick(this.#hosts);
    const what = random.below(6);
    if (what < 2) host.block(random.between(500, 2 * timeoutMs));
    else if (what === 2) host.setWall(random.pick([0, 2_000, 3_600_000, -3_600_000]));
    else if (what === 3) this.#foreign = random.pick([null, "refuses", "is of another cluster", "is no server"] as const);
    else host.cut();
    this.#world.after(random.between(50, 1_000), () => this.#strike());
  }

  /** Where a member was said to be, somebody else answers, while that is so; null for the member itself. */
  #meetForeign(url: string, events: SocketEvents): ReturnType<ClientPorts["transport"]> | null {
    const kind = this.#foreign;
    if (kind === null || !new URL(url).searchParams.has("cluster")) return null;
    const world = this.#world;
    const rubbish = rubbishAnswers(this.#random);
    let isOpen = true;
    const later = (run: () => void): void => void world.after(this.#random.between(1, 20), () => isOpen && run());
    later(() => (kind === "refuses" ? events.closed(1006, "Unexpected server response: 421") : events.opened()));
    if (kind === "is no server" && this.#random.chance(0.5)) later(() => events.received(this.#random.pick(noJson)));
    return {
      send: (text) => {
        for (const request of [JSON.parse(text) as { id: number; op: string }].flat()) {
          if (request.op !== "connect") violate("S20", `a client of one cluster asked another for ${request.op}`);
          const answers = kind === "is no server" ? rubbish(request) : [JSON.stringify({ id: request.id, ...greeting })];
          for (const answer of answers) later(() => events.received(answer));
        }
      },
      close: () => {
        isOpen = false;
      },
    };
  }

  async #contend(host: Host): Promise<void> {
    const client = new Copse([this.#given], { sessionTimeoutMs: timeoutMs, ports: host.ports });
    client.observe(path, { scope: "tree" }, { state: () => {}, changes: () => {}, failed: () => {} });
    while (!this.#isOver) {
      await host.pause(this.#random.between(10, 300));
      try {
        const held = await lock(client, path, { waitMs: 2 * timeoutMs });
        const holder = { host, signal: held.signal };
        if (!held.signal.aborted && this.#holders.some(({ signal }) => !signal.aborted)) {
          violate("S21", "a lock was granted while another's signal was unaborted at a look");
        }
        this.#holders.push(holder);
        await host.pause(this.#random.between(1, timeoutMs / 2));
        this.#holders = this.#holders.filter((one) => one !== holder);
        await held.close();
      } catch (error) {
        if (!isCopseError(error)) throw error;
        if (error.code === "CLUSTER_CHANGED") violate("S20", "a member of its own cluster was another's to a client");
      }
    }
    await client.close();
  }
}
