/**
 * Identities that end: on the connections of this member, and, while it coordinates, in the state.
 *
 * A member goes by its own clock and shows nothing more by an identity that has ended; the coordinator takes it from the session by a txn,
 * which is judged again where it is applied. Invariants: a connection whose identity the state still counts, although it has ended,
 * is answered nothing but its `auth` and `ping`, and is closed after `lapsedMsMax`; whoever has lost what the policy demands is closed at the end of the turn,
 * after its replies.
 */
import { chunk, closeCode, encodeAuthEvent, identityText } from "@copse/protocol";
import type { Identities, Proof, Tree } from "@copse/tree";
import type { Connection } from "../connections/connection.ts";
import type { HolderKey, Holders } from "../connections/holders.ts";
import type { Coordinator } from "../order/coordinator.ts";
import type { Proposals } from "../order/proposals.ts";
import type { Clock } from "../ports.ts";
import type { Policy } from "./policy.ts";

export interface LapsesState {
  readonly tree: Tree;
  readonly clock: Clock;
  readonly proposals: Proposals;
  readonly coordinator: Coordinator;
  readonly policy: Policy;
  readonly holders: Holders;
  /** Whose budget a connection is counted in. */
  readonly holderOf: (connection: Connection) => HolderKey;
  /** What a connection may see has changed. */
  readonly identitiesChanged: (connection: Connection) => void;
}

/** How long a connection waits for the state to say what its member's clock says, in milliseconds. */
const lapsedMsMax = 2_000;
/** How long the coordinator waits for its txn before it proposes it again, in milliseconds. */
const patienceMs = 1_000;
/** A client is told of an end this long before it, or a fifth of the identity's life, whichever is more; in milliseconds. */
const noticeMsMin = 60_000;

interface Watched {
  /** The proof whose end its client was told of. */
  noticed: Proof | null;
  /** When it lapsed, on the member's clock; null while it has not. */
  lapsedAt: number | null;
}

export class Lapses {
  readonly #state: LapsesState;
  /** Connections that have proved something that ends. */
  readonly #watched: Map<Connection, Watched> = new Map();
  /** The wall clock's time before which no connection needs a look. */
  #lookAt = Number.POSITIVE_INFINITY;
  /** Sessions that have proved something that ends, and when that was last proposed, on the member's clock. */
  readonly #sessions: Map<string, { readonly endsAt: number; proposedAt: number }> = new Map();
  /** Revoked sessions that have still to end, and when that was last proposed. */
  readonly #evicted: Map<string, number> = new Map();
  /** Connections that may have lost what the policy demands, or may go on. */
  readonly #concerned: Set<Connection> = new Set();

  constructor(state: LapsesState) {
    this.#state = state;
  }

  /** A connection has this from now on. */
  identified(connection: Connection, held: Identities): void {
    const before = connection.caller.identities;
    this.#take(connection, held, this.#state.clock.wall());
    this.#told(connection, before);
  }

  /** What the state says it has counts as far as it has not ended by this member's clock. */
  #take({ identities, session }: Connection, held: Identities, wall: number): void {
    const left = held.at(wall);
    if (left === held || session === null) identities.become(left);
    else identities.lapse(left);
  }

  /** A connection is in. */
  admitted(connection: Connection): void {
    this.#hold(connection);
    this.#watch(connection);
    this.#look(connection, this.#state.clock.wall());
    this.#concerned.add(connection);
  }

  forget(connection: Connection): void {
    if (connection.holder !== null) this.#state.holders.leave(connection.holder, connection);
    connection.holder = null;
    this.#watched.delete(connection);
    this.#concerned.delete(connection);
  }

  /** A session has other identities, or is gone. */
  changed(session: string): void {
    const held = this.#state.tree.sessions.get(session);
    this.#sessions.delete(session);
    this.#evicted.delete(session);
    if (held === undefined) return;
    const { endsAt } = held.held;
    if (endsAt < Number.POSITIVE_INFINITY) this.#sessions.set(session, { endsAt, proposedAt: Number.NEGATIVE_INFINITY });
    if (held.isRevoked) this.#evicted.set(session, Number.NEGATIVE_INFINITY);
  }

  /** The state is another, or somebody else coordinates. */
  restart(): void {
    this.#sessions.clear();
    this.#evicted.clear();
    for (const { id } of this.#state.tree.sessions.values()) this.changed(id);
  }

  /** Everyone is judged anew: the policy has changed. */
  judgeAll(connections: Iterable<Connection>): void {
    for (const connection of connections) if (connection.isAdmitted) this.#concerned.add(connection);
  }

  /** Before anything is shown: what has ended by this member's clock shows nothing more. */
  beginTurn(): void {
    const wall = this.#state.clock.wall();
    if (wall < this.#lookAt) return;
    const [...connections] = this.#watched.keys();
    for (const connection of connections) this.#look(connection, wall);
    this.#setNextLook();
  }

  tick(): void {
    this.beginTurn();
    const { clock, proposals, coordinator } = this.#state;
    const now = clock.now();
    for (const [connection, { lapsedAt }] of this.#watched) {
      if (lapsedAt === null || now - lapsedAt < lapsedMsMax) continue;
      connection.close(closeCode.authenticationFailed, "what the client had proved has expired");
    }
    if (!coordinator.isHere) return;
    const { term } = coordinator;
    const isStillDue = (): boolean => coordinator.isHereIn(term);
    const wall = clock.wall();
    for (const [session, due] of this.#sessions) {
      if (wall < due.endsAt || now - due.proposedAt < patienceMs) continue;
      due.proposedAt = now;
      proposals.add({ kind: "lapse", session, wall, format: 5 }, nothing, isStillDue);
    }
    for (const [session, proposedAt] of this.#evicted) {
      if (now - proposedAt < patienceMs) continue;
      this.#evicted.set(session, now);
      proposals.add({ kind: "evict", session, format: 5 }, nothing, isStillDue);
    }
  }

  /** True where the end of the turn has something to do. */
  get hasWork(): boolean {
    return this.#concerned.size > 0;
  }

  /** Closes those who have lost what the policy demands, and lets the others go on. */
  endTurn(): void {
    if (this.#concerned.size === 0) return;
    const { policy } = this.#state;
    const concerned = [...this.#concerned];
    this.#concerned.clear();
    for (const connection of concerned) {
      if (connection.isClosed || !connection.isAdmitted) continue;
      if (policy.admits(connection.caller.identities, connection.isReadOnly)) connection.pump();
      else connection.close(closeCode.authenticationFailed, "the client has proved nothing that lets it in");
    }
  }

  #look(connection: Connection, wall: number): void {
    const watched = this.#watched.get(connection);
    if (watched === undefined) return;
    const { held } = connection.identities;
    for (const proof of held.proofs) {
      if (watched.noticed === proof || wall < noticeAt(proof)) continue;
      watched.noticed = proof;
      connection.send(chunk(encodeAuthEvent(identityText(proof.identities[0]!), proof.expiresAt!)));
    }
    const before = connection.caller.identities;
    connection.identities.lookAtCertificate(wall);
    const left = held.at(wall);
    if (left === held) {
      if (connection.caller.identities !== before) this.#told(connection, before);
      return;
    }
    this.#take(connection, held, wall);
    this.#told(connection, before);
  }

  /** The connection is counted with whoever it has proved to be. */
  #hold(connection: Connection): void {
    const { holders } = this.#state;
    const holder = holders.of(this.#state.holderOf(connection));
    if (holder === connection.holder) return;
    if (connection.holder !== null) holders.leave(connection.holder, connection);
    connection.holder = holder;
    holders.enter(holder, connection);
  }

  #told(connection: Connection, before: Connection["caller"]["identities"]): void {
    if (connection.holder !== null) this.#hold(connection);
    this.#watch(connection);
    this.#concerned.add(connection);
    if (!areSame(before, connection.caller.identities)) this.#state.identitiesChanged(connection);
  }

  #watch(connection: Connection): void {
    const { endsAt } = connection.identities;
    if (endsAt === Number.POSITIVE_INFINITY && !connection.identities.hasLapsed) this.#watched.delete(connection);
    else {
      const watched = this.#watched.get(connection) ?? { noticed: null, lapsedAt: null };
      watched.lapsedAt = connection.identities.hasLapsed ? (watched.lapsedAt ?? this.#state.clock.now()) : null;
      this.#watched.set(connection, watched);
      this.#lookAt = Math.min(this.#lookAt, this.#nextLookOf(connection, watched));
    }
  }

  #setNextLook(): void {
    this.#lookAt = Number.POSITIVE_INFINITY;
    for (const [connection, watched] of this.#watched) this.#lookAt = Math.min(this.#lookAt, this.#nextLookOf(connection, watched));
  }

  #nextLookOf({ identities }: Connection, { noticed }: Watched): number {
    const { held, endsAt } = identities;
    return held.proofs.reduce((first, proof) => (proof === noticed ? first : Math.min(first, noticeAt(proof))), endsAt);
  }
}

/** When a client is told that what it has proved will end, on the wall clock. */
function noticeAt({ provedAt = 0, expiresAt = Number.POSITIVE_INFINITY }: Proof): number {
  const life = expiresAt - provedAt;
  return Math.max(expiresAt - Math.max(life / 5, noticeMsMin), provedAt + life / 2);
}

function areSame(before: Connection["caller"]["identities"], after: Connection["caller"]["identities"]): boolean {
  const names = new Set(before.map(identityText));
  return before.length === after.length && after.every((identity) => names.has(identityText(identity)));
}

function nothing(): void {}
