/**
 * What one identity may hold and ask for, over all its connections to this member, by its class: for each token subject, and for each address
 * where there is none (an IPv6 network of 64 bits counts as one).
 *
 * Invariants: a connection that is admitted has one holder, and is counted there alone, with its watches and subscriptions; it changes its
 * holder with its identities. What is created is counted in the state, so the bounds on that travel in the txn.
 */
import { type Refusal, refuse } from "@copse/protocol";
import type { CreatorBudget } from "@copse/tree";
import type { Clock } from "../ports.ts";
import { Allowance } from "./budgets.ts";

/** Nobody vouches for it · a token or a certificate does · it is an admin. */
export type IdentityClass = "anonymous" | "authenticated" | "admin";

/** Infinity where there is no bound. */
export interface ClassBudget {
  /** At once, of this member. */
  readonly connections: number;
  readonly watches: number;
  readonly subscriptions: number;
  /** Sessions of a token subject, of the whole ensemble. */
  readonly sessions: number;
  /** Of the whole ensemble: what was created, until it is deleted. */
  readonly znodes: number;
  readonly createdBytes: number;
  readonly ephemerals: number;
  /** Each second, and at once. */
  readonly requestsPerSecond: number;
  readonly requestsBurst: number;
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
}

export type ClassBudgets = Readonly<Record<IdentityClass, ClassBudget>>;

const none = Number.POSITIVE_INFINITY;

export const openClassBudget: ClassBudget = {
  connections: none,
  watches: none,
  subscriptions: none,
  sessions: none,
  znodes: none,
  createdBytes: none,
  ephemerals: none,
  requestsPerSecond: none,
  requestsBurst: none,
  bytesPerSecond: none,
  bytesBurst: none,
};

export const openClassBudgets: ClassBudgets = { anonymous: openClassBudget, authenticated: openClassBudget, admin: openClassBudget };

/** Who it is, and of which class. */
export interface HolderKey {
  /** `token ISSUER:SUB` or `address ADDRESS`. */
  readonly key: string;
  readonly kind: IdentityClass;
}

type Held = "connections" | "watches" | "subscriptions";

export class Holder implements HolderKey {
  readonly key: string;
  readonly kind: IdentityClass;
  readonly limits: ClassBudget;
  connections = 0;
  watches = 0;
  subscriptions = 0;
  readonly #requests: Allowance;
  readonly #bytes: Allowance;

  constructor({ key, kind }: HolderKey, limits: ClassBudget, now: number) {
    this.key = key;
    this.kind = kind;
    this.limits = limits;
    this.#requests = new Allowance(limits.requestsPerSecond, limits.requestsBurst, now);
    this.#bytes = new Allowance(limits.bytesPerSecond, limits.bytesBurst, now);
  }

  /** Why it may not hold so many more, or null. */
  refusal(what: Held, more: number): Refusal | null {
    const most = this.limits[what];
    return this[what] + more <= most ? null : refuse("QUOTA_EXCEEDED", `${this.#who} has at most ${most} ${what}`);
  }

  /** The name of the rate that a request passes, or null. @param bytes of its frame, 0 where they were counted */
  overRate(bytes: number, now: number): "requestsPerSecond" | "bytesPerSecond" | null {
    const { requestsPerSecond, bytesPerSecond } = this.limits;
    if (requestsPerSecond !== none && !this.#requests.take(1, now)) return "requestsPerSecond";
    return bytesPerSecond !== none && bytes > 0 && !this.#bytes.take(bytes, now) ? "bytesPerSecond" : null;
  }

  /** What a txn says of it, or null where nothing is bounded. */
  get created(): CreatorBudget | null {
    const { znodes, createdBytes, ephemerals } = this.limits;
    if (znodes === none && createdBytes === none && ephemerals === none) return null;
    return {
      creator: this.key,
      ...(znodes === none ? {} : { znodes }),
      ...(createdBytes === none ? {} : { bytes: createdBytes }),
      ...(ephemerals === none ? {} : { ephemerals }),
    };
  }

  get #who(): string {
    return this.key.startsWith("token ") ? "an identity" : "an address";
  }
}

export class Holders {
  readonly #budgets: ClassBudgets;
  readonly #clock: Clock;
  readonly #byKey: Map<string, Holder> = new Map();

  constructor(budgets: ClassBudgets, clock: Clock) {
    this.#budgets = budgets;
    this.#clock = clock;
  }

  /** The holder of this key, known or new. */
  of(key: HolderKey): Holder {
    return this.#byKey.get(nameOf(key)) ?? new Holder(key, this.#budgets[key.kind], this.#clock.now());
  }

  /** A connection with so many watches and subscriptions comes to a holder. */
  enter(holder: Holder, held: { readonly watches: number; readonly subscriptions: number }): void {
    this.#byKey.set(nameOf(holder), holder);
    holder.connections++;
    holder.watches += held.watches;
    holder.subscriptions += held.subscriptions;
  }

  leave(holder: Holder, held: { readonly watches: number; readonly subscriptions: number }): void {
    holder.connections--;
    holder.watches -= held.watches;
    holder.subscriptions -= held.subscriptions;
    if (holder.connections === 0) this.#byKey.delete(nameOf(holder));
  }
}

/** A connection that becomes an admin's is counted with the admins. */
function nameOf({ key, kind }: HolderKey): string {
  return `${kind} ${key}`;
}
