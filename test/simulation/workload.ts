/**
 * Clients that use the product as its users would, and write down what they saw.
 *
 * Each runs on a clock of its own, loses its connection now and then, and sometimes dies without a word. What they saw is
 * checked against the committed txns when the run is over (checkers/outcomes), locks at every moment.
 */
import { Copse, isCopseError, type MemberWanted } from "@copse/client";
import { lock } from "@copse/recipes/lock";
import type { Prng, SimulatedEnsemble, World } from "@copse/testing/simulation";
import { BadHosts } from "./bad-hosts.ts";
import { type Invariants, violate } from "./checkers/invariants.ts";
import type { Followed, Outcomes, Written } from "./checkers/outcomes.ts";
import { Names } from "./names.ts";
import { Secrets } from "./secrets.ts";

const registers = ["/r/0", "/r/1"];
const urlsOf = ({ nodes, edges }: SimulatedEnsemble): string[] => [...edges, ...nodes].map(({ id }) => `ws://member-${id}`);

interface Holder {
  readonly signal: AbortSignal;
  readonly name: string;
}

export class Workload {
  readonly #world: World;
  readonly #ensemble: SimulatedEnsemble;
  readonly #invariants: Invariants;
  /** For the checks at the end. */
  readonly seen: Outcomes = { histories: new Map(registers.map((path) => [path, []])), written: [], followed: [], watched: [] };
  #holders: Holder[] = [];
  #tokens: number[] = [];
  #count = 0;
  #secrets: Secrets | null = null;
  #names: Names | null = null;
  #badHosts: BadHosts | null = null;
  #isOver = false;
  #running = 0;
  /** Operations that ended, for the report. */
  ended = 0;

  constructor(world: World, ensemble: SimulatedEnsemble, invariants: Invariants) {
    this.#world = world;
    this.#ensemble = ensemble;
    this.#invariants = invariants;
  }

  /** Clients that have not come to an end. */
  get running(): number {
    return this.#running;
  }

  /** @param isAdministered members change their roles, leave and come back */
  start(clients: number, isAdministered: boolean): void {
    this.#run(this.#prepare());
    for (let number = 0; number < clients; number++) this.#run(this.#operate(number));
    for (let number = 0; number < 2; number++) this.#run(this.#contend(number));
    for (const { id } of this.#ensemble.nodes) this.#run(this.#readOn(id));
    this.#run(this.#follow());
    this.#run(this.#watch());
    if (isAdministered) this.#run(this.#administer());
  }

  /** One more znode, which nobody may read by turns (S17). */
  keepSecrets(random: Prng): void {
    const secrets = new Secrets(this.#world, random, () => this.#client());
    this.#secrets = secrets;
    this.#invariants.onDelivery = (_connection, text) => secrets.toClient(text);
    this.#run(secrets.keep());
    this.#run(secrets.spy());
  }

  /** One more znode, which only whoever has a token may read (S17). */
  keepNames(random: Prng): void {
    const names = new Names(this.#world, this.#ensemble, random, urlsOf(this.#ensemble));
    this.#names = names;
    this.#invariants.onDelivery = (connection, text) => names.toClient(connection, text);
    this.#run(names.keep());
    for (const isReadOnly of [false, false, true]) this.#run(names.spy(isReadOnly));
  }

  /** Clients whose hosts and whose endpoints are not what they should be (S20, S21). */
  haveBadHosts(random: Prng): void {
    this.#badHosts = new BadHosts(this.#world, random, (speed) => this.#ensemble.clientPorts(speed), urlsOf(this.#ensemble)[0]!);
    for (const work of this.#badHosts.work()) this.#run(work);
  }

  /** Clients begin nothing new. */
  stop(): void {
    this.#isOver = true;
    this.#badHosts?.stop();
    this.#secrets?.stop();
    this.#names?.stop();
  }

  #run(work: Promise<void>): void {
    this.#running++;
    work
      .catch((error: unknown) => {
        // A violation ends the run where it is found; what else ends a client is a defect of the workload or the product.
        this.failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => this.#running--);
  }

  /** What ended a client that should have gone on. */
  failure: Error | null = null;

  #client(): Copse {
    const { random } = this.#world;
    const ports = this.#ensemble.clientPorts(random.between(0.92, 1.08));
    return new Copse(urlsOf(this.#ensemble), { sessionTimeoutMs: random.pick([4_000, 6_000]), ports });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.after(ms, resolve));
  }

  async #prepare(): Promise<void> {
    const client = this.#client();
    for (const path of [...registers, "/m/a", "/m/b", "/q", "/e"]) {
      await this.#insist(() => client.create(path, null, { parents: true }));
    }
    await client.close();
  }

  /** Until it is there; a new session tries again. */
  async #insist(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        if (isCopseError(error, "NODE_EXISTS")) return;
        if (!isCopseError(error)) throw error;
        await this.#pause(50);
      }
    }
  }

  async #operate(number: number): Promise<void> {
    const { random } = this.#world;
    let client = this.#client();
    const versions = new Map<string, number>();
    while (!this.#isOver) {
      await this.#pause(random.between(1, 120));
      if (random.chance(0.004)) {
        // The process is gone: nobody closes its session.
        client = this.#client();
        versions.clear();
        continue;
      }
      const what = random.below(100);
      try {
        if (what < 22) await this.#set(client, random.pick(registers));
        else if (what < 36) await this.#cas(client, random.pick(registers));
        else if (what < 54) await this.#get(client, random.pick(registers));
        else if (what < 66) await this.#getLocally(client, random.pick(registers), versions);
        else if (what < 76) await this.#enqueue(client);
        else if (what < 84) await this.#swapBoth(client, number);
        else if (what < 97) await this.#write(() => client.create("/e/x-", this.#value(), { ephemeral: true, sequential: true }));
        else if (what < 99) await client.sync({ timeoutMs: 3_000 });
        else await client.close().then(() => (client = this.#client()));
      } catch (error) {
        if (!isCopseError(error)) throw error;
        // SESSION_EXPIRED and the like: the client goes on in a new session.
        if (isCopseError(error, "SESSION_EXPIRED")) versions.clear();
      }
      this.ended++;
    }
    await client.close();
  }

  #value(): string {
    return `v${++this.#count}`;
  }

  async #set(client: Copse, path: string): Promise<void> {
    const value = this.#value();
    const calledAt = this.#world.now;
    const record = (returnedAt: number): void => void this.seen.histories.get(path)!.push({ kind: "write", value, calledAt, returnedAt });
    const written: Written = { data: value, outcome: "unknown" };
    this.seen.written.push(written);
    try {
      await client.set(path, value);
      written.outcome = "done";
      record(this.#world.now);
    } catch (error) {
      if (isUnknown(error)) record(Number.POSITIVE_INFINITY);
      else written.outcome = "none";
      throw error;
    }
  }

  async #cas(client: Copse, path: string): Promise<void> {
    const { data: from, stat } = await client.get(path, { linearizable: true, timeoutMs: 3_000 });
    const to = this.#value();
    const calledAt = this.#world.now;
    const history = this.seen.histories.get(path)!;
    try {
      await client.set(path, to, { version: stat.version });
      history.push({ kind: "cas", from, to, outcome: true, calledAt, returnedAt: this.#world.now });
    } catch (error) {
      // Every value is written once, so another version is another value.
      if (isCopseError(error, "BAD_VERSION"))
        history.push({ kind: "cas", from, to, outcome: false, calledAt, returnedAt: this.#world.now });
      else if (isUnknown(error)) history.push({ kind: "cas", from, to, outcome: null, calledAt, returnedAt: Number.POSITIVE_INFINITY });
      throw error;
    }
  }

  async #get(client: Copse, path: string): Promise<void> {
    const calledAt = this.#world.now;
    const { data } = await client.get(path, { linearizable: true, timeoutMs: 3_000 });
    this.seen.histories.get(path)!.push({ kind: "read", saw: data, calledAt, returnedAt: this.#world.now });
  }

  /** Reads on one member alone, whatever becomes of it: who believes that it leads has to find out that it does not. */
  async #readOn(id: string): Promise<void> {
    const { random } = this.#world;
    const client = new Copse([`ws://member-${id}`], { readOnly: true, sessionTimeoutMs: 4_000, ports: this.#ensemble.clientPorts(1) });
    while (!this.#isOver) {
      await this.#pause(random.between(50, 200));
      await this.#get(client, registers[0]!).catch(ifCopseError);
    }
    await client.close();
  }

  /** A client never sees an older state than it saw before. */
  async #getLocally(client: Copse, path: string, versions: Map<string, number>): Promise<void> {
    const { sessionId } = client;
    const { stat } = await client.get(path, { timeoutMs: 3_000 });
    if (client.sessionId !== sessionId) return;
    const seen = versions.get(path) ?? -1;
    if (stat.version < seen) violate("S11", `a client saw ${path} at version ${seen}, then at ${stat.version}`);
    versions.set(path, stat.version);
  }

  async #write(work: () => Promise<unknown>): Promise<void> {
    const data = `v${this.#count + 1}`;
    const written: Written = { data, outcome: "unknown" };
    this.seen.written.push(written);
    try {
      await work();
      written.outcome = "done";
    } catch (error) {
      if (!isUnknown(error)) written.outcome = "none";
      throw error;
    }
  }

  async #enqueue(client: Copse): Promise<void> {
    await this.#write(() => client.create("/q/item-", this.#value(), { sequential: true }));
  }

  async #swapBoth(client: Copse, number: number): Promise<void> {
    const data = `${number}:${this.#value()}`;
    await client.multi([
      { op: "set", path: "/m/a", data },
      { op: "set", path: "/m/b", data },
    ]);
  }

  /** Takes the lock again and again: at no moment do two hold it who have not been told otherwise. */
  async #contend(number: number): Promise<void> {
    const { random } = this.#world;
    const client = this.#client();
    while (!this.#isOver) {
      await this.#pause(random.between(10, 300));
      try {
        const held = await lock(client, "/lock");
        const holder: Holder = { signal: held.signal, name: `${number}` };
        const other = this.#holders.find(({ signal }) => !signal.aborted);
        if (!held.signal.aborted && other !== undefined) violate("S19", `client ${number} got the lock while ${other.name} held it`);
        if (held.token <= (this.#tokens[this.#tokens.length - 1] ?? 0)) violate("S19", "a lock's token did not grow");
        this.#tokens.push(held.token);
        this.#holders.push(holder);
        await this.#pause(random.between(1, 200));
        this.#holders = this.#holders.filter((one) => one !== holder);
        await held.close();
      } catch (error) {
        if (!isCopseError(error)) throw error;
      }
      this.ended++;
    }
    await client.close();
  }

  /** Gives members other roles, takes them out and back in; at the end everybody votes. */
  async #administer(): Promise<void> {
    const { random } = this.#world;
    const client = this.#client();
    const ids = this.#ensemble.nodes.map(({ id }) => id);
    const member = (id: string, role: "voter" | "observer"): MemberWanted => ({ id, role, peer: `host:${id}`, url: `ws://member-${id}` });
    while (!this.#isOver) {
      await this.#pause(random.between(300, 2_000));
      const id = random.pick(ids);
      const other = random.pick(ids.filter((one) => one !== id));
      const all = ids.map((one) => member(one, "voter"));
      const change = random.pick([
        { remove: [id] },
        { remove: [id, other] },
        { remove: [id], add: [member(other, "observer")] },
        { add: [member(id, "observer")] },
        { add: [member(id, "voter")] },
        { add: all },
        { add: all },
      ]);
      // Now and then the next one does not wait for the answer.
      const asked = client.reconfig(change, { timeoutMs: 4_000 }).catch(ifCopseError);
      if (random.chance(0.7)) await asked;
      this.ended++;
    }
    await this.#insist(() => client.reconfig({ add: ids.map((id) => member(id, "voter")) }));
    await client.close();
  }

  async #follow(): Promise<void> {
    const client = this.#client();
    const followed: Followed = { state: new Map(), since: 0, changes: [], client };
    this.seen.followed.push(followed);
    client.observe(
      "/",
      { scope: "tree" },
      {
        state: (znodes, zxid) => {
          followed.state = new Map([...znodes].map(([path, { data }]) => [path, data]));
          followed.since = zxid;
          followed.changes = [];
        },
        changes: (changes, zxid) => {
          for (const { kind, path, data } of changes) {
            if (kind === "deleted") followed.state.delete(path);
            else if (kind === "created" || kind === "changed") followed.state.set(path, data);
            if (kind === "created" || kind === "changed" || kind === "deleted") followed.changes.push(`${zxid} ${kind} ${path}`);
          }
          const [one, other] = [followed.state.get("/m/a"), followed.state.get("/m/b")];
          if (one !== other && other !== undefined) violate("S10", `half of a multi was seen: ${one} and ${other}`);
        },
        failed: (error) => violate("S15", `a subscription failed: ${error.message}`),
      },
    );
  }

  async #watch(): Promise<void> {
    const client = this.#client();
    for (;;) {
      try {
        await client.sync({ timeoutMs: 2_000 });
        break;
      } catch (error) {
        if (!isCopseError(error) || this.#isOver) return;
      }
    }
    const watched = { since: client.zxid, events: [] as string[], isBroken: false, client };
    const events = client.watch("/q", { mode: "recursive" });
    // The watch stands once a request after it is answered.
    await client.sync({ timeoutMs: 4_000 }).catch(() => (watched.isBroken = true));
    const standsAt = client.zxid;
    this.seen.watched.push(watched);
    (async () => {
      for await (const event of events) {
        if (event.event === "resync") watched.isBroken = true;
        else if (event.zxid > standsAt) watched.events.push(`${event.zxid} ${event.event} ${event.path}`);
      }
    })().catch(() => (watched.isBroken = true));
    (watched as { since: number }).since = standsAt;
    client.onState((state) => {
      // A new session is a new watch: what came between belongs to nobody.
      if (state === "expired") watched.isBroken = true;
    });
  }
}

/** A refusal is an answer too. */
function ifCopseError(error: unknown): void {
  if (!isCopseError(error)) throw error;
}

function isUnknown(error: unknown): boolean {
  if (!isCopseError(error)) return true;
  return error.outcome === "unknown" || error.code === "OUTCOME_UNKNOWN";
}
