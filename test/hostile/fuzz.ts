/**
 * A hub under rubbish: many connections send frames from a seed, while one client of good manners measures what it costs it.
 *
 * The same number of well-formed requests comes first, from as many connections: what the machine does then is what the
 * rubbish is compared with.
 */
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { Prng } from "@copse/testing/simulation";
import { WebSocket } from "ws";
import { EnsembleProcesses } from "../support/ensemble.ts";
import { temporaryFolder } from "../support/hub.ts";
import { freePort, type ServedHub, serveBy } from "../support/processes.ts";
import { type Message, RawClient } from "../support/raw-client.ts";
import { RubbishMaker } from "./rubbish.ts";
import { type StrangerKind, stranger } from "./stranger.ts";

export interface FuzzReport {
  readonly seed: number;
  readonly frames: number;
  /** Connections that the server closed, by close code. */
  readonly closed: Readonly<Record<string, number>>;
  /** Replies with an error, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Strangers beside the rubbish that came and went, by what they did. */
  readonly strangers: Readonly<Partial<Record<StrangerKind, number>>>;
  /** 99th percentile of a get by the well-mannered client, in milliseconds: beside good requests, and beside rubbish. */
  readonly p99Ms: { readonly good: number; readonly rubbish: number };
  /** Live memory of the server after a tenth of the frames, and at the end, in bytes. */
  readonly heapBytes: { readonly early: number; readonly late: number };
}

const attackers = 8;
/** Strangers who hold what they can, beside the rubbish. */
const holders = 4;
/** Frames that are sent before their answer is waited for. */
const burst = 20;
/** Within this time a server answers a ping or has closed the connection. */
const answerMsMax = 30_000;
const probeEveryMs = 2;
/** How many frames pass before what they made is cleared away. */
const clearEvery = 4_000;
/** Small bounds of the server, so that what is kept for clients shows no growth. */
const settings = {
  limits: { historyChanges: 500, watches: 500, subscriptions: 100, ephemerals: 200 },
  historyBytes: 1_000_000,
  snapshotLogBytes: 1_000_000,
  timeoutMsMin: 1_000,
  budgets: { receivedBytes: 67_108_864, unsentBytes: 67_108_864, stallMs: 2_000 },
};

export async function fuzz(frames: number, seed: number): Promise<FuzzReport> {
  const flags = ["--log-level", "error", ...EnsembleProcesses.config(settings)];
  const hub = await serveBy(["--inspect=127.0.0.1:0"], temporaryFolder("fuzz"), await freePort(), ...flags);
  const crash = hub.process.exited.then((code) => {
    throw new Error(`the server ended with ${code}: ${hub.process.err.slice(-2_000)}`);
  });
  const run = new Fuzz(hub, frames, seed);
  const report = await Promise.race([run.run(), crash]);
  crash.catch(() => {});
  await hub.process.kill9();
  return report;
}

class Fuzz {
  readonly #hub: ServedHub;
  readonly #frames: number;
  readonly #seed: number;
  readonly #url: string;
  readonly #closed: Record<string, number> = {};
  readonly #errors: Record<string, number> = {};
  readonly #strangers: Partial<Record<StrangerKind, number>> = {};
  #sent = 0;
  #early = 0;

  constructor(hub: ServedHub, frames: number, seed: number) {
    this.#hub = hub;
    this.#frames = frames;
    this.#seed = seed;
    this.#url = `${hub.url}/v1`;
  }

  async run(): Promise<FuzzReport> {
    const janitor = await RawClient.connect(this.#url);
    await this.#clear(janitor);
    const good = await this.#measured(() => this.#behave(Math.ceil(this.#frames / 10 / attackers)));
    const rubbish = await this.#measured(async () => {
      const all = Array.from({ length: attackers }, (_, at) => this.#attack(new Prng(this.#seed * attackers + at)));
      let isOver = false;
      const cleared = (async () => {
        for (let next = clearEvery; !isOver; ) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          await janitor.ask({ op: "ping" });
          janitor.received.length = 0;
          if (this.#early === 0 && this.#sent > this.#frames / 10) this.#early = await this.#heap(janitor);
          if (this.#sent < next) continue;
          next += clearEvery;
          await this.#clear(janitor);
        }
      })();
      const holding = Array.from({ length: holders }, (_, at) => this.#hold(new Prng(this.#seed * holders + at), () => isOver));
      await Promise.all(all);
      isOver = true;
      await Promise.all([cleared, ...holding]);
    });
    const late = await this.#heap(janitor);
    await janitor.cut();
    return {
      seed: this.#seed,
      frames: this.#sent,
      closed: this.#closed,
      errors: this.#errors,
      strangers: this.#strangers,
      p99Ms: { good, rubbish },
      heapBytes: { early: this.#early, late },
    };
  }

  /** Deletes what the frames have made. */
  async #clear(janitor: RawClient): Promise<void> {
    await janitor.ask({ op: "delete", path: "/fuzz", recursive: true });
    await janitor.ask({ op: "create", path: "/fuzz" });
  }

  /** What lives on the server's heap, in bytes: after a collection that is asked of its inspector. */
  async #heap(janitor: RawClient): Promise<number> {
    await this.#clear(janitor);
    const [, url] = await this.#hub.process.printed(/Debugger listening on (ws:\S+)/);
    const inspector = new WebSocket(url!);
    await once(inspector, "open");
    const ask = async (id: number, method: string): Promise<Message> => {
      inspector.send(JSON.stringify({ id, method }));
      for (;;) {
        const [bytes] = (await once(inspector, "message")) as [unknown];
        const message = JSON.parse(String(bytes)) as Message;
        if (message["id"] === id) return message;
      }
    };
    await ask(1, "HeapProfiler.collectGarbage");
    const { result } = await ask(2, "Runtime.getHeapUsage");
    inspector.terminate();
    return result.usedSize;
  }

  /** The 99th percentile of a get while `work` goes on. */
  async #measured(work: () => Promise<void>): Promise<number> {
    const probe = await RawClient.connect(this.#url);
    const waits: number[] = [];
    let isOver = false;
    const probing = (async () => {
      while (!isOver) {
        const from = performance.now();
        const { error } = await probe.ask({ op: "get", path: "/" });
        if (error !== undefined) throw new Error(`a good request got ${JSON.stringify(error)}`);
        waits.push(performance.now() - from);
        probe.received.length = 0;
        await new Promise((resolve) => setTimeout(resolve, probeEveryMs));
      }
    })();
    await work();
    isOver = true;
    await probing;
    await probe.cut();
    return waits.sort((a, b) => a - b)[Math.floor(waits.length * 0.99)]!;
  }

  /** Well-formed requests, in bursts as large as those of the rubbish. */
  async #behave(each: number): Promise<void> {
    await Promise.all(
      Array.from({ length: attackers }, async (_, number) => {
        const client = await RawClient.connect(this.#url);
        await client.ask({ op: "create", path: `/fuzz/good-${number}` });
        for (let sent = 0; sent < each; sent += burst) {
          const ids = client.sendAll(
            Array.from({ length: burst }, (_, at) => ({ op: at % 2 === 0 ? "get" : "set", path: `/fuzz/good-${number}`, data: "x" })),
          );
          await client.reply(ids.at(-1)!);
          client.received.length = 0;
        }
        await client.ask({ op: "close" });
      }),
    );
  }

  /** One stranger after the other, until all frames are sent. */
  async #hold(random: Prng, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const kind = await stranger(this.#hub.port, random);
      this.#strangers[kind] = (this.#strangers[kind] ?? 0) + 1;
    }
  }

  /** One connection after the other, until all frames are sent. */
  async #attack(random: Prng): Promise<void> {
    const maker = new RubbishMaker(random);
    while (this.#sent < this.#frames) await this.#connection(maker, random);
  }

  async #connection(maker: RubbishMaker, random: Prng): Promise<void> {
    const socket = new WebSocket(this.#url, ["copse.v1"]);
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    let answered: (message: Message) => void = () => {};
    socket.on("message", (bytes) => {
      for (const message of [JSON.parse(String(bytes)) as Message | Message[]].flat()) {
        const code = message["error"]?.code as string | undefined;
        if (code !== undefined) this.#errors[code] = (this.#errors[code] ?? 0) + 1;
        answered(message);
      }
    });
    await new Promise<void>((resolve, reject) => socket.once("open", resolve).once("error", reject));
    socket.on("error", () => {});
    if (random.chance(0.95)) socket.send(JSON.stringify({ id: 1, op: "connect", timeout: 1_000, readOnly: random.chance(0.1) }));
    let id = 2;
    while (socket.readyState === WebSocket.OPEN && this.#sent < this.#frames) {
      for (let count = 0; count < burst; count++) {
        this.#sent++;
        const rubbish = maker.next(++id);
        if (rubbish.kind === "text") socket.send(rubbish.text);
        else if (rubbish.kind === "binary") socket.send(rubbish.bytes, { binary: true });
        else (socket as unknown as { _socket: { write: (bytes: Buffer) => void } })._socket?.write(rubbish.bytes);
        id += 5;
      }
      const pingId = ++id;
      const answer = new Promise<number>((resolve) => {
        answered = (message) => void (message["id"] === pingId && resolve(0));
      });
      socket.send(JSON.stringify({ id: pingId, op: "ping" }));
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error("a connection is neither answered nor closed")), answerMsMax);
      });
      const code = await Promise.race([answer, closed, late]);
      clearTimeout(timer);
      if (code !== 0) {
        this.#closed[code] = (this.#closed[code] ?? 0) + 1;
        return;
      }
      if (random.chance(0.05)) break;
    }
    socket.terminate();
    await closed;
  }
}
