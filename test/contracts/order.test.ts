/** The order contract on each engine there is. */
import { recover, SnapshotStore, Wal } from "@copse/log";
import { emptyConfiguration, payloadText } from "@copse/raft";
import { defaultElectionTimes, defaultRaftSizes, type OrderEvent, orderedEntry, RaftOrder, StateTime } from "@copse/replica";
import { describe } from "vitest";
import { memoryDisk } from "../support/memory-disk.ts";
import { settled } from "../support/settled.ts";
import { type OrderUnderTest, orderContract } from "./order.ts";

/** Raft with one voter: what a hub alone runs on. */
async function alone(): Promise<OrderUnderTest> {
  const disk = memoryDisk();
  const directory = "d";
  const onError = (error: Error): void => {
    throw error;
  };
  const clock = { now: () => 1, wall: () => Date.now() };
  const events: OrderEvent[] = [];
  let waiting: (() => void)[] = [];
  const order: RaftOrder = new RaftOrder(
    {
      id: 1,
      boot: "b",
      times: defaultElectionTimes,
      sizes: defaultRaftSizes,
      wal: new Wal(disk, [], 0, { directory, nextIndex: 1, onError }),
      store: new SnapshotStore(disk, [], null, directory, onError),
      clock,
      time: new StateTime(clock, { time: 0 }),
      random: () => 0,
      deliver: (event) => events.push(event),
      send: () => {},
      defer: (run) => waiting.push(run),
      touch: () => true,
      takeSnapshot: () => {},
      restorer: () => ({ take: () => {}, install: () => {} }),
    },
    {
      hardState: { term: 0, vote: 0, commit: 0 },
      base: { index: 0, term: 0 },
      configuration: { ...emptyConfiguration, voters: [1] },
      entries: [],
    },
  );
  /** Turns of the loop until nothing is left to do. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) {
      order.flush();
      await settled();
      for (const run of waiting.splice(0)) run();
    }
    order.flush();
    waiting = [];
  };
  await settle();
  const crash = async (): Promise<readonly string[]> => {
    disk.crash();
    return recover(disk, directory, () => {})
      .entries.map((entry) => payloadText(orderedEntry(entry).payload))
      .filter((payload) => payload !== "");
  };
  return { order, events, settle, crash };
}

describe("raft with one voter", () => orderContract(alone));
