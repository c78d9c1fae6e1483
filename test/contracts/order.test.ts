/** The order contract on each engine there is. */
import { recover, SnapshotStore, Wal } from "@copse/log";
import { emptyConfiguration, payloadText } from "@copse/raft";
import {
  decodePeerMessages,
  defaultElectionTimes,
  defaultRaftSizes,
  EdgeOrder,
  encodePeerMessages,
  Feeder,
  nothingRelayed,
  type OrderEvent,
  orderedEntry,
  type PeerMessage,
  RaftOrder,
  StateTime,
} from "@copse/replica";
import { describe } from "vitest";
import { memoryDisk } from "../support/memory-disk.ts";
import { settled } from "../support/settled.ts";
import { type OrderUnderTest, orderContract } from "./order.ts";

interface Alone extends OrderUnderTest {
  /** Hears of each event as it comes. */
  onEvent: (event: OrderEvent) => void;
  /** The newest entry that it gave out. */
  readonly given: () => number;
}

/** Raft with one voter: what a hub alone runs on. */
async function alone(): Promise<Alone> {
  const disk = memoryDisk();
  const directory = "d";
  const onError = (error: Error): void => {
    throw error;
  };
  const clock = { now: () => 1, wall: () => Date.now() };
  const events: OrderEvent[] = [];
  let waiting: (() => void)[] = [];
  const under: { onEvent: Alone["onEvent"] } = { onEvent: () => {} };
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
      deliver: (event) => {
        events.push(event);
        under.onEvent(event);
      },
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
  const given = (): number => events.flatMap((event) => (event.kind === "entries" ? event.entries : [])).at(-1)?.index ?? 0;
  return Object.assign(under, { order, events, settle, crash, given });
}

/** An edge that follows raft with one voter, over messages that are encoded and decoded. */
async function edge(): Promise<OrderUnderTest> {
  const member = await alone();
  const clock = { now: () => 1, wall: () => Date.now() };
  const events: OrderEvent[] = [];
  const facts = { url: "", peer: "", directory: "", cluster: "", isFounded: true, version: 0, founders: [], time: 0 };
  const travelled = (message: PeerMessage): readonly PeerMessage[] => decodePeerMessages(encodePeerMessages([message]));
  const feeder = new Feeder({
    order: member.order,
    own: "1",
    clock,
    send: (name, message) => edges.get(name)?.forEach((one) => void travelled(message).forEach((came) => void one.receive("1", came))),
    defer: (run) => run(),
    open: () => {
      throw new Error("all entries are recent");
    },
    newest: member.given,
    time: () => 1,
    members: () => emptyConfiguration,
    relayed: () => nothingRelayed,
    isReadable: () => true,
  });
  const edges = new Map<string, EdgeOrder[]>();
  const begin = (name: string, heard: OrderEvent[]): EdgeOrder => {
    const order = new EdgeOrder({
      id: name,
      boot: "b",
      clock,
      time: new StateTime(clock, { time: 0 }),
      deliver: (event) => heard.push(event),
      send: (_to, message) => void travelled(message).forEach((came) => void feeder.receive(name, came)),
      defer: (run) => run(),
      restorer: () => ({ take: () => {}, install: () => {} }),
      zxid: () => 0,
    });
    edges.set(name, [order]);
    feeder.up({ ...facts, member: name });
    order.linked({ ...facts, member: "1" });
    return order;
  };
  member.onEvent = (event) => (event.kind === "confirmed" ? feeder.confirmed(event.ticket) : feeder.ordered(event));
  const settleWith = async (order: EdgeOrder): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) {
      order.flush();
      await member.settle();
      feeder.flush();
      order.flush();
    }
  };
  const order = begin("edge-a", events);
  for (const event of member.events) member.onEvent(event);
  const crash = async (): Promise<readonly string[]> => {
    const again: OrderEvent[] = [];
    await settleWith(begin("edge-b", again));
    return again
      .flatMap((event) => (event.kind === "entries" ? event.entries.map(({ payload }) => payloadText(payload)) : []))
      .filter((payload) => payload !== "");
  };
  const settle = (): Promise<void> => settleWith(order);
  await settle();
  return { order, events, settle, crash };
}

describe("raft with one voter", () => orderContract(alone, true));
describe("an edge of raft with one voter", () => orderContract(edge, false));
