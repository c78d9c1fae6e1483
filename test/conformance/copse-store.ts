/**
 * Copse as a store: a real hub, spoken to over a WebSocket by the contract.
 */
import type { Stat } from "@copse/protocol";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";
import { type Armed, Labels, type Outcome, plainAcl, type Request, type Store, type StoreEvent, type StoreSession } from "./store.ts";

export class CopseStore implements Store {
  readonly name: string = "copse";
  readonly hub: Hub;
  labels: Labels = new Labels();

  private constructor(hub: Hub) {
    this.hub = hub;
  }

  static async start(reapMs: number): Promise<CopseStore> {
    return new CopseStore(await startHub({ timeoutMsMin: 300, reapMs }));
  }

  get zxids(): readonly number[] {
    return this.labels.zxids;
  }

  begin(): void {
    this.labels = new Labels();
  }

  async open(timeoutMs: number): Promise<StoreSession> {
    const session = new CopseSession(this, timeoutMs);
    await session.connect();
    return session;
  }

  stop(): Promise<void> {
    return this.hub.destroy();
  }
}

class CopseSession implements StoreSession {
  readonly #store: CopseStore;
  readonly #timeoutMs: number;
  #client!: RawClient;
  #read = 0;
  #ownUntil = 0;
  #lastZxid = 0;

  constructor(store: CopseStore, timeoutMs: number) {
    this.#store = store;
    this.#timeoutMs = timeoutMs;
  }

  async connect(): Promise<void> {
    const { session } = this.#client?.session ?? {};
    const lastId = this.#client === undefined ? 0 : this.#client.nextId();
    this.#client = await RawClient.connect(this.#store.hub.url, {
      timeout: this.#timeoutMs,
      ...(session === undefined ? {} : { session }),
    });
    this.#client.skipTo(lastId);
    this.#read = 0;
    this.#ownUntil = 0;
  }

  async ask(request: Request): Promise<Outcome> {
    const reply = await this.#client.ask(request);
    this.#lastZxid = Math.max(this.#lastZxid, reply["zxid"] as number);
    this.#ownUntil = this.#client.received.indexOf(reply);
    return this.#plain(request, reply);
  }

  takeEvents(): { own: StoreEvent[]; others: StoreEvent[] } {
    const { received } = this.#client;
    const own = eventsOf(received.slice(this.#read, this.#ownUntil));
    const others = eventsOf(received.slice(Math.max(this.#read, this.#ownUntil)));
    this.#read = received.length;
    return { own, others };
  }

  async cut(): Promise<void> {
    await this.#client.cut();
  }

  async resume(armed: Armed): Promise<void> {
    const since = this.#lastZxid;
    await this.connect();
    await this.#client.ask({ op: "restoreWatches", since, ...armed });
  }

  async close(): Promise<void> {
    const { zxid } = await this.#client.ask({ op: "close" });
    this.#store.labels.zxid(zxid as number);
    await this.#client.closed;
  }

  #plain(request: Request, { id: _, zxid, error, ...body }: Message): Outcome {
    if (error !== undefined) {
      const { code, index } = error as { code: string; index?: number };
      return index === undefined ? { error: code } : { error: code, index };
    }
    const { labels } = this.#store;
    // In the same order as the reply of ZooKeeper is read: labels follow the order in which numbers are met.
    const outcome = this.#body(request, body);
    return isWrite(request.op) ? { zxid: labels.zxid(zxid as number), ...outcome } : outcome;
  }

  #body(request: Request, body: Message): Outcome {
    const stat = (): Outcome => (body["stat"] === null ? { stat: null } : { stat: this.#stat(body["stat"] as Stat) });
    switch (request.op) {
      case "create":
        return { path: body["path"], ...stat() };
      case "set":
      case "setAcl":
      case "exists":
        return stat();
      case "get":
        return { data: body["data"] ?? null, ...stat() };
      case "children":
        return { children: body["children"], ...stat() };
      case "getAcl":
        return { acl: plainAcl(body["acl"]), ...stat() };
      case "multi":
        return { results: (body["results"] as Message[]).map((one, at) => this.#multiResult(request["ops"][at], one)) };
      case "read":
        return { results: (body["results"] as Message[]).map((one, at) => this.#readResult(request["ops"][at], one)) };
      case "ephemerals":
        return { paths: body["paths"] };
      case "count":
        return { count: body["count"] };
      case "whoami":
        return {
          identities: (body["identities"] as Message[])
            .filter(({ scheme }) => scheme !== "scrypt")
            .map(({ scheme, id }) => `${scheme}:${String(id).split(":")[0]}`)
            .sort(),
        };
      default:
        return {};
    }
  }

  /** That a stat shows `ttl` and `container` is copse's own. */
  #stat({ ttl: _ttl, container: _container, ...stat }: Stat): Outcome {
    return this.#store.labels.stat(stat);
  }

  /** ZooKeeper's multi gives no stat of what it creates. */
  #multiResult(request: Request, body: Message): Outcome {
    return request.op === "create" ? { path: body["path"] } : this.#body(request, body);
  }

  #readResult(request: Request, { error, ...body }: Message): Outcome {
    if (error !== undefined) return { error: (error as Message)["code"] };
    // ZooKeeper's multi-read has no stat for children.
    return request.op === "children" ? { children: body["children"] } : this.#body(request, body);
  }
}

function isWrite(op: string): boolean {
  return ["create", "set", "delete", "setAcl", "multi"].includes(op);
}

function eventsOf(messages: readonly Message[]): StoreEvent[] {
  return messages
    .filter(({ event, path }) => event !== undefined && path !== undefined)
    .map(({ event, path }) => ({ event: event as string, path: path as string }));
}
