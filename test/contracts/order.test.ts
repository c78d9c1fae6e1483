/** The order contract on each engine there is. */
import { recover, Wal } from "@copse/log";
import { type OrderEvent, orderedEntry, SingleOrder } from "@copse/replica";
import { describe } from "vitest";
import { memoryDisk } from "../support/memory-disk.ts";
import { settled } from "../support/simulated-world.ts";
import { type OrderUnderTest, orderContract } from "./order.ts";

async function single(): Promise<OrderUnderTest> {
  const disk = memoryDisk();
  const directory = "d";
  const { segments, segmentBytes, hardState } = recover(disk, directory, () => {});
  const onError = (error: Error): void => {
    throw error;
  };
  const wal = new Wal(disk, segments, segmentBytes, { directory, onError });
  const events: OrderEvent[] = [];
  const clock = { now: () => 1, wall: () => Date.now() };
  const order = new SingleOrder({ wal, clock, member: "1", lastIndex: 0, hardState, deliver: (event) => events.push(event) });
  order.start();
  const crash = async (): Promise<readonly string[]> => {
    disk.crash();
    return recover(disk, directory, () => {}).entries.map((entry) => orderedEntry(entry).payload);
  };
  return { order, events, settle: settled, crash };
}

describe("a single member's own log", () => orderContract(single));
