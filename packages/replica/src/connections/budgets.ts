/**
 * What is held for clients, in bytes and in number, and how much of it each of them may hold.
 *
 * One account for each address keeps the books of all its connections; the sums are those of the process. Invariants: what is held is
 * on the books from where it is taken until it is let go; past a budget the one who asks is told so, or waits, and nobody else notices.
 */

import { type Refusal, refuse } from "@copse/protocol";
import type { Trace } from "../trace.ts";
import type { Pressure } from "./growth.ts";

/** Bounds of one member, from its configuration. Infinity where there is none. */
export interface BudgetLimits {
  /** Bytes of unanswered requests, of all connections and of those of one address. */
  readonly receivedBytes: number;
  readonly receivedBytesPerAddress: number;
  /** Bytes that wait to be sent, of all connections and of those of one address. */
  readonly unsentBytes: number;
  readonly unsentBytesPerAddress: number;
  /** Bytes of watches and subscriptions, of all connections and of those of one address. */
  readonly followedBytes: number;
  readonly followedBytesPerAddress: number;
  /** Sessions opened here from one address that still live. */
  readonly sessionsPerAddress: number;
  /** Subscriptions of a connection that has proved nothing but a password of its own. */
  readonly subscriptionsAnonymous: number;
  /** Requests and bytes of one connection, each second and at once. */
  readonly requestsPerSecond: number;
  readonly requestsBurst: number;
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
  /** A connection that takes nothing of what waits for it is closed after so many milliseconds. */
  readonly stallMs: number;
}

const none = Number.POSITIVE_INFINITY;

/** No bounds but the process's own: loopback, where nobody is a stranger. */
export const openBudgets: BudgetLimits = {
  receivedBytes: 536_870_912,
  receivedBytesPerAddress: none,
  unsentBytes: 536_870_912,
  unsentBytesPerAddress: none,
  followedBytes: 1_073_741_824,
  followedBytesPerAddress: none,
  sessionsPerAddress: none,
  subscriptionsAnonymous: none,
  requestsPerSecond: none,
  requestsBurst: none,
  bytesPerSecond: none,
  bytesBurst: none,
  stallMs: 30_000,
};

/** What one address holds. */
export class Account {
  readonly address: string;
  connections = 0;
  receivedBytes = 0;
  unsentBytes = 0;
  followedBytes = 0;
  /** Sessions that live, and those that are being opened. */
  sessions = 0;

  constructor(address: string) {
    this.address = address;
  }
}

export class Budgets {
  readonly limits: BudgetLimits;
  readonly #accounts: Map<string, Account> = new Map();
  readonly #bySession: Map<string, Account> = new Map();
  /** Sums of all accounts. */
  receivedBytes = 0;
  unsentBytes = 0;
  followedBytes = 0;
  #connections = 0;
  /** What is nearly full: nothing is taken that would need more of it. */
  readonly pressures: Set<Pressure> = new Set();
  /** What was refused or closed, by the name of the bound: for metrics. */
  readonly refusals: Map<string, number> = new Map();

  readonly #trace: Trace | null;

  constructor(limits: BudgetLimits, trace: Trace | null = null) {
    this.limits = limits;
    this.#trace = trace;
  }

  /** The account of a new connection. */
  open(address: string): Account {
    const key = accountKey(address);
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = new Account(key);
      this.#accounts.set(key, account);
    }
    account.connections++;
    this.#connections++;
    return account;
  }

  close(account: Account): void {
    account.connections--;
    this.#connections--;
    this.#drop(account);
  }

  receive(account: Account, bytes: number): void {
    account.receivedBytes += bytes;
    this.receivedBytes += bytes;
  }

  unsent(account: Account, bytes: number): void {
    account.unsentBytes += bytes;
    this.unsentBytes += bytes;
  }

  /** The account watches or subscribes, or no longer does where `bytes` is negative. */
  follow(account: Account, bytes: number): void {
    account.followedBytes += bytes;
    this.followedBytes += bytes;
  }

  /** Why the account may not watch or subscribe to so much more, or null. */
  refusalToFollow(account: Account, bytes: number): Refusal | null {
    const { followedBytes, followedBytesPerAddress } = this.limits;
    const isAddress = account.followedBytes + bytes > followedBytesPerAddress;
    if (!isAddress && this.followedBytes + bytes <= followedBytes) return null;
    this.refused(isAddress ? "followedBytesPerAddress" : "followedBytes");
    const [who, most] = isAddress ? ["an address", followedBytesPerAddress] : ["this member", followedBytes];
    return refuse("QUOTA_EXCEEDED", `${who} may hold at most ${most} bytes of watches and subscriptions`);
  }

  /**
   * The name of the bound that is passed by what was received and is unanswered, or null: a client that holds little is never told to wait for
   * those who hold much.
   * @param held by the connection that asks, what it asks now included
   */
  overReceived(account: Account, held: number): string | null {
    const { receivedBytes, receivedBytesPerAddress } = this.limits;
    if (held <= heldBytesMin) return null;
    if (this.receivedBytes > receivedBytes) return "receivedBytes";
    return account.receivedBytes > receivedBytesPerAddress ? "receivedBytesPerAddress" : null;
  }

  /** Unsent bytes past which a connection of this account counts as congested. */
  congestedBytes(account: Account, most: number): number {
    const { unsentBytes, unsentBytesPerAddress } = this.limits;
    const isOver = this.unsentBytes > unsentBytes || account.unsentBytes > unsentBytesPerAddress;
    if (!isOver) return most;
    const all = this.unsentBytes > unsentBytes ? unsentBytes / this.#connections : unsentBytesPerAddress / account.connections;
    return Math.min(most, Math.max(congestedBytesMin, all));
  }

  /** False where the address has as many sessions as it may have. */
  hasRoomForSession(account: Account): boolean {
    return account.sessions < this.limits.sessionsPerAddress;
  }

  /** A session is being opened, or that has come to an end. */
  opening(account: Account, step: 1 | -1): void {
    account.sessions += step;
    this.#drop(account);
  }

  /** Another state has taken the place of the present one: sessions that it does not know are over. */
  releaseUnknown(isKnown: (session: string) => boolean): void {
    for (const session of [...this.#bySession.keys()]) if (!isKnown(session)) this.releaseSession(session);
  }

  /** The session is connected through this account from now on. */
  holdSession(session: string, account: Account): void {
    const before = this.#bySession.get(session);
    if (before === account) return;
    this.#bySession.set(session, account);
    account.sessions++;
    if (before !== undefined) this.#endSession(before);
  }

  /** The session is over, or connected elsewhere. */
  releaseSession(session: string): void {
    const account = this.#bySession.get(session);
    if (account === undefined) return;
    this.#bySession.delete(session);
    this.#endSession(account);
  }

  refused(bound: string): void {
    this.refusals.set(bound, (this.refusals.get(bound) ?? 0) + 1);
    this.#trace?.tell({ kind: "over-budget", budget: bound });
  }

  #endSession(account: Account): void {
    account.sessions--;
    this.#drop(account);
  }

  #drop(account: Account): void {
    if (account.connections === 0 && account.sessions === 0) this.#accounts.delete(account.address);
  }
}

/** However little room there is, so much may be unanswered, and so much may wait to be sent, on each connection. */
const heldBytesMin = 65_536;
export const congestedBytesMin = 65_536;

/** Whose account an address is: its own, or that of its network where one host has a network to itself (IPv6, /64). */
export function accountKey(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const rest = tail === "" ? [] : tail.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** How often something may happen on a clock: so many at once, and so many a second from then on. */
export class Allowance {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAt = now;
  }

  /** Takes so many; false where there are too few. */
  take(count: number, now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) / 1_000) * this.#perSecond);
    this.#filledAt = now;
    // One that is larger than the whole burst passes where nothing else is owed.
    if (this.#tokens < Math.min(count, this.#burst)) return false;
    this.#tokens -= count;
    return true;
  }
}
