/**
 * The first message of a connection, until it is answered: credentials, a session opened or resumed, the welcome.
 *
 * Invariants: nobody learns whether a session was unknown, expired, or asked for with a wrong secret; every reply says the cluster; what
 * comes after the connect waits for its answer. A session that is being opened counts for its address already.
 */
import {
  type Connect,
  closeCode,
  decodeConnect,
  type Identity,
  isRefusal,
  type Limits,
  type RawMessage,
  type Refusal,
  refuse,
} from "@copse/protocol";
import {
  type Applied,
  type Identities,
  noIdentities,
  type OpenTxn,
  type Proof,
  proofRefusal,
  type ShownRole,
  type Tree,
} from "@copse/tree";
import { Allowance, type Budgets } from "../connections/budgets.ts";
import type { Connection } from "../connections/connection.ts";
import type { Holder, Holders } from "../connections/holders.ts";
import { type AuthOutcome, authFailed, identitiesOf, needsFormat5, notLetIn, split } from "../connections/proof.ts";
import type { Effects } from "../effect.ts";
import type { Tally } from "../figures/tally.ts";
import type { Sight } from "../following/sight.ts";
import type { Proposals } from "../order/proposals.ts";
import type { Clock, Hash, Random } from "../ports.ts";
import { type Audit, authFailure } from "../requests/audit.ts";
import type { Waits } from "../requests/waits.ts";
import { holderKeyOf, type Policy } from "./policy.ts";
import { noCoordinator, type Sessions } from "./sessions.ts";

export interface AdmissionOptions {
  /** The cluster of the data directory, where it was born with one; else null, until the ensemble has agreed on one. */
  readonly cluster: string | null;
  readonly member: string;
  readonly limits: Limits;
  /** Bounds and default of a session's timeout, in milliseconds. */
  readonly timeoutMsMin: number;
  readonly timeoutMsMax: number;
  readonly timeoutMsDefault: number;
  /** The server allows no writes. */
  readonly isReadOnly: boolean;
}

export interface AdmissionState {
  readonly tree: Tree;
  readonly sessions: Sessions;
  readonly proposals: Proposals;
  readonly waits: Waits;
  readonly effects: Effects;
  readonly clock: Clock;
  readonly random: Random;
  readonly hash: Hash;
  readonly budgets: Budgets;
  readonly holders: Holders;
  readonly sight: Sight;
  /** A connection may go on with what it held back. */
  readonly release: (connection: Connection) => void;
  /** True if every member reads this format of txns. */
  readonly canUse: (format: number) => boolean;
  readonly role: () => ShownRole;
  readonly audit: Audit | null;
  readonly tally: Tally;
  readonly policy: Policy;
  /** A connection is in, with what it has proved. */
  readonly admitted: (connection: Connection) => void;
}

/** A connection whose connect is not answered yet. */
interface Connecting {
  readonly id: number;
  readonly connect: Connect;
  /** Its session counts for its address, though it does not stand yet. */
  isOpening: boolean;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #state: AdmissionState;
  readonly #connecting: Map<Connection, Connecting> = new Map();

  constructor(options: AdmissionOptions, state: AdmissionState) {
    this.#options = options;
    this.#state = state;
  }

  forget(connection: Connection): void {
    this.#setOpening(connection, false);
    this.#connecting.delete(connection);
  }

  /** Whoever wants in, and had better not come here, is told to look elsewhere. */
  giveUp(): void {
    for (const [connection, { id, connect }] of [...this.#connecting]) {
      const refusal = this.#state.sessions.refusal(connect.isReadOnly);
      if (refusal !== null) this.#refuse(connection, id, refusal, closeCode.unavailable);
    }
  }

  /** The first message of a connection. */
  connect(connection: Connection, message: RawMessage): void {
    connection.hold("connect");
    const connect = decodeConnect(message.members, this.#options.limits);
    if (isRefusal(connect)) return this.#refuse(connection, message.id, connect, closeCode.malformed);
    this.#connecting.set(connection, { id: message.id, connect, isOpening: false });
    connection.agree({ isReadOnly: connect.isReadOnly, timeoutMs: this.#clamp(connect.timeoutMs), name: connect.name });
    const refusal = this.#state.sessions.refusal(connect.isReadOnly);
    if (refusal !== null) return this.#refuse(connection, message.id, refusal, closeCode.unavailable);
    // Credentials are proved with the cluster's id, and every reply says it; nobody comes in before it says whose the root is; and what a
    // session has proved is not proved again.
    const { sessions, tree } = this.#state;
    this.#state.waits.until(
      () => sessions.cluster !== "" && tree.ensemble.version > 0 && (connect.session === null || sessions.knowsOf(connect.session.id)),
      tree.zxid,
      this.#deadline(connection),
      () => this.#prove(connection),
      () => this.#refuse(connection, message.id, noCoordinator, closeCode.unavailable),
    );
  }

  #prove(connection: Connection): void {
    const connecting = this.#connecting.get(connection);
    if (connecting === undefined) return;
    const { id, connect } = connecting;
    if (connect.auth.length === 0) this.authenticated(connection, { proofs: [] });
    else {
      const proved = this.#provedBy(connect);
      this.#state.effects.add({ kind: "authenticate", connection: connection.number, ticket: id, credentials: connect.auth, proved });
    }
  }

  /** What the session has proved that is asked for with its secret: whoever has only its id is told nothing by how long an answer takes. */
  #provedBy({ session }: Connect): readonly Identity[] | null {
    const { tree, hash, clock } = this.#state;
    const known = session === null ? undefined : tree.sessions.get(session.id);
    return known === undefined || known.secretHash !== hash.sha256(session!.secret) ? null : known.held.at(clock.wall()).all;
  }

  /** What the credentials of a connect have proved. */
  authenticated(connection: Connection, outcome: AuthOutcome): void {
    const connecting = this.#connecting.get(connection);
    if (connecting === undefined) return;
    const { id, connect } = connecting;
    if (outcome === "busy") {
      return this.#refuse(connection, id, refuse("UNAVAILABLE", "a credential can't be verified now; try again"), closeCode.unavailable);
    }
    if (outcome === "throttled") {
      return this.#refuse(connection, id, refuse("THROTTLED", "too many wrong credentials from this address"), closeCode.tooMuch);
    }
    if ("wrong" in outcome) {
      this.#state.audit?.(authFailure(connection, this.#state.tree.zxid));
      return this.#refuse(connection, id, authFailed(outcome.wrong), closeCode.authenticationFailed);
    }
    const { proofs } = outcome;
    const { tree, waits } = this.#state;
    const isForeign = connect.cluster !== null && this.#state.sessions.cluster !== "" && connect.cluster !== this.#state.sessions.cluster;
    if (isForeign && connect.session !== null) return this.#refuseExpired(connection, id);
    const lastZxid = isForeign ? 0 : (connect.lastZxid ?? 0);
    waits.until(
      (zxid) => zxid >= lastZxid,
      tree.zxid,
      this.#deadline(connection),
      () => this.#admit(connection, id, connect, proofs),
      () => this.#refuse(connection, id, refuse("UNAVAILABLE", "this member has not applied lastZxid yet"), closeCode.unavailable),
    );
  }

  #admit(connection: Connection, id: number, connect: Connect, proofs: readonly Proof[]): void {
    if (connection.phase.kind === "closed") return;
    const { random, hash, proposals, tree, budgets, canUse, clock } = this.#state;
    const wall = clock.wall();
    const held = connect.session === null ? noIdentities : (tree.sessions.get(connect.session.id)?.held.at(wall) ?? null);
    const refusal = held === null ? null : this.#credentialRefusal(connection, connect, held, proofs);
    if (refusal !== null) return this.#refuse(connection, id, refusal, closeCode.authenticationFailed);
    const holder = this.#holderOf(connection, held ?? noIdentities, proofs);
    const full = holder.refusal("connections", 1);
    if (full !== null) {
      budgets.refused("connectionsPerIdentity");
      return this.#refuse(connection, id, full, closeCode.tooMuch);
    }
    if (connect.isReadOnly) {
      connection.admit(identitiesOf(proofs, wall), this.#allowance(), null);
      return this.#welcome(connection, id, { session: null, isResumed: false, lastId: 0 });
    }
    if (proofs.some(needsFormat5) && !canUse(5)) {
      const older = refuse("UNAVAILABLE", "a member of the ensemble runs a build that does not support tokens yet");
      return this.#refuse(connection, id, older, closeCode.unavailable);
    }
    const isResumed = connect.session !== null;
    if (!isResumed) {
      if (budgets.pressures.has("heap")) {
        budgets.refused("heap");
        const refusal = refuse("UNAVAILABLE", "the member's memory is nearly full: no new sessions are opened");
        return this.#refuse(connection, id, refusal, closeCode.unavailable);
      }
      if (!budgets.hasRoomForSession(connection.account)) return this.#refuseSession(connection, id);
      this.#setOpening(connection, true);
    }
    const session = connect.session ?? { id: random.token(), secret: random.token() };
    const { timeoutMs } = connection;
    const { plain, more } = split(proofs);
    const { sessions } = holder.limits;
    const bounded = sessions === Number.POSITIVE_INFINITY ? {} : { sessionsMax: sessions };
    const usesFormat5 = more.length > 0 || (held !== null && held.proofs.length > 0);
    const txn: OpenTxn = {
      kind: isResumed ? "move" : "open",
      session: session.id,
      secretHash: hash.sha256(session.secret),
      timeoutMs,
      identities: plain,
      connection: random.token(),
      ...(usesFormat5
        ? { proofs: more, wall, ...(isResumed ? {} : bounded), format: 5 }
        : plain.length > 0 && canUse(3)
          ? { format: 3 }
          : {}),
    };
    const settle = (applied: Applied): void => {
      this.#setOpening(connection, false);
      const opened = tree.sessions.get(session.id);
      if (opened !== undefined && opened.connection === txn.connection) budgets.holdSession(session.id, connection.account);
      if (connection.phase.kind === "closed") return;
      if (applied.code === "QUOTA_EXCEEDED") {
        const why = "the identity has too many sessions, or the session too many identities";
        return this.#refuse(connection, id, refuse(applied.code, why), closeCode.authenticationFailed);
      }
      if (applied.code === "AUTH_FAILED") return this.#refuse(connection, id, authFailed("refused"), closeCode.authenticationFailed);
      if (applied.outcome === "refused" || opened === undefined) return this.#refuseExpired(connection, id);
      if (opened.connection !== txn.connection) return connection.close(closeCode.sessionMoved, "the session moved to a newer connection");
      const { generation, lastId } = opened;
      connection.admit(opened.held, this.#allowance(), { ...session, generation, lastId });
      this.#state.sessions.connected(connection, session.id);
      this.#welcome(connection, id, { session, isResumed, lastId });
    };
    proposals.add(txn, settle, () => connection.phase.kind !== "closed");
  }

  /** Whose budget the connection will be counted in. */
  #holderOf({ identities, address, account }: Connection, held: Identities, proofs: readonly Proof[]): Holder {
    const { holders, sight, clock } = this.#state;
    const { plain, more } = split(proofs);
    const certificates = identities.certificate === null ? [] : [identities.certificate];
    const proved = held.renewedBy(plain, [...more, ...certificates]).at(clock.wall());
    const caller = { identities: proved.all, address };
    return holders.of(holderKeyOf(caller, proved.subject, account.address, sight.isAdmin(caller)));
  }

  /** Why whoever has kept and proved this may not come in, or null. */
  #credentialRefusal({ identities }: Connection, connect: Connect, held: Identities, proofs: readonly Proof[]): Refusal | null {
    const { tree, policy, clock } = this.#state;
    const { plain, more } = split(proofs);
    const subject = connect.session === null ? null : (tree.sessions.get(connect.session.id)?.subject ?? null);
    const refusal = proofRefusal(tree, subject, { identities: plain, proofs: more });
    if (refusal !== null) return refusal;
    const certificates = identities.certificate === null ? [] : [identities.certificate];
    const proved = held.renewedBy(plain, [...more, ...certificates]).at(clock.wall());
    return policy.admits(proved.all, connect.isReadOnly) ? null : notLetIn(policy.anonymous);
  }

  #welcome(
    connection: Connection,
    id: number,
    { session, isResumed, lastId }: { session: { id: string; secret: string } | null; isResumed: boolean; lastId: number },
  ): void {
    const { member, limits, isReadOnly } = this.#options;
    const { cluster } = this.#state.sessions;
    const shown = session === null ? null : { ...session, timeout: connection.timeoutMs };
    const rest = { session: shown, resumed: isResumed, lastId, cluster, member, role: this.#state.role(), limits };
    const readOnly = isReadOnly ? ({ readOnly: true } as const) : {};
    const { all, endsAt } = connection.identities.held;
    const proved = all.length === 0 ? {} : { identities: all, ...(endsAt < Number.POSITIVE_INFINITY ? { expiresAt: endsAt } : {}) };
    const { replies } = connection;
    connection.reply(id, replies.body(this.#state.tree.zxid, replies.result("connect", { ...rest, ...readOnly, ...proved })));
    this.#connecting.delete(connection);
    this.#state.tally.answered("connect", this.#state.clock.now() - connection.heardAt);
    connection.release();
    this.#state.admitted(connection);
    this.#state.release(connection);
  }

  /** A session that is being opened counts for its address already. */
  #setOpening(connection: Connection, isOpening: boolean): void {
    const connecting = this.#connecting.get(connection);
    if (connecting === undefined || connecting.isOpening === isOpening) return;
    connecting.isOpening = isOpening;
    this.#state.budgets.opening(connection.account, isOpening ? 1 : -1);
  }

  #allowance(): Connection["allowance"] {
    const { requestsPerSecond, requestsBurst, bytesPerSecond, bytesBurst } = this.#state.budgets.limits;
    if (requestsPerSecond === Number.POSITIVE_INFINITY && bytesPerSecond === Number.POSITIVE_INFINITY) return null;
    const now = this.#state.clock.now();
    return { requests: new Allowance(requestsPerSecond, requestsBurst, now), bytes: new Allowance(bytesPerSecond, bytesBurst, now) };
  }

  #refuseSession(connection: Connection, id: number): void {
    const { budgets } = this.#state;
    budgets.refused("sessionsPerAddress");
    const why = `an address has at most ${budgets.limits.sessionsPerAddress} sessions`;
    this.#refuse(connection, id, refuse("QUOTA_EXCEEDED", why), closeCode.tooMuch);
  }

  #refuseExpired(connection: Connection, id: number): void {
    this.#refuse(connection, id, refuse("SESSION_EXPIRED", "the session is expired or unknown"), closeCode.sessionExpired);
  }

  #refuse(connection: Connection, id: number, refusal: Refusal, code: 4400 | 4401 | 4410 | 4429 | 4503): void {
    this.#setOpening(connection, false);
    this.#connecting.delete(connection);
    const { cluster } = this.#state.sessions;
    // A member that has not learned its cluster does not answer: a client would take another id for another cluster.
    if (cluster !== "") connection.reply(id, connection.replies.refused(this.#state.tree.zxid, refusal, cluster));
    connection.close(code, refusal.message);
  }

  #clamp(timeoutMs: number | null): number {
    const { timeoutMsMin, timeoutMsMax, timeoutMsDefault } = this.#options;
    return Math.min(timeoutMsMax, Math.max(timeoutMsMin, timeoutMs ?? timeoutMsDefault));
  }

  #deadline(connection: Connection): number {
    return this.#state.clock.now() + connection.timeoutMs / 3;
  }
}
