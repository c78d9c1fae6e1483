/**
 * The edges that a member starts on its own machine, so that clients use every core: they share its port, and it carries none itself.
 *
 * Invariants: an edge that ends is started again; none outlives the member, because the channel between the two ends with either; the secret
 * that they prove to the member was made for this run alone, and stands in no file.
 */
import cluster, { type Worker } from "node:cluster";
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { ConfigError, type MetricList, type Server, type ServerConfig } from "@copse/server";
import type { Logger } from "pino";
import { settings } from "./settings.ts";

/** What an edge is given, in its environment: nobody but its user can read it there. */
interface Given {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly secret: string;
  readonly hasHealth: boolean;
}

/** The exit code of an edge that can't go on: what it is told to keep, such as the audit log, can't be written. */
export const givenUp = 70;
const variable = "COPSE_LOCAL_EDGE";
const edgesMax = 64;
/** How long an edge may take to say its figures, in milliseconds. */
const answerMs = 1_000;
/** How long an edge that has ended is waited for, in milliseconds. */
const againMs = 1_000;
/** How often it is looked whether an edge follows, in milliseconds, and how often in a row it may not. */
const watchMs = 500;
const missedMax = 10;
/** How long an edge may take to stop before it is ended, in milliseconds. */
const stopMsMax = 8_000;
/** Settings that are the member's alone, though edges elsewhere have them, too. */
const ofMember: readonly string[] = ["id", "adminListen", "peerListen", "peerSecretFile", "peerTlsCert", "peerTlsKey", "peerTlsCa"];

/** How many --edges asks for. @throws ConfigError */
export function edgeCount(said: string | undefined): number {
  if (said === undefined) return 0;
  if (said === "auto") return Math.max(1, availableParallelism() - 1);
  const count = Number(said);
  if (!(Number.isInteger(count) && count >= 1 && count <= edgesMax)) throw new ConfigError(`edges: must be auto, or 1 to ${edgesMax}`);
  return count;
}

export class LocalEdges {
  readonly secret: string = randomBytes(32).toString("base64");
  readonly #logger: Logger;
  readonly #onGivenUp: (error: Error) => void;
  readonly #workers: Map<number, Worker> = new Map();
  #isStopping = false;

  /** @param onGivenUp an edge can't go on, for a reason that would end the next one, too */
  constructor(logger: Logger, onGivenUp: (error: Error) => void) {
    this.#logger = logger;
    this.#onGivenUp = onGivenUp;
  }

  /** Starts so many, for a member that serves with these settings; resolves once all take clients. */
  async start(count: number, server: Server, flags: Readonly<Record<string, unknown>>, host: string): Promise<void> {
    const kept = settings.filter(({ name, isOf }) => isOf !== "member" && !ofMember.includes(name) && flags[name] !== undefined);
    const common = Object.fromEntries(kept.map(({ name }) => [name, flags[name]]));
    const { member } = server.names;
    const listen = `${host.includes(":") ? `[${host}]` : host}:${server.port}`;
    cluster.setupPrimary({ exec: process.argv[1]!, args: ["edge"] });
    const starting = Array.from({ length: count }, (_, at) => {
      const id = `m${member}-${at + 1}`;
      const own = { ...common, id, listen, of: server.channel };
      const given: Given = { flags: own, secret: this.secret, hasHealth: flags["adminListen"] === undefined };
      return this.#run(at, server, given);
    });
    await Promise.all(starting);
  }

  /** What each of them adds to the member's figures; one that does not answer soon is left out. */
  async metrics(): Promise<readonly MetricList[]> {
    const asked = [...this.#workers.values()].map((worker) => {
      return new Promise<MetricList>((resolve) => {
        const done = (list: MetricList): void => {
          worker.off("message", take);
          clearTimeout(timer);
          resolve(list);
        };
        const take = (message: { readonly added?: MetricList }): void => {
          if (message.added !== undefined) done(message.added);
        };
        const timer = setTimeout(() => done([]), answerMs);
        worker.on("message", take);
        if (worker.isConnected()) worker.send("added");
      });
    });
    return Promise.all(asked);
  }

  /** They read again what may change, and log from this level on. */
  reload(level: string): void {
    for (const worker of this.#workers.values()) {
      if (worker.isConnected()) worker.send({ level });
      worker.process.kill("SIGHUP");
    }
  }

  /** Each gives its clients to others, and ends. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const ending = [...this.#workers.values()].map(({ process: edge }) => {
      const ended = new Promise<void>((resolve) => edge.once("exit", () => resolve()));
      edge.kill("SIGTERM");
      setTimeout(() => edge.kill("SIGKILL"), stopMsMax).unref();
      return ended;
    });
    await Promise.all(ending);
  }

  /** Keeps one running; resolves when it serves. */
  #run(at: number, server: Server, given: Given): Promise<void> {
    const worker = cluster.fork({ [variable]: JSON.stringify(given) });
    this.#workers.set(at, worker);
    worker.on("message", (message) => {
      if (message !== "metrics") return;
      void server.metrics().then((text) => worker.isConnected() && worker.send({ metrics: text }));
    });
    return new Promise((resolve, reject) => {
      let serves = false;
      let looking: NodeJS.Timeout | undefined;
      worker.on("message", (message) => {
        if (message !== "serving") return;
        serves = true;
        looking = this.#watch(worker, server, given);
        this.#logger.info({ edge: given.flags["id"], pid: worker.process.pid }, "an edge serves");
        resolve();
      });
      worker.on("exit", (code, signal) => {
        this.#workers.delete(at);
        clearInterval(looking);
        if (this.#isStopping) return resolve();
        if (code === givenUp) return this.#onGivenUp(new Error(`edge ${String(given.flags["id"])} can't go on, as its log says`));
        if (!serves) return reject(new Error(`edge ${String(given.flags["id"])} did not start`));
        this.#logger.error({ edge: given.flags["id"], code, signal }, "an edge ended; it is started again");
        setTimeout(() => this.#again(at, server, given), againMs);
      });
    });
  }

  /** Ends an edge that does not follow any more: it stands still, and the clients that come to it wait for nothing. */
  #watch(worker: Worker, server: Server, given: Given): NodeJS.Timeout {
    let missed = 0;
    const id = String(given.flags["id"]);
    return setInterval(() => {
      missed = server.member.feeds(`edge-${id}`) ? 0 : missed + 1;
      if (missed < missedMax || this.#isStopping) return;
      this.#logger.error({ edge: id, pid: worker.process.pid }, "an edge does not follow its member any more; it is ended");
      worker.process.kill("SIGKILL");
    }, watchMs).unref();
  }

  #again(at: number, server: Server, given: Given): void {
    if (this.#isStopping) return;
    this.#run(at, server, given).catch((error: Error) => {
      this.#logger.error(error.message);
      setTimeout(() => this.#again(at, server, given), againMs);
    });
  }
}

/** In an edge that a member has started: its flags, and what else it is given; null elsewhere. */
export function localEdge(): { flags: Given["flags"]; config: Pick<ServerConfig, "peerSecret" | "shared"> } | null {
  const text = process.env[variable];
  delete process.env[variable];
  if (text === undefined || !cluster.isWorker) return null;
  const { flags, secret, hasHealth } = JSON.parse(text) as Given;
  return { flags, config: { peerSecret: secret, shared: { metrics: { metrics: metricsOfMember, contentType }, hasHealth } } };
}

/** How often it is looked whether an edge has its first state, and how long that is waited for, in milliseconds: its member may have no quorum. */
const lookMs = 10;
const looksMax = 100;

/** In such an edge: it takes clients from now on, and answers what its member asks. */
export function tellServing(server: Server, logger: Logger): void {
  process.on("message", (message) => {
    if (typeof message === "object" && message !== null && "level" in message) logger.level = String(message.level);
    if (message === "added") void server.addedMetrics().then((list) => process.send?.({ added: list }));
  });
  let looks = 0;
  const timer = setInterval(() => {
    if (!server.member.isServing && ++looks < looksMax) return;
    clearInterval(timer);
    process.send?.("serving");
  }, lookMs);
}

const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** Asks the member for its figures: whichever edge is asked, they are the same ones. */
function metricsOfMember(): Promise<string> {
  return new Promise((resolve) => {
    const take = (message: unknown): void => {
      if (typeof message !== "object" || message === null || !("metrics" in message)) return;
      process.off("message", take);
      resolve(String(message.metrics));
    };
    process.on("message", take);
    process.send?.("metrics");
  });
}
