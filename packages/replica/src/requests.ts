/**
 * Requests of a connection that is through its connect: each finds its way to the tree, the order, or the watches.
 *
 * Invariants: writes are proposed in the order in which they came, each naming the one before it; reads and what leaves
 * watches or subscriptions run at the head of the connection's queue, on the state behind all writes sent before them.
 */
import {
  closeCode,
  decodeRequest,
  errorBody,
  type Follow,
  type Identity,
  type Limits,
  type RawMessage,
  type Read,
  type Refusal,
  type Request,
  refuse,
  type Subscribe,
  type Write,
  withUniqueAcls,
} from "@copse/protocol";
import { type Authenticate, type Caller, encodeOperation, encodeTxn, printOf, type Tree, type WriteTxn } from "@copse/tree";
import { type Audit, authFailure } from "./audit.ts";
import { ClientWrite, type WriteHost } from "./client-write.ts";
import type { Answer, Connection, Slot } from "./connection.ts";
import type { Effects } from "./effect.ts";
import type { History } from "./history.ts";
import type { Inspected } from "./inspection.ts";
import type { Clock } from "./ports.ts";
import type { Proposals } from "./proposals.ts";
import { answerRead, type Reader } from "./reads.ts";
import type { Sessions } from "./sessions.ts";
import { StatTexts } from "./stat-texts.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Barrier, Waits } from "./waits.ts";
import { restoreWatches } from "./watch-catch-up.ts";
import type { WatchTable } from "./watch-table.ts";

export interface RequestsState {
  readonly limits: Limits;
  /** The server allows no writes. */
  readonly isReadOnly: boolean;
  readonly tree: Tree;
  readonly history: History;
  readonly watches: WatchTable;
  readonly subscriptions: Subscriptions;
  readonly sessions: Sessions;
  readonly proposals: Proposals;
  readonly waits: Waits;
  readonly effects: Effects;
  readonly clock: Clock;
  /** The reply members of `ensemble`. */
  readonly ensemble: () => string;
  readonly inspected: Inspected;
  readonly audit: Audit | null;
}

type Of<Kind extends Request["kind"]> = Extract<Request, { readonly kind: Kind }>;

export class Requests {
  readonly #state: RequestsState;
  readonly #authenticating: Map<Connection, { readonly request: Of<"auth">; readonly slot: Slot }> = new Map();
  /** Requests taken, by op: for metrics. */
  readonly counts: Map<string, number> = new Map();
  /** Requests that were refused, by code: for metrics. */
  readonly refusals: Map<string, number> = new Map();

  readonly #writeHost: WriteHost;
  readonly #stats: StatTexts = new StatTexts();

  constructor(state: RequestsState) {
    this.#state = state;
    this.#writeHost = { audit: state.audit, tree: state.tree, refused: (code) => increment(this.refusals, code) };
  }

  /** Takes the next request of a connection. It is held back while an auth before it is being proved. */
  take(connection: Connection, message: RawMessage): void {
    if (connection.phase.kind === "holding") {
      connection.phase.held.push(message);
      return;
    }
    if (message.members["op"] === "connect") return connection.close(closeCode.malformed, "a second connect");
    const request = decodeRequest(message.members, message.id, this.#state.limits);
    this.#count(request);
    switch (request.kind) {
      case "write":
        return this.#write(connection, request, request.write);
      case "read":
        return this.#read(connection, request);
      case "ping":
        return this.#ping(connection, request.id);
      case "follow":
        return this.#follow(connection, request);
      case "auth":
        return this.#auth(connection, request);
      case "close":
        return this.#close(connection, request.id);
      case "refused":
        return this.#refuse(connection, request.id, request.refusal);
    }
  }

  /** The credentials of an auth are proved, or wrong (null). */
  authenticated(connection: Connection, identities: readonly Identity[] | null): void {
    const authenticating = this.#authenticating.get(connection);
    if (authenticating === undefined || connection.phase.kind !== "holding") return;
    this.#authenticating.delete(connection);
    const { request, slot } = authenticating;
    const { held } = connection.phase;
    connection.phase = { kind: "ready" };
    if (identities === null) {
      const refusal = refuse("AUTH_FAILED", "the credential is wrong or its scheme unknown");
      this.#state.audit?.(authFailure(connection, this.#state.tree.zxid));
      return connection.answer(slot, {
        body: this.#error(refusal),
        close: { code: closeCode.authenticationFailed, reason: refusal.message },
      });
    }
    if (connection.session === null) {
      connection.identify([...connection.caller.identities, ...identities]);
      this.#state.subscriptions.identitiesChanged(connection);
      connection.answer(slot, { body: this.#done() });
    } else this.#propose(connection, slot, request, { op: "auth", identities });
    for (const message of held) this.take(connection, message);
  }

  forget(connection: Connection): void {
    this.#authenticating.delete(connection);
  }

  #write(connection: Connection, request: Of<"write">, write: Write): void {
    if (connection.isReadOnly || this.#state.isReadOnly) return this.#refuse(connection, request.id, refuse("READ_ONLY", "no writes here"));
    if (!connection.holdsWrites) return this.#propose(connection, connection.enqueue(request.id), request, write);
    const run = (slot: Slot): null => {
      this.#propose(connection, slot, request, write);
      return null;
    };
    connection.enqueue(request.id, run, true);
  }

  #propose(connection: Connection, slot: Slot, request: Of<"write"> | Of<"auth">, write: Write | Authenticate): void {
    const { proposals, sessions } = this.#state;
    sessions.touch(connection);
    const { id, ack, guards } = request;
    const { id: session, generation } = connection.session!;
    const after = connection.lastWriteId;
    connection.lastWriteId = Math.max(after, id);
    const asked = encodeOperation(write);
    const print = printOf(asked, guards);
    const { address } = connection;
    // Here and not where it is applied: members of different builds apply the same txn.
    const plain = write.op === "auth" ? write : withUniqueAcls(write);
    const txn: WriteTxn = { kind: "write", session, generation, id, after, ack, print, address, guards, write: plain };
    const proposal = new ClientWrite(txn, connection, slot, this.#writeHost);
    proposals.propose(proposal, encodeTxn(txn, plain === write ? asked : undefined));
  }

  /** What comes behind an auth is held back until it is through. */
  #auth(connection: Connection, request: Of<"auth">): void {
    connection.phase = { kind: "holding", held: [], next: "auth" };
    const run = (slot: Slot): null => {
      this.#authenticating.set(connection, { request, slot });
      const { effects } = this.#state;
      effects.add({ kind: "authenticate", connection: connection.number, ticket: request.id, credentials: [request.credential] });
      return null;
    };
    connection.enqueue(request.id, run, true);
  }

  #read(connection: Connection, request: Of<"read">): void {
    const { waits, tree } = this.#state;
    const { id, read, atLeast } = request;
    const barrier = request.isLinearizable || read.op === "sync" ? waits.barrier() : null;
    // Most reads have nothing to wait for: they need no place in the queue.
    if (barrier === null && atLeast <= tree.zxid && connection.isFree) connection.reply(id, this.#answer(connection, read));
    else this.#run(connection, id, atLeast, barrier, () => ({ body: this.#answer(connection, read) }));
  }

  #answer(connection: Connection, read: Read): string {
    const members = answerRead(this.#state.tree, read, new ConnectionReader(connection, this.#stats, this.#state));
    return typeof members === "string" ? this.#done() + members : this.#error(members);
  }

  /** Runs at the head of the queue, once the zxid is reached and the barrier confirmed. */
  #run(connection: Connection, id: number, atLeast: number, barrier: Barrier | null, answer: () => Answer): void {
    const { waits, tree, clock } = this.#state;
    const isOver = (zxid: number): boolean => zxid >= atLeast && (barrier === null || barrier.isConfirmed);
    const run = (slot: Slot): Answer | null => {
      if (isOver(tree.zxid)) return answer();
      const settle = (give: () => Answer): void => {
        if (!connection.isClosed) connection.answer(slot, give());
      };
      const tooLong = (): Answer => ({ body: this.#error(refuse("UNAVAILABLE", "the wait took too long; nothing was done")) });
      const deadline = clock.now() + connection.timeoutMs / 3;
      waits.until(
        isOver,
        tree.zxid,
        deadline,
        () => settle(answer),
        () => settle(tooLong),
      );
      return null;
    };
    connection.enqueue(id, run, atLeast > 0 || barrier !== null);
  }

  #ping(connection: Connection, id: number): void {
    const { sessions, waits, tree, clock } = this.#state;
    if (connection.session === null) return connection.reply(id, this.#done());
    if (!sessions.touch(connection)) return;
    const barrier = waits.barrier();
    barrier.touched.add(connection.session.id);
    const answer = (): void => connection.reply(id, this.#done());
    waits.until(
      () => barrier.isConfirmed,
      tree.zxid,
      clock.now() + connection.timeoutMs / 3,
      answer,
      () => {
        connection.reply(id, this.#error(refuse("UNAVAILABLE", "no coordinator has counted the ping")));
      },
    );
  }

  #follow(connection: Connection, { id, follow, atLeast }: Of<"follow">): void {
    if (follow.op === "subscribe") {
      const least = Math.max(atLeast, follow.since ?? 0);
      this.#run(connection, id, least, null, () => this.#subscribe(connection, follow));
    } else {
      const least = follow.op === "restoreWatches" ? Math.max(atLeast, follow.since) : atLeast;
      this.#run(connection, id, least, null, () => ({ body: this.#followNow(connection, follow) }));
    }
  }

  #followNow(connection: Connection, follow: Exclude<Follow, Subscribe>): string {
    const { watches, subscriptions, limits } = this.#state;
    const done = this.#done();
    switch (follow.op) {
      case "addWatch": {
        if (watches.add(connection, follow.path, follow.mode, limits.watches)) return done;
        return this.#error(refuse("QUOTA_EXCEEDED", `a connection has at most ${limits.watches} watches`, follow.path));
      }
      case "removeWatch":
        return watches.remove(connection, follow.path, follow.mode)
          ? done
          : this.#error(refuse("NO_WATCHER", "the connection has no such watch on the path", follow.path));
      case "restoreWatches": {
        const refusal = restoreWatches(follow, connection, this.#state, limits.watches);
        return refusal === null ? done : this.#error(refusal);
      }
      case "unsubscribe":
        return subscriptions.unsubscribe(connection, follow.sub)
          ? done
          : this.#error(refuse("BAD_ARGUMENTS", "the connection has no subscription of this number"));
    }
  }

  #subscribe(connection: Connection, follow: Subscribe): Answer {
    const { subscriptions, limits } = this.#state;
    if (subscriptions.count(connection) < limits.subscriptions) return subscriptions.subscribe(follow, connection);
    return { body: this.#error(refuse("QUOTA_EXCEEDED", `a connection has at most ${limits.subscriptions} subscriptions`, follow.path)) };
  }

  #close(connection: Connection, id: number): void {
    connection.phase = { kind: "closing" };
    const close = { code: closeCode.sessionClosed, reason: "closed" };
    const run = (slot: Slot): null => {
      this.#state.sessions.end(connection, (applied) => {
        // An earlier copy of the same txn may have ended it already: what was asked for is done.
        const isDone = applied === null || applied.code === "SESSION_EXPIRED";
        connection.answer(slot, { body: isDone ? this.#done() : applied.body.text, close });
      });
      return null;
    };
    connection.enqueue(id, run);
  }

  #refuse(connection: Connection, id: number, refusal: Refusal): void {
    connection.enqueue(id, () => ({ body: this.#error(refusal) }));
  }

  /** The body of a reply that only says that it was done. */
  #done(): string {
    return `,"zxid":${this.#state.tree.zxid}`;
  }

  #error(refusal: Refusal): string {
    increment(this.refusals, refusal.code);
    return errorBody(this.#state.tree.zxid, refusal);
  }

  #count(request: Request): void {
    increment(this.counts, opName(request));
  }
}

/** A connection as one who reads. */
class ConnectionReader implements Reader {
  readonly stats: StatTexts;
  readonly #connection: Connection;
  readonly #state: RequestsState;

  constructor(connection: Connection, stats: StatTexts, state: RequestsState) {
    this.stats = stats;
    this.#connection = connection;
    this.#state = state;
  }

  get caller(): Caller {
    return this.#connection.caller;
  }

  get session(): string | null {
    return this.#connection.session?.id ?? null;
  }

  get inspected(): Inspected {
    return this.#state.inspected;
  }

  watch(path: string, kind: "data" | "child"): boolean {
    const { watches, limits } = this.#state;
    return watches.add(this.#connection, path, kind, limits.watches);
  }

  ensemble(): string {
    return this.#state.ensemble();
  }
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function opName(request: Request): string {
  switch (request.kind) {
    case "write":
      return request.write.op;
    case "read":
      return request.read.op;
    case "follow":
      return request.follow.op;
    default:
      return request.kind;
  }
}
