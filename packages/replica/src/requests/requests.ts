/**
 * Requests of a connection that is through its connect: each finds its way to the tree, the order, or the watches.
 *
 * Invariants: writes are proposed in the order in which they came, each naming the one before it; reads and what leaves
 * watches or subscriptions run at the head of the connection's queue, on the state after all writes sent before them.
 */
import {
  type Body,
  closeCode,
  decodeRequest,
  type Follow,
  type Limits,
  type Op,
  type RawMessage,
  type Read,
  type Refusal,
  type Request,
  refuse,
  type Subscribe,
  type Write,
  withUniqueAcls,
} from "@copse/protocol";
import {
  type Authenticate,
  asksForAdmin,
  encodeOperation,
  encodeTxn,
  expandedFault,
  formatNeeded,
  type Identities,
  isJudgedAnew,
  isLarge,
  largePrintOf,
  printOf,
  type Tree,
  type WriteTxn,
} from "@copse/tree";
import type { Budgets } from "../connections/budgets.ts";
import type { Connection } from "../connections/connection.ts";
import { pressureOn } from "../connections/growth.ts";
import type { Answer, Slot } from "../connections/slot.ts";
import type { Effects } from "../effect.ts";
import type { Comparison } from "../ensemble/comparison.ts";
import type { Ensemble } from "../ensemble/ensemble.ts";
import type { Tally } from "../figures/tally.ts";
import type { History } from "../following/history.ts";
import type { Sight } from "../following/sight.ts";
import type { Subscriptions } from "../following/subscriptions.ts";
import { restoreWatches } from "../following/watch-catch-up.ts";
import type { WatchTable } from "../following/watch-table.ts";
import type { Proposals } from "../order/proposals.ts";
import type { Clock, Hash } from "../ports.ts";
import type { Policy } from "../sessions/policy.ts";
import type { Sessions } from "../sessions/sessions.ts";
import type { Downloads } from "../snapshots/downloads.ts";
import { type Audit, type Denied, denialOf } from "./audit.ts";
import { Authentication, credentialPrint } from "./authentication.ts";
import { ClientWrite, type WriteHost } from "./client-write.ts";
import { ConnectionReader } from "./connection-reader.ts";
import type { Inspected } from "./inspection.ts";
import { LongReads } from "./long-reads.ts";
import { answerRead } from "./reads.ts";
import { StatTexts } from "./stat-texts.ts";
import type { ReadBarrier, Waits } from "./waits.ts";

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
  readonly ensemble: Pick<Ensemble, "shown" | "edgeUrls">;
  readonly inspected: Inspected;
  readonly budgets: Budgets;
  readonly policy: Policy;
  readonly sight: Sight;
  readonly hash: Hash;
  /** What a connection without a session has proved is this from now on. */
  readonly identified: (connection: Connection, held: Identities) => void;
  /** True if every member reads this format of txns. */
  readonly canUse: (format: number) => boolean;
  /** A connection may go on with what it held back. */
  readonly release: (connection: Connection) => void;
  readonly downloads: Downloads;
  readonly comparison: Pick<Comparison, "compare">;
  readonly tally: Tally;
  readonly audit: Audit | null;
  /** Is told of each request that was refused for want of a permission; null where nobody listens. */
  readonly denied: Denied | null;
}

type Of<Kind extends Request["kind"]> = Extract<Request, { readonly kind: Kind }>;

export class Requests {
  readonly #state: RequestsState;
  readonly authentication: Authentication;
  /** Requests taken, by op: for metrics. */
  readonly counts: Map<string, number> = new Map();
  /** Requests that were refused, by code: for metrics. */
  readonly refusals: Map<string, number> = new Map();

  readonly #writeHost: WriteHost;
  readonly #stats: StatTexts = new StatTexts();
  readonly #longReads: LongReads;

  constructor(state: RequestsState) {
    this.#state = state;
    const { audit, tree, denied, tally, clock } = state;
    this.#writeHost = { audit, tree, denied, tally, clock, refused: (code) => increment(this.refusals, code) };
    this.#longReads = new LongReads(state, (connection, refusal) => this.#error(connection, refusal));
    this.authentication = new Authentication(state, {
      propose: (connection, slot, request, write) => this.#propose(connection, slot, request, write),
      error: (connection, refusal) => this.#error(connection, refusal),
      done: (connection) => this.#done(connection),
    });
  }

  /** Refuses a request that came when it should not: it is new, and was not done. */
  throttle(connection: Connection, id: number): void {
    this.#refuse(connection, id, refuse("THROTTLED", "too many requests: nothing was done"));
  }

  /** Takes the next request of a connection. */
  take(connection: Connection, message: RawMessage): void {
    if (message.members["op"] === "connect") return connection.close(closeCode.malformed, "a second connect");
    const request = decodeRequest(message.members, message.id, this.#state.limits);
    this.#count(request);
    const { budgets, tree } = this.#state;
    const pressure = pressureOn(request, budgets.pressures, connection.lastWriteId, tree);
    if (pressure !== null) {
      budgets.refused(pressure);
      const what = { heap: "the member's memory", disk: "the member's disk", leader: "the disk or memory of the member that leads" }[
        pressure
      ];
      const refusal = refuse("QUOTA_EXCEEDED", `${what} is nearly full: requests that need more are refused`);
      return this.#refuse(connection, request.id, refusal);
    }
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
        return this.authentication.begin(connection, request);
      case "close":
        return this.#close(connection, request.id);
      case "refused":
        return this.#refuse(connection, request.id, request.refusal);
    }
  }

  #write(connection: Connection, request: Of<"write">, write: Write): void {
    if (write.op === "logout" && connection.session === null) return this.authentication.logOut(connection, request.id);
    if (connection.isReadOnly || this.#state.isReadOnly)
      return this.#refuse(connection, request.id, refuse("READ_ONLY", "this server or this connection is read-only"));
    if (!connection.holdsWrites) return this.#propose(connection, connection.enqueue(request.id), request, write);
    const run = (slot: Slot): null => {
      this.#propose(connection, slot, request, write);
      return null;
    };
    connection.enqueue(request.id, run, true);
  }

  #propose(connection: Connection, slot: Slot, request: Of<"write"> | Of<"auth">, write: Write | Authenticate): void {
    const { proposals, sessions, clock, canUse, hash } = this.#state;
    // Here and not where it is applied: members of different builds apply the same txn.
    const plain = write.op === "auth" ? write : write.op === "stepTime" ? { ...write, time: clock.wall() } : withUniqueAcls(write);
    const fault = plain.op === "auth" || request.id <= connection.lastWriteId ? null : expandedFault(plain, connection.caller);
    if (fault !== null) return connection.answer(slot, { body: this.#error(connection, fault) });
    const needed = formatNeeded(write);
    if (needed > 1 && !canUse(needed)) return this.#refuseUnread(connection, slot);
    const isAnew = isJudgedAnew(write) && canUse(3);
    sessions.touch(connection);
    const { id, ack, guards } = request;
    const { id: session, generation } = connection.session!;
    const after = connection.propose(id);
    const isByChecksum = isLarge(write) && canUse(8);
    const asked = isByChecksum ? undefined : encodeOperation(write);
    const print = isByChecksum
      ? largePrintOf(write, guards, hash.crc32)
      : printOf(request.kind === "auth" && canUse(5) ? credentialPrint(request, connection, hash) : asked!, guards);
    const { address } = connection;
    const common = { kind: "write", session, generation, id, after, ack, print, address, guards, write: plain } as const;
    const txn: WriteTxn = this.#judged(connection, common, needed, isAnew);
    const proposal = new ClientWrite(txn, connection, slot, this.#writeHost);
    proposals.propose(proposal, plain === write && asked !== undefined && !isLarge(write) ? encodeTxn(txn, asked) : undefined);
  }

  /** With what this member's clock and configuration say about it, in the oldest format that says enough. */
  #judged({ identities: { held, certificate }, holder }: Connection, txn: WriteTxn, needed: number, isAnew: boolean): WriteTxn {
    const { policy, clock, canUse } = this.#state;
    const { write } = txn;
    const budget = write.op === "create" || write.op === "set" || write.op === "multi" ? (holder?.created ?? null) : null;
    const usesFormat5 = budget !== null || needed >= 5 || held.proofs.length > 0 || certificate !== null || write.op === "auth";
    if (!isAnew && !usesFormat5) return txn;
    const common = asksForAdmin(write) ? { ...txn, isWorldAdmin: policy.isWorldAdmin } : txn;
    if (!usesFormat5 || !canUse(5)) return isAnew ? { ...common, format: 3 } : txn;
    return {
      ...common,
      format: needed === 6 || needed === 7 ? needed : 5,
      wall: clock.wall(),
      ...(certificate === null ? {} : { certificate }),
      ...(budget === null ? {} : { budget }),
      ...(write.op === "revoke" ? { retentionMs: policy.retentionMsOf(write.identity) } : {}),
    };
  }

  /** A write that some member would not understand: it waits, with its connection, until all do. */
  #refuseUnread(connection: Connection, slot: Slot): void {
    const refusal = refuse("UNAVAILABLE", "a member of the ensemble runs a build that does not support this yet");
    connection.answer(slot, { body: this.#error(connection, refusal), close: { code: closeCode.unavailable, reason: refusal.message } });
  }

  #read(connection: Connection, request: Of<"read">): void {
    const { waits, tree } = this.#state;
    const { id, read, atLeast } = request;
    if (read.op === "snapshot") return this.#longReads.download(connection, id, read.offset);
    if (read.op === "ensemble" && read.compares) return this.#longReads.compare(connection, id);
    const barrier = request.isLinearizable || read.op === "sync" ? waits.barrier() : null;
    // Most reads have nothing to wait for: they need no place in the queue.
    if (barrier === null && atLeast <= tree.zxid && connection.isFree) {
      connection.reply(id, this.#answer(connection, read));
      this.#answered(connection, read.op);
    } else this.#run(connection, id, read.op, atLeast, barrier, () => ({ body: this.#answer(connection, read) }));
  }

  forget(connection: Connection): void {
    this.authentication.forget(connection);
    this.#longReads.forget(connection);
  }

  #answer(connection: Connection, read: Exclude<Read, { readonly op: "snapshot" }>): Body {
    const fields = answerRead(this.#state.tree, read, new ConnectionReader(connection, this.#stats, this.#state));
    if (typeof fields !== "string" && fields.code === "NO_AUTH")
      this.#state.denied?.(() => denialOf(connection, read.op, fields.path ?? "/", "read", false, this.#state.tree));
    return typeof fields === "string" ? connection.replies.body(this.#state.tree.zxid, fields) : this.#error(connection, fields);
  }

  /** Runs at the head of the queue, once the zxid is reached and the barrier confirmed. */
  #run(connection: Connection, id: number, op: Op, atLeast: number, barrier: ReadBarrier | null, give: () => Answer): void {
    const { waits, tree, clock } = this.#state;
    const answer = (): Answer => {
      this.#answered(connection, op);
      return give();
    };
    const isOver = (zxid: number): boolean => zxid >= atLeast && (barrier === null || barrier.isConfirmed);
    const run = (slot: Slot): Answer | null => {
      if (isOver(tree.zxid)) return answer();
      const settle = (outcome: () => Answer): void => {
        if (!connection.isClosed) connection.answer(slot, outcome());
      };
      const tooLong = (): Answer => ({ body: this.#error(connection, refuse("UNAVAILABLE", "the wait took too long; nothing was done")) });
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
    if (connection.session === null) return connection.reply(id, this.#done(connection));
    if (!sessions.touch(connection)) return;
    const barrier = waits.barrier();
    barrier.touched.add(connection.session.id);
    const answer = (): void => {
      this.#answered(connection, "ping");
      connection.reply(id, this.#done(connection));
    };
    waits.until(
      () => barrier.isConfirmed,
      tree.zxid,
      clock.now() + connection.timeoutMs / 3,
      answer,
      () => {
        connection.reply(id, this.#error(connection, refuse("UNAVAILABLE", "no coordinator has counted the ping")));
      },
    );
  }

  #follow(connection: Connection, { id, follow, atLeast }: Of<"follow">): void {
    if (follow.op === "subscribe") {
      const least = Math.max(atLeast, follow.since ?? 0);
      this.#run(connection, id, follow.op, least, null, () => this.#subscribe(connection, follow));
    } else {
      const least = follow.op === "restoreWatches" ? Math.max(atLeast, follow.since) : atLeast;
      this.#run(connection, id, follow.op, least, null, () => ({ body: this.#followNow(connection, follow) }));
    }
  }

  #followNow(connection: Connection, follow: Exclude<Follow, Subscribe>): Body {
    const { watches, subscriptions } = this.#state;
    const done = this.#done(connection);
    switch (follow.op) {
      case "addWatch": {
        const refusal = watches.refusal(connection, [[follow.path, follow.mode]]);
        if (refusal !== null) return this.#error(connection, { ...refusal, path: follow.path });
        watches.add(connection, follow.path, follow.mode);
        return done;
      }
      case "removeWatch":
        return watches.remove(connection, follow.path, follow.mode)
          ? done
          : this.#error(connection, refuse("NO_WATCHER", "the connection has no such watch on the path", follow.path));
      case "restoreWatches": {
        const refusal = restoreWatches(follow, connection, this.#state);
        return refusal === null ? done : this.#error(connection, refusal);
      }
      case "unsubscribe":
        return subscriptions.unsubscribe(connection, follow.sub)
          ? done
          : this.#error(connection, refuse("BAD_ARGUMENTS", "the connection has no subscription of this number"));
    }
  }

  #subscribe(connection: Connection, follow: Subscribe): Answer {
    const { subscriptions } = this.#state;
    const refusal = subscriptions.refusal(connection, follow.path);
    return refusal === null
      ? subscriptions.subscribe(follow, connection)
      : { body: this.#error(connection, { ...refusal, path: follow.path }) };
  }

  #close(connection: Connection, id: number): void {
    connection.finish();
    const close = { code: closeCode.sessionClosed, reason: "closed" };
    const run = (slot: Slot): null => {
      this.#state.sessions.end(connection, (applied) => {
        // An earlier copy of the same txn may have ended it already: what was asked for is done.
        const isDone = applied === null || applied.code === "SESSION_EXPIRED";
        connection.answer(slot, { body: isDone ? this.#done(connection) : connection.replies.written(applied.reply!), close });
      });
      return null;
    };
    connection.enqueue(id, run);
  }

  #refuse(connection: Connection, id: number, refusal: Refusal): void {
    connection.enqueue(id, () => ({ body: this.#error(connection, refusal) }));
  }

  /** The body of a reply that only says that it was done. */
  #done(connection: Connection): Body {
    return connection.replies.body(this.#state.tree.zxid, "");
  }

  #error(connection: Connection, refusal: Refusal): Body {
    increment(this.refusals, refusal.code);
    return connection.replies.refused(this.#state.tree.zxid, refusal);
  }

  #answered(connection: Connection, op: Op): void {
    this.#state.tally.answered(op, this.#state.clock.now() - connection.heardAt);
  }

  #count(request: Request): void {
    increment(this.counts, opName(request));
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
