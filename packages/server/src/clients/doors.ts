/**
 * Whether another connection may be opened: so many in all, so many from one address, and so many new ones a second from one address.
 *
 * Invariants: what an address has used is kept as long as it matters and no longer; what is refused is counted by its reason.
 */
import { accountKey } from "@copse/replica";
import { type Rate, TokenBucket } from "./token-bucket.ts";

export interface DoorLimits {
  /** Open connections of this process. */
  readonly connections: number;
  /** Open connections from one address; Infinity for no bound. */
  readonly connectionsPerAddress: number;
  /** New connections from one address. */
  readonly handshakes: Rate;
}

/** Why an upgrade may be refused. */
export const upgradeRefusals = [
  "path",
  "origin",
  "subprotocol",
  "cluster",
  "certificate",
  "handshakes",
  "connections",
  "connectionsPerAddress",
  "stopping",
] as const;

export type UpgradeReason = (typeof upgradeRefusals)[number];

/** When a page may come back, in milliseconds, at least; where all places are taken, so many times later. */
const retryMsMin = 1_000;
const laterFactor = 5;
/** Milliseconds between two reports of what was refused. */
const reportMs = 60_000;
/** Addresses whose rate is kept; past it the oldest is forgotten, and begins anew. */
const addressesMax = 65_536;

export class Doors {
  readonly limits: DoorLimits;
  readonly #open: Map<string, number> = new Map();
  readonly #buckets: Map<string, TokenBucket> = new Map();
  /** Sockets that are no WebSocket, or none yet, by address. */
  readonly #plain: Map<string, number> = new Map();
  #size = 0;
  #isShut = false;
  /** New connections that were refused, by reason: for metrics. */
  readonly refusals: Map<string, number> = new Map();
  /** Those that no report has said yet, and when the newest report was. */
  readonly #unsaid: Map<string, number> = new Map();
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(limits: DoorLimits) {
    this.limits = limits;
  }

  /**
   * The HTTP status with which a new connection is refused, and when it may come back, in milliseconds, each time another, so that not all
   * come at once; or null. It is counted once it is `opened`.
   */
  refusal(address: string): { readonly status: 429 | 503; readonly retryMs: number | null } | null {
    if (this.#isShut) return { status: this.refused("stopping", 503), retryMs: null };
    const key = accountKey(address);
    const { connections, connectionsPerAddress } = this.limits;
    const [soon, later] = [retryMsMin, retryMsMin * laterFactor].map((ms) => Math.round(ms * (1 + Math.random())));
    if (!this.#bucket(key).take()) return { status: this.refused("handshakes", 503), retryMs: soon! };
    if (this.#size >= connections) return { status: this.refused("connections", 503), retryMs: later! };
    if ((this.#open.get(key) ?? 0) >= connectionsPerAddress) return { status: this.refused("connectionsPerAddress", 429), retryMs: later! };
    return null;
  }

  /** Nobody comes in any more: this member stops. */
  shut(): void {
    this.#isShut = true;
  }

  refused<Status extends number>(reason: UpgradeReason, status: Status): Status {
    countUp(this.refusals, reason);
    countUp(this.#unsaid, reason);
    return status;
  }

  /** For the log: what was refused since the last report, by reason; null where nothing was, or a report came less than a minute ago. */
  report(now: number): Readonly<Record<string, number>> | null {
    if (this.#unsaid.size === 0 || now - this.#reportedAt < reportMs) return null;
    this.#reportedAt = now;
    const said = Object.fromEntries(this.#unsaid);
    this.#unsaid.clear();
    return said;
  }

  /** A socket that is no WebSocket yet. False where its address has as many of them as it may have connections. */
  entered(address: string): boolean {
    const key = accountKey(address);
    if ((this.#plain.get(key) ?? 0) >= this.limits.connectionsPerAddress) {
      this.refused("connectionsPerAddress", 429);
      return false;
    }
    countUp(this.#plain, key);
    return true;
  }

  /** A socket that had entered is a WebSocket now, or closed. */
  left(address: string): void {
    countDown(this.#plain, accountKey(address));
  }

  opened(address: string): void {
    const key = accountKey(address);
    this.#size++;
    countUp(this.#open, key);
  }

  closed(address: string): void {
    const key = accountKey(address);
    this.#size--;
    countDown(this.#open, key);
  }

  #bucket(key: string): TokenBucket {
    let bucket = this.#buckets.get(key);
    if (bucket !== undefined) return bucket;
    if (this.#buckets.size >= addressesMax) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    bucket = new TokenBucket(this.limits.handshakes);
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

function countUp(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function countDown(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 1) - 1;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}
