/**
 * auth and logout: what a connection proves once it is in, and lets go.
 *
 * What a session has proved is a write like any other; without a session it is this member's alone. Invariants: what comes after an auth is held back until
 * it is through; one that was answered before is answered again, whatever its credential proves by now.
 */
import { type Body, closeCode, type Limits, type Refusal, type Request, refuse } from "@copse/protocol";
import { type Authenticate, type Identities, noIdentities, type Proof, proofRefusal, type Tree } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";
import { type AuthOutcome, authFailed, split } from "../connections/proof.ts";
import type { Slot } from "../connections/slot.ts";
import type { Effects } from "../effect.ts";
import type { Clock, Hash } from "../ports.ts";
import { type Audit, authFailure } from "./audit.ts";

/** What it needs of all requests. */
export interface AuthenticationHost {
  readonly propose: (connection: Connection, slot: Slot, request: AuthRequest, write: Authenticate) => void;
  readonly error: (connection: Connection, refusal: Refusal) => Body;
  /** The body of a reply that only says that it was done. */
  readonly done: (connection: Connection) => Body;
}

export interface AuthenticationState {
  readonly tree: Tree;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly effects: Effects;
  readonly audit: Audit | null;
  /** What a connection without a session has proved is this from now on. */
  readonly identified: (connection: Connection, held: Identities) => void;
  /** A connection may go on with what it held back. */
  readonly release: (connection: Connection) => void;
}

export type AuthRequest = Extract<Request, { readonly kind: "auth" }>;

export class Authentication {
  readonly #state: AuthenticationState;
  readonly #host: AuthenticationHost;
  readonly #waiting: Map<Connection, { readonly request: AuthRequest; readonly slot: Slot }> = new Map();

  constructor(state: AuthenticationState, host: AuthenticationHost) {
    this.#state = state;
    this.#host = host;
  }

  forget(connection: Connection): void {
    this.#waiting.delete(connection);
  }

  /** What comes after an auth is held back until it is through. */
  begin(connection: Connection, request: AuthRequest): void {
    // One that was answered before is answered again, whatever the credential proves by now.
    if (connection.session !== null && request.id <= connection.lastWriteId) {
      this.#host.propose(connection, connection.enqueue(request.id), request, { op: "auth", identities: [] });
      return;
    }
    connection.hold("auth");
    const run = (slot: Slot): null => {
      this.#waiting.set(connection, { request, slot });
      const { effects } = this.#state;
      effects.add({
        kind: "authenticate",
        connection: connection.number,
        ticket: request.id,
        credentials: [request.credential],
        proved: null,
      });
      return null;
    };
    // It is what a connection waits for that has lapsed: what stands before it is answered after it.
    if (connection.identities.hasLapsed) run(connection.enqueue(request.id, null, true));
    else connection.enqueue(request.id, run, true);
  }

  /** What the credential of an auth has proved. */
  authenticated(connection: Connection, outcome: AuthOutcome): void {
    const authenticating = this.#waiting.get(connection);
    if (authenticating === undefined || connection.phase.kind !== "holding") return;
    this.#waiting.delete(connection);
    const { request, slot } = authenticating;
    connection.release();
    if (typeof outcome === "string") connection.answer(slot, { body: this.#host.error(connection, throttled(outcome)) });
    else if ("wrong" in outcome) return this.#refuseCredential(connection, slot, authFailed(outcome.wrong));
    else if (connection.session !== null) this.#proposeProofs(connection, slot, request, outcome.proofs);
    else {
      const identified = this.#identify(connection, outcome.proofs);
      if (typeof identified !== "string") return this.#refuseCredential(connection, slot, identified);
      connection.answer(slot, { body: identified });
    }
    this.#state.release(connection);
  }

  #refuseCredential(connection: Connection, slot: Slot, refusal: Refusal): void {
    this.#state.audit?.(authFailure(connection, this.#state.tree.zxid));
    const close = { code: closeCode.authenticationFailed, reason: refusal.message };
    // Of a connection that has lapsed nothing is answered in its turn.
    if (connection.identities.hasLapsed) {
      connection.reply(slot.id, this.#host.error(connection, refusal));
      return connection.close(close.code, close.reason);
    }
    connection.answer(slot, { body: this.#host.error(connection, refusal), close });
  }

  #proposeProofs(connection: Connection, slot: Slot, request: AuthRequest, proofs: readonly Proof[]): void {
    const { plain, more } = split(proofs);
    this.#host.propose(connection, slot, request, { op: "auth", identities: plain, ...(more.length === 0 ? {} : { proofs: more }) });
  }

  /** Identities of a connection without a session: they are this member's alone. */
  #identify(connection: Connection, proofs: readonly Proof[]): Body | Refusal {
    const { limits, identified, clock, tree } = this.#state;
    const { plain, more } = split(proofs);
    const refusal = proofRefusal(tree, connection.identities.held.subject, { identities: plain, proofs: more });
    if (refusal !== null) return refusal;
    const provedAt = clock.wall();
    const held = connection.identities.held.renewedBy(
      plain,
      more.map((proof) => ({ ...proof, provedAt })),
    );
    if (held.all.length > limits.identities) {
      return this.#host.error(connection, refuse("QUOTA_EXCEEDED", `a connection has at most ${limits.identities} identities`));
    }
    identified(connection, held);
    const { replies } = connection;
    const ends = held.endsAt < Number.POSITIVE_INFINITY ? { expiresAt: held.endsAt } : {};
    return replies.body(tree.zxid, replies.result("auth", { identities: held.all, ...ends }));
  }

  /** Without a session the identities are this member's alone. */
  logOut(connection: Connection, id: number): void {
    connection.enqueue(id, () => {
      this.#state.identified(connection, noIdentities);
      return { body: this.#host.done(connection) };
    });
  }
}

/** Tells two auths under one id apart: under the session's secret, as a hash of the credential alone would stand in log and snapshots. */
export function credentialPrint({ credential }: AuthRequest, { secret }: Connection, hash: Hash): string {
  return hash.hmac(secret, JSON.stringify([credential.scheme, credential.credential]));
}

function throttled(outcome: "busy" | "throttled"): Refusal {
  return refuse(
    "THROTTLED",
    outcome === "busy" ? "the credential can't be verified now; try again" : "too many wrong credentials from this address",
  );
}
