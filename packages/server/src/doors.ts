/**
 * Who may open another connection: so many in all, so many from one address, and so many new ones a second from one address.
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

/** Addresses whose rate is kept; past it the oldest is forgotten, and begins anew. */
const addressesMax = 65_536;

export class Doors {
  readonly limits: DoorLimits;
  readonly #open: Map<string, number> = new Map();
  readonly #buckets: Map<string, TokenBucket> = new Map();
  #size = 0;
  /** New connections that were refused, by reason: for metrics. */
  readonly refusals: Map<string, number> = new Map();

  constructor(limits: DoorLimits) {
    this.limits = limits;
  }

  /** The HTTP status with which a new connection is refused, or null; it is counted once it is `opened`. */
  refusal(address: string): 429 | 503 | null {
    const key = accountKey(address);
    const { connections, connectionsPerAddress } = this.limits;
    if (!this.#bucket(key).take()) return this.refused("handshakes", 503);
    if (this.#size >= connections) return this.refused("connections", 503);
    if ((this.#open.get(key) ?? 0) >= connectionsPerAddress) return this.refused("connectionsPerAddress", 429);
    return null;
  }

  refused<Status extends number>(reason: string, status: Status): Status {
    this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1);
    return status;
  }

  opened(address: string): void {
    const key = accountKey(address);
    this.#size++;
    this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
  }

  closed(address: string): void {
    const key = accountKey(address);
    this.#size--;
    const left = (this.#open.get(key) ?? 1) - 1;
    if (left > 0) this.#open.set(key, left);
    else this.#open.delete(key);
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
