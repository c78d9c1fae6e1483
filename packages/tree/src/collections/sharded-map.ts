/**
 * A map from strings whose tables stay small.
 *
 * Growing one hash table past 2^20 entries stalls the loop for tens of milliseconds; spread over shards by a cheap
 * hash of the key's tail, each table stays below 64 Ki entries up to four million keys.
 */
export class ShardedMap<T> {
  readonly #shards: Map<string, T>[] = [];
  #size = 0;

  constructor() {
    for (let shard = 0; shard < shardCount; shard++) this.#shards.push(new Map());
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): T | undefined {
    return this.#shardOf(key).get(key);
  }

  has(key: string): boolean {
    return this.#shardOf(key).has(key);
  }

  set(key: string, item: T): void {
    const shard = this.#shardOf(key);
    const before = shard.size;
    shard.set(key, item);
    this.#size += shard.size - before;
  }

  delete(key: string): boolean {
    const isGone = this.#shardOf(key).delete(key);
    if (isGone) this.#size--;
    return isGone;
  }

  *values(): Generator<T, undefined> {
    for (const shard of this.#shards) yield* shard.values();
  }

  *keys(): Generator<string, undefined> {
    for (const shard of this.#shards) yield* shard.keys();
  }

  #shardOf(key: string): Map<string, T> {
    let hash = key.length;
    for (let at = Math.max(0, key.length - hashedUnits); at < key.length; at++) hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
    return this.#shards[(hash ^ (hash >>> 12)) & (shardCount - 1)]!;
  }
}

/** A power of two. */
const shardCount = 64;
const hashedUnits = 10;
