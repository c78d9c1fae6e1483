/**
 * A fair lock that many readers share, and a writer has alone.
 *
 * Readers and writers share one queue. A reader waits for the writers before it, a writer for all before it, so
 * no client overtakes another and none starves. Invariants: as the lock's, between any two of whom at least one writes. A writer's release
 * wakes the readers that waited for it, who may all go on; every other release wakes at most one. A writer may become a reader
 * without anybody coming between, and keeps its token. There is no upgrade: two readers who both wait to write would wait for each
 * other; release, and ask for the other.
 *
 * Failure story: the lock's.
 */
import type { Copse } from "@copse/client";
import { acquire, acquirePlace, type WaitOptions } from "./waiting/acquire.ts";
import type { Held, PlaceKind } from "./waiting/place.ts";

export interface WriteLock extends Held {
  /** Goes on as a reader, at once and without a gap; this handle is done with. @throws CopseError where the lock is lost */
  downgrade(): Promise<Held>;
}

const isWriter = (name: string): boolean => name.startsWith("write-");
const isReader = (name: string): boolean => name.startsWith("read-");
const reader: PlaceKind = { prefix: "read-", waitsFor: isWriter };
const writer: PlaceKind = { prefix: "write-", waitsFor: (name) => isWriter(name) || isReader(name) };

/**
 * Waits until nobody before writes at `path`.
 * @throws CopseError TIMEOUT, SESSION_EXPIRED; the signal's reason
 * @example
 * const held = await readLock(copse, "/locks/report");
 * await held.close();
 */
export function readLock(copse: Copse, path: string, options: WaitOptions = {}): Promise<Held> {
  return acquire(copse, path, reader, options);
}

/**
 * Waits until nobody before reads or writes at `path`.
 * @throws CopseError TIMEOUT, SESSION_EXPIRED; the signal's reason
 * @example
 * const held = await writeLock(copse, "/locks/report", { waitMs: 30_000 });
 * const reading = await held.downgrade();
 * await reading.close();
 */
export async function writeLock(copse: Copse, path: string, options: WaitOptions = {}): Promise<WriteLock> {
  const place = await acquirePlace(copse, path, writer, options);
  return Object.assign(place.hold(), { downgrade: async () => (await place.turnInto(reader)).hold() });
}
