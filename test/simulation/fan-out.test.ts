/**
 * The tree through which a change reaches browsers: the leader tells each observer once, each observer its own browsers.
 * What the capacity page multiplies is counted here, message by message, on the product's members in simulated time.
 */
import type { Copse, Observer } from "@copse/client";
import { TestEnsemble } from "@copse/testing";
import type { EnsembleWatcher } from "@copse/testing/simulation";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const voters = ["1", "2", "3"];
const observers = ["4", "5", "6", "7", "8", "9", "10", "11", "12"];
const browserCount = process.env.COPSE_FULL === undefined ? 200 : 2_000;
const changes = 30;

const count = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
const sum = (counts: Map<string, number>): number => [...counts.values()].reduce((all, one) => all + one, 0);

/** What one browser was told of `/config`, in order. */
class Browser implements Observer {
  readonly heard: string[] = [];
  /** How often it was given the whole state instead of a change. */
  states = 0;

  state(): void {
    this.states++;
  }

  changes(list: Parameters<Observer["changes"]>[0]): void {
    for (const { data } of list) this.heard.push(String(data));
  }

  failed(error: Error): void {
    this.heard.push(`${error}`);
  }
}

describe("a fleet of observers", () => {
  /** Frames to browsers by the member that sends them. */
  const frames: Map<string, number> = new Map();
  /** Entries of the log by the member they are sent to, and who sends any. */
  const entries: Map<string, number> = new Map();
  const senders: Set<string> = new Set();
  const browsers: Browser[] = [];
  const watcher: EnsembleWatcher = {
    turned: () => {},
    toServer: () => {},
    toClient: ({ node }) => count(frames, node.id),
    sent: ({ id }, to, message) => {
      if (message.kind !== "raft") return;
      for (const _ of message.message.entries) count(entries, to);
      if (message.message.entries.length > 0) senders.add(id);
    },
  };
  const ensemble = new TestEnsemble({ members: voters.length + observers.length, watcher });
  let writer: Copse;

  beforeAll(async () => {
    await ensemble.elected();
    writer = await ensemble.connect({ member: voters });
    const observer = (id: string) => ({ id, role: "observer" as const, peer: `host:${id}`, url: `ws://member-${id}` });
    await ensemble.until(writer.reconfig({ add: observers.map(observer) }));
    // Whoever led may be an observer now.
    await ensemble.elected();
    await ensemble.until(writer.create("/config", "0"));
    for (let n = 0; n < browserCount; n++) {
      const browser = new Browser();
      const copse = await ensemble.connect({ member: observers, readOnly: true });
      copse.observe("/config", {}, browser);
      browsers.push(browser);
    }
    await ensemble.advance(1_000);
  });
  afterAll(() => ensemble.close());

  /** Writes, waits until all is told, and gives what was written. */
  async function write(from: number, to: number): Promise<string[]> {
    const values = Array.from({ length: to - from }, (_, at) => `${from + at}`);
    for (const value of values) await ensemble.until(writer.set("/config", value));
    await ensemble.advance(1_000);
    return values;
  }

  it("hears of each change once from the leader, and tells each of its browsers once; voters tell no browser", async () => {
    for (const counts of [frames, entries, senders]) counts.clear();
    const values = await write(1, changes + 1);
    const { leader } = ensemble;
    expect(voters).toContain(leader);
    expect([...senders]).toEqual([leader]);
    for (const id of [...voters, ...observers]) expect(entries.get(id) ?? 0, `entries to ${id}`).toBe(id === leader ? 0 : changes);
    for (const { heard, states } of browsers) expect([heard, states]).toEqual([values, 1]);
    // The writer's replies are the only frames that voters send.
    expect(voters.reduce((all, id) => all + (frames.get(id) ?? 0), 0)).toBe(changes);
    expect(sum(frames)).toBe(changes + changes * browserCount);
    for (const id of observers) expect(frames.get(id)! % changes, `frames from ${id}`).toBe(0);
  });

  it("loses two observers, and its browsers lose no change: they go on at others where they were", async () => {
    for (const id of observers.slice(0, 2)) ensemble.kill(id);
    frames.clear();
    const before = browsers[0]!.heard.length;
    const values = await write(changes + 1, 2 * changes + 1);
    await ensemble.advance(30_000);
    for (const { heard, states } of browsers) expect([heard.slice(before), states]).toEqual([values, 1]);
    expect(observers.slice(0, 2).map((id) => frames.get(id) ?? 0)).toEqual([0, 0]);
  });
});
