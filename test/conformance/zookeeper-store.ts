/**
 * ZooKeeper as a store: a raw client of its own protocol, written for these tests.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import type { AclItem } from "@copse/protocol";
import { JuteReader, JuteWriter } from "./jute.ts";
import {
  type Armed,
  Labels,
  type Outcome,
  type PlainStat,
  plainAcl,
  type Request,
  type Store,
  type StoreEvent,
  type StoreSession,
} from "./store.ts";
import type { ZooKeeperServer } from "./zookeeper-server.ts";

const code: Readonly<Record<string, number>> = {
  delete: 2,
  exists: 3,
  get: 4,
  set: 5,
  getAcl: 6,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  children: 12,
  check: 13,
  multi: 14,
  create: 15,
  removeWatch: 18,
  createContainer: 19,
  createTtl: 21,
  read: 22,
  auth: 100,
  ephemerals: 103,
  count: 104,
  restoreWatches: 105,
  addWatch: 106,
  whoami: 107,
  close: -11,
};
const errors: Readonly<Record<number, string>> = {
  [-6]: "UNIMPLEMENTED",
  [-8]: "BAD_ARGUMENTS",
  [-101]: "NO_NODE",
  [-102]: "NO_AUTH",
  [-103]: "BAD_VERSION",
  [-108]: "NO_CHILDREN_FOR_EPHEMERALS",
  [-110]: "NODE_EXISTS",
  [-111]: "NOT_EMPTY",
  [-112]: "SESSION_EXPIRED",
  [-114]: "INVALID_ACL",
  [-115]: "AUTH_FAILED",
  [-121]: "NO_WATCHER",
};
/** What the failures after the first one of a multi say. */
const notTried = -2;
const eventNames = ["", "created", "deleted", "changed", "childrenChanged"];
const permissions = ["read", "write", "create", "delete", "admin"];
const writes = new Set(["create", "set", "delete", "setAcl", "multi"]);
/** Xids of requests that have none of their own. */
const fixedXids: Readonly<Record<string, number>> = { auth: -4, restoreWatches: -8 };

interface Reply {
  readonly zxid: number;
  readonly error: number;
  readonly body: JuteReader;
}

export class ZooKeeperStore implements Store {
  readonly name: string = "ZooKeeper";
  readonly #server: ZooKeeperServer;
  labels: Labels = new Labels();

  constructor(server: ZooKeeperServer) {
    this.#server = server;
  }

  get zxids(): readonly number[] {
    return this.labels.zxids;
  }

  begin(): void {
    this.labels = new Labels();
  }

  async open(timeoutMs: number): Promise<StoreSession> {
    const session = new ZooKeeperSession(this, this.#server.port, timeoutMs);
    await session.connect();
    return session;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

class ZooKeeperSession implements StoreSession {
  readonly #store: ZooKeeperStore;
  readonly #port: number;
  readonly #timeoutMs: number;
  #socket!: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #id = 0n;
  #password: Buffer = Buffer.alloc(16);
  #isConnected = false;
  #xid = 0;
  #lastZxid = 0;
  readonly #waiting: { readonly resolve: (reply: Reply) => void; readonly reject: (error: Error) => void }[] = [];
  #connected: () => void = () => {};
  #events: StoreEvent[] = [];
  #own: StoreEvent[] = [];
  readonly #proven: Request[] = [];

  constructor(store: ZooKeeperStore, port: number, timeoutMs: number) {
    this.#store = store;
    this.#port = port;
    this.#timeoutMs = timeoutMs;
  }

  async connect(): Promise<void> {
    this.#isConnected = false;
    this.#rest = Buffer.alloc(0);
    this.#socket = createConnection({ port: this.#port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (chunk) => this.#received(chunk)).on("error", () => {});
    this.#socket.on("close", () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("ZooKeeper closed the connection"));
    });
    const connected = new Promise<void>((resolve, reject) => {
      this.#connected = resolve;
      this.#socket.once("close", () => reject(new Error("ZooKeeper closed the connection")));
    });
    const request = new JuteWriter().int(0).long(BigInt(this.#lastZxid)).int(this.#timeoutMs).long(this.#id).buffer(this.#password);
    this.#socket.write(request.bool(false).packet());
    await connected;
  }

  async ask(request: Request): Promise<Outcome> {
    const reply = await this.#send(request);
    this.#own.push(...this.#events.splice(0));
    if (request.op === "auth") this.#proven.push(request);
    const outcome = this.#read(request, reply);
    return "error" in outcome || !writes.has(request.op) ? outcome : { zxid: this.#store.labels.zxid(reply.zxid), ...outcome };
  }

  takeEvents(): { own: StoreEvent[]; others: StoreEvent[] } {
    return { own: this.#own.splice(0), others: this.#events.splice(0) };
  }

  async cut(): Promise<void> {
    this.#socket.destroy();
    if (!this.#socket.closed) await once(this.#socket, "close");
  }

  async resume(armed: Armed): Promise<void> {
    const since = this.#lastZxid;
    await this.connect();
    // Identities are the connection's; for copse they are the session's.
    for (const request of this.#proven) await this.#send(request);
    await this.#send({ op: "restoreWatches", since, ...armed });
  }

  async close(): Promise<void> {
    const { zxid } = await this.#send({ op: "close" });
    this.#store.labels.zxid(zxid);
    await this.cut();
  }

  #send(request: Request): Promise<Reply> {
    const { op, container, ttl } = request;
    const kind = op === "create" && container === true ? "createContainer" : op === "create" && ttl !== undefined ? "createTtl" : op;
    const writer = new JuteWriter().int(fixedXids[op] ?? ++this.#xid).int(code[kind]!);
    writeBody(writer, request);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(writer.packet());
    });
  }

  #received(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const end = 4 + bytes.readInt32BE(0);
      this.#packet(new JuteReader(bytes.subarray(4, end)));
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
  }

  #packet(reader: JuteReader): void {
    if (!this.#isConnected) {
      reader.int();
      reader.int();
      this.#id = reader.long();
      this.#password = Buffer.from(reader.buffer()!);
      this.#isConnected = true;
      return this.#connected();
    }
    const [xid, zxid, error] = [reader.int(), Number(reader.long()), reader.int()];
    if (xid === -1) {
      const type = reader.int();
      reader.int();
      this.#events.push({ event: eventNames[type] ?? `type ${type}`, path: reader.string() });
      return;
    }
    if (zxid > 0) this.#lastZxid = zxid;
    this.#waiting.shift()?.resolve({ zxid, error, body: reader });
  }

  #read(request: Request, { error, body }: Reply): Outcome {
    if (error !== 0 && request.op !== "multi") {
      // A missing znode is no error for copse.
      if (request.op === "exists" && error === -101) return { stat: null };
      return { error: errors[error] ?? `code ${error}` };
    }
    switch (request.op) {
      case "create":
        return { path: body.string(), stat: this.#stat(body) };
      case "set":
      case "setAcl":
      case "exists":
        return { stat: this.#stat(body) };
      case "get":
        return { data: dataOf(body), stat: this.#stat(body) };
      case "children":
        return { children: body.vector(() => body.string()).sort(), stat: this.#stat(body) };
      case "getAcl":
        return { acl: plainAcl(body.vector(() => readAcl(body))), stat: this.#stat(body) };
      case "multi":
      case "read":
        return this.#results(request.op, body);
      case "ephemerals":
        return { paths: body.vector(() => body.string()).sort() };
      case "count":
        return { count: body.int() };
      case "whoami":
        return { identities: body.vector(() => `${body.string()}:${body.string()}`).sort() };
      default:
        return {};
    }
  }

  #results(op: string, body: JuteReader): Outcome {
    const results: Outcome[] = [];
    let failed: Outcome | null = null;
    for (;;) {
      const [type, isDone, error] = [body.int(), body.bool(), body.int()];
      if (isDone) break;
      if (type === -1) {
        const found = body.int();
        if (op === "read") results.push({ error: errors[found] ?? `code ${found}` });
        else if (found !== 0 && found !== notTried) failed ??= { error: errors[found] ?? `code ${found}`, index: results.length };
        if (op !== "read") results.push({});
      } else if (error !== 0) results.push({ error });
      else if (type === code["getChildren"]) results.push({ children: body.vector(() => body.string()).sort() });
      else if (type === code["get"]) results.push({ data: dataOf(body), stat: this.#stat(body) });
      else if (type === code["set"]) results.push({ stat: this.#stat(body) });
      else if (type === code["delete"] || type === code["check"]) results.push({});
      else if (type === 1) results.push({ path: body.string() });
      else {
        results.push({ path: body.string() });
        this.#stat(body);
      }
    }
    return failed ?? { results };
  }

  #stat(body: JuteReader): Outcome {
    const [czxid, mzxid, ctime, mtime] = [body.long(), body.long(), body.long(), body.long()].map(Number) as [
      number,
      number,
      number,
      number,
    ];
    const [version, cversion, aversion] = [body.int(), body.int(), body.int()];
    const owner = body.long();
    const [dataLength, numChildren, pzxid] = [body.int(), body.int(), Number(body.long())];
    const stat: PlainStat = {
      ...{ czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, dataLength, numChildren },
      ephemeralOwner: owner === 0n ? null : String(owner),
    };
    return this.#store.labels.stat(stat);
  }
}

function dataOf(body: JuteReader): string | null {
  const bytes = body.buffer();
  return bytes === null ? null : String(bytes);
}

function readAcl(body: JuteReader): AclItem {
  const bits = body.int();
  return { perms: permissions.filter((_, at) => (bits & (1 << at)) !== 0) as AclItem["perms"], scheme: body.string(), id: body.string() };
}

function writeAcl(writer: JuteWriter, acl: readonly AclItem[]): void {
  writer.vector(acl, ({ perms, scheme = "", id = "" }) => {
    writer.int(permissions.reduce((bits, name, at) => bits | ((perms as readonly string[]).includes(name) ? 1 << at : 0), 0));
    writer.string(scheme).string(id);
  });
}

const everybody: AclItem[] = [{ perms: ["read", "write", "create", "delete", "admin"], scheme: "world", id: "anyone" }];
const modes = { persistent: 0, ephemeral: 1, sequential: 2, ephemeralSequential: 3, container: 4, ttl: 5, ttlSequential: 6 } as const;

function modeOf({ ephemeral, sequential, container, ttl }: Request): number {
  if (container === true) return modes.container;
  if (ttl !== undefined) return sequential === true ? modes.ttlSequential : modes.ttl;
  if (ephemeral === true) return sequential === true ? modes.ephemeralSequential : modes.ephemeral;
  return sequential === true ? modes.sequential : modes.persistent;
}

function writeBody(writer: JuteWriter, request: Request): void {
  const { op, path, version = -1, watch = false } = request;
  const data = typeof request["data"] === "string" ? Buffer.from(request["data"]) : null;
  switch (op) {
    case "create":
      writer.string(path).buffer(data);
      writeAcl(writer, request["acl"] ?? everybody);
      writer.int(modeOf(request));
      if (request["ttl"] !== undefined) writer.long(BigInt(request["ttl"]));
      break;
    case "delete":
    case "check":
      writer.string(path).int(version);
      break;
    case "set":
      writer.string(path).buffer(data).int(version);
      break;
    case "exists":
    case "get":
    case "children":
      writer.string(path).bool(watch);
      break;
    case "setAcl":
      writer.string(path);
      writeAcl(writer, request["acl"]);
      writer.int(version);
      break;
    case "multi":
    case "read":
      for (const one of request["ops"] as Request[]) {
        const kind =
          one.op === "children"
            ? "getChildren"
            : one["container"] === true
              ? "createContainer"
              : one["ttl"] !== undefined
                ? "createTtl"
                : one.op;
        writer.int(code[kind]!).bool(false).int(-1);
        writeBody(writer, one);
      }
      writer.int(-1).bool(true).int(-1);
      break;
    case "addWatch":
      writer.string(path).int(request["mode"] === "persistent" ? 0 : 1);
      break;
    case "removeWatch":
      writer.string(path).int(3);
      break;
    case "restoreWatches":
      writer.long(BigInt(request["since"]));
      for (const list of ["data", "exist", "child", "persistent", "recursive"])
        writer.vector((request[list] ?? []) as string[], (one) => void writer.string(one));
      break;
    case "auth":
      writer.int(0).string(request["scheme"]).buffer(Buffer.from(request["credential"]));
      break;
    case "ephemerals":
      writer.string(request["prefix"]);
      break;
    case "sync":
      writer.string("/");
      break;
    case "whoami":
    case "close":
      break;
    default:
      writer.string(path);
  }
}
