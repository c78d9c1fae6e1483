/** U: subscriptions: the state, then every change, without a gap, however slow the reader. */
import { defaultLimits } from "@copse/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let hub: Hub;
let writer: RawClient;
let reader: RawClient;
let top: string;
let tests = 0;

beforeAll(async () => {
  hub = await startHub();
  writer = await RawClient.connect(hub.url);
});
afterAll(async () => {
  await writer.cut();
  await hub.destroy();
});
beforeEach(async () => {
  top = `/u${++tests}`;
  await writer.ask({ op: "create", path: top, data: "top" });
  reader = await RawClient.connect(hub.url);
});

async function write(...messages: Message[]): Promise<Message[]> {
  const replies = [];
  for (const message of messages) replies.push(await writer.ask({ ...message, path: top + message["path"] }));
  return replies;
}

async function changes(client: RawClient = reader): Promise<string[]> {
  await client.ask({ op: "sync" });
  const shown = client.events
    .filter((event) => "change" in event)
    .map((event) => `${event["change"]} ${event["path"].slice(top.length) || "."}`);
  client.received.length = 0;
  return shown;
}

/** What a stranger would hold after reading all messages of one subscription. */
class Mirror {
  readonly znodes = new Map<string, Message>();
  zxid = 0;
  resets = 0;
  isWhole = false;
  #isArriving = false;

  take(message: Message): void {
    if ("nodes" in message) {
      if (!this.#isArriving || message["reset"] === true) this.znodes.clear();
      if (message["reset"] === true) this.resets++;
      for (const node of message["nodes"]) this.znodes.set(node["path"], node);
      this.#isArriving = message["more"] === true;
      this.isWhole = !this.#isArriving;
    } else if ("change" in message) {
      expect(this.isWhole).toBe(true);
      const { path, change } = message;
      if (change === "deleted") {
        expect(this.znodes.delete(path)).toBe(true);
      } else if (change === "created" || change === "changed")
        this.znodes.set(path, { path, data: message["data"], stat: message["stat"] });
      else this.znodes.set(path, { ...this.znodes.get(path)!, stat: message["stat"] });
    }
    expect(message["zxid"]).toBeGreaterThanOrEqual(this.zxid);
    this.zxid = message["zxid"];
  }

  static of(client: RawClient, sub: number): Mirror {
    const mirror = new Mirror();
    for (const message of client.received) {
      if (message["sub"] !== sub || message["resumed"] === true) continue;
      mirror.take(message);
    }
    return mirror;
  }

  async matches(client: RawClient, path: string): Promise<void> {
    const { sub } = await client.ask({ op: "subscribe", path, scope: "tree" });
    await client.until((message) => message["sub"] === sub && "nodes" in message && message["more"] !== true);
    const fresh = Mirror.of(client, sub);
    expect([...this.znodes].sort()).toEqual([...fresh.znodes].sort());
  }
}

describe("the state and its changes", () => {
  it("[U1] [U8] begins with the state, parents first, siblings in order; sub is the smallest free number", async () => {
    await write(
      { op: "create", path: "/b", data: "b" },
      { op: "create", path: "/a" },
      { op: "create", path: "/a/x" },
      { op: "create", path: "/a-" },
    );
    const tree = await reader.ask({ op: "subscribe", path: top, scope: "tree" });
    expect(tree).toMatchObject({ sub: 1, resumed: false });
    expect(tree["nodes"].map((node: Message) => [node["path"].slice(top.length), node["data"]])).toEqual([
      ["", "top"],
      ["/a", undefined],
      ["/a/x", undefined],
      ["/a-", undefined],
      ["/b", "b"],
    ]);
    const children = await reader.ask({ op: "subscribe", path: top, scope: "children", data: false });
    expect(children["nodes"].map((node: Message) => Object.keys(node))).toEqual(Array(4).fill(["path", "stat"]));
    expect(children["sub"]).toBe(2);
    expect((await reader.ask({ op: "subscribe", path: top, scope: "node" }))["nodes"]).toHaveLength(1);
    await reader.ask({ op: "unsubscribe", sub: 2 });
    expect(await reader.ask({ op: "subscribe", path: `${top}/none`, scope: "tree" })).toMatchObject({ sub: 2, nodes: [] });
    expect((await reader.ask({ op: "unsubscribe", sub: 9 }))["error"].code).toBe("BAD_ARGUMENTS");
  });

  it("[U2] says what happened, ops first, then each parent's new stat once", async () => {
    await reader.ask({ op: "subscribe", path: top, scope: "tree" });
    await write(
      { op: "create", path: "/a", data: "1" },
      { op: "set", path: "/a", data: "2" },
      { op: "setAcl", path: "/a", acl: [{ perms: ["read", "create", "delete"], scheme: "world", id: "anyone" }] },
      { op: "create", path: "/a/b" },
      { op: "delete", path: "/a/b" },
      { op: "set", path: "/a", version: 77 },
    );
    await writer.ask({
      op: "multi",
      ops: [
        { op: "create", path: `${top}/x` },
        { op: "create", path: `${top}/x/y` },
        { op: "create", path: `${top}/z` },
      ],
    });
    await reader.ask({ op: "sync" });
    const created = reader.events.find((event) => event["change"] === "created")!;
    expect(created).toMatchObject({ sub: 1, path: `${top}/a`, data: "1", stat: { version: 0, dataLength: 1 } });
    expect(reader.events.find((event) => event["change"] === "deleted")).toEqual({
      sub: 1,
      zxid: expect.any(Number),
      change: "deleted",
      path: `${top}/a/b`,
    });
    expect(reader.events.find((event) => event["change"] === "acl")).toMatchObject({ stat: { aversion: 1 } });
    expect(await changes()).toEqual([
      "created /a",
      "children .",
      "changed /a",
      "acl /a",
      "created /a/b",
      "children /a",
      "deleted /a/b",
      "children /a",
      "created /x",
      "created /x/y",
      "created /z",
      "children .",
      "children /x",
    ]);
  });

  it("[U8] each scope shows what is in it, and a missing znode when it comes", async () => {
    for (const scope of ["node", "children", "tree"])
      await reader.ask({ op: "subscribe", path: `${top}/a`, scope, data: scope !== "children" });
    await write(
      { op: "create", path: "/a", data: "x" },
      { op: "create", path: "/a/b" },
      { op: "create", path: "/a/b/c" },
      { op: "delete", path: "/a", recursive: true },
    );
    await reader.ask({ op: "sync" });
    const of = (sub: number): string[] =>
      reader.events.filter((event) => event["sub"] === sub).map((event) => `${event["change"]} ${event["path"].slice(top.length)}`);
    expect(of(1)).toEqual(["created /a", "children /a", "deleted /a"]);
    expect(of(2)).toEqual(["created /a", "created /a/b", "children /a", "children /a/b", "deleted /a/b", "deleted /a"]);
    expect(of(3)).toEqual([
      "created /a",
      "created /a/b",
      "children /a",
      "created /a/b/c",
      "children /a/b",
      "deleted /a/b/c",
      "deleted /a/b",
      "deleted /a",
    ]);
    expect(reader.events.filter((event) => event["sub"] === 2).some((event) => "data" in event)).toBe(false);
  });

  it("[U3] the changes of one zxid come in one frame, or in several with more", async () => {
    await reader.ask({ op: "subscribe", path: top, scope: "tree" });
    const create =
      (data: string) =>
      (_: unknown, at: number): Message => ({ op: "create", path: `${top}/${data.length}-${at}`, data });
    const small = await writer.ask({ op: "multi", ops: Array.from({ length: 50 }, create("s")) });
    const large = await writer.ask({ op: "multi", ops: Array.from({ length: 19 }, create("x".repeat(100_000))) });
    await reader.ask({ op: "sync" });
    const framesOf = (zxid: number): Message[][] =>
      reader.frames
        .map((frame) => [JSON.parse(frame)].flat().filter((message) => message.sub === 1 && message.zxid === zxid && "change" in message))
        .filter((found) => found.length > 0);
    expect(framesOf(small["zxid"]).map((found) => found.length)).toEqual([51]);
    const frames = framesOf(large["zxid"]);
    expect(frames.length).toBeGreaterThan(1);
    expect(frames.flat()).toHaveLength(20);
    for (const [at, found] of frames.entries()) {
      const isLast = at === frames.length - 1;
      expect(found.every((message) => (message["more"] === true) === !isLast)).toBe(true);
      expect(JSON.stringify(found).length).toBeLessThan(1_100_000);
    }
  });
});

describe("large states and slow readers", () => {
  it("[U4] a large state comes in pieces of one zxid, while writes and reads go on, and no change is lost", async () => {
    const count = 12_000;
    const nameOf = (at: number): string => `${top}/n${String(at).padStart(5, "0")}`;
    for (let at = 0; at < count; at += 500) {
      await writer.ask({
        op: "multi",
        ops: Array.from({ length: 500 }, (_, i) => ({ op: "create", path: nameOf(at + i), data: "x".repeat(800) })),
      });
    }
    // Who does not read takes a few pieces and no more: the writes come while the others are still to be sent.
    reader.socket.pause();
    const [id] = reader.sendAll([{ op: "subscribe", path: top, scope: "tree" }]);
    await expect.poll(() => hub.member.figures.subscriptions).toBeGreaterThan(0);
    for (let at = 0; at < count; at += 70) {
      const path = nameOf(count - 1 - at);
      writer.sendAll([
        at % 3 === 0 ? { op: "delete", path } : at % 3 === 1 ? { op: "set", path, data: "new" } : { op: "create", path: `${path}-` },
      ]);
      if (at % 700 === 0) await writer.ask({ op: "sync" });
    }
    await writer.ask({ op: "sync" });
    reader.socket.resume();
    const first = await reader.reply(id!);
    expect(first["more"]).toBe(true);
    const { sub } = first;
    await reader.ask({ op: "get", path: top });
    await writer.ask({ op: "sync" });
    await reader.until((message) => message["sub"] === sub && "nodes" in message && message["more"] !== true);
    await reader.ask({ op: "sync" });
    const all = reader.received.filter((message) => message["sub"] === sub && "nodes" in message);
    const pieces = all.slice(0, all.findIndex((message) => message["more"] !== true) + 1);
    expect(pieces.length).toBeGreaterThan(3);
    expect(new Set(pieces.map((piece) => piece["zxid"])).size).toBe(1);
    const paths = pieces.flatMap((piece) => piece["nodes"].map((node: Message) => node["path"]));
    expect(paths).toHaveLength(count + 1);
    expect(paths).toEqual([...paths].sort());
    await Mirror.of(reader, sub).matches(reader, top);
  });

  it("[U6] who does not read is reset, nobody else slows down, and the state is right in the end", async () => {
    const { sub } = await reader.ask({ op: "subscribe", path: top, scope: "tree" });
    const quick = await RawClient.connect(hub.url);
    const fast = await quick.ask({ op: "subscribe", path: top, scope: "tree" });
    reader.socket.pause();
    const rounds = 120;
    for (let at = 0; at < rounds; at++) await writer.ask({ op: "set", path: top, data: String(at).padEnd(500_000, "x") });
    await quick.until((message) => message["sub"] === fast["sub"] && String(message["data"]).startsWith(`${rounds - 1}x`));
    const versions = quick.received.filter((message) => message["change"] === "changed").map((message) => message["stat"].version);
    expect(versions).toEqual(Array.from({ length: rounds }, (_, at) => at + 1));
    reader.socket.resume();
    await reader.until((message) => message["reset"] === true);
    await reader.ask({ op: "sync" });
    const mirror = Mirror.of(reader, sub);
    expect(mirror.resets).toBeGreaterThan(0);
    expect(reader.received.filter((message) => message["change"] === "changed").length).toBeLessThan(rounds);
    expect(mirror.znodes.get(top)!["stat"].version).toBe(rounds);
    await quick.cut();
  });

  it("[U6] a ping answered after dropped changes never hides that they were dropped", async () => {
    const { sub } = await reader.ask({ op: "subscribe", path: top, scope: "node" });
    reader.socket.pause();
    for (let at = 0; at < 30; at++) await writer.ask({ op: "set", path: top, data: String(at).padEnd(900_000, "x") });
    const [ping] = reader.sendAll([{ op: "ping" }]);
    await writer.ask({ op: "sync" });
    reader.socket.resume();
    const { zxid } = await reader.reply(ping!);
    const before = reader.received.slice(
      0,
      reader.received.findIndex((message) => message["id"] === ping),
    );
    const newest = before.filter((message) => message["sub"] === sub && message["zxid"] <= zxid).pop()!;
    expect(newest["reset"] === true || newest["stat"].version === 30).toBe(true);
  });

  it("the backlog of who reads nothing and asks on stays bounded", async () => {
    await writer.ask({ op: "set", path: top, data: "x".repeat(1_000_000) });
    reader.socket.pause();
    reader.sendAll(Array.from({ length: 300 }, () => ({ op: "get", path: top })));
    const before = process.memoryUsage().rss;
    for (let at = 0; at < 50; at++) await writer.ask({ op: "sync" });
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
    reader.socket.resume();
    await reader.until((message) => message["id"] === 301);
    expect(reader.received.filter((message) => String(message["data"]).length === 1_000_000)).toHaveLength(300);
  });
});

describe("since", () => {
  it("[U5] gives what was missed, before any other reply, and no state", async () => {
    const { zxid } = await reader.ask({ op: "subscribe", path: top, scope: "tree" });
    await reader.cut();
    await write({ op: "create", path: "/a", data: "1" }, { op: "set", path: "/a", data: "2" }, { op: "delete", path: "/a" });
    const again = await RawClient.connect(hub.url);
    const ids = again.sendAll([{ op: "subscribe", path: top, scope: "tree", since: zxid }, { op: "sync" }]);
    await again.reply(ids[1]!);
    expect(again.received.map((message) => message["change"] ?? message["id"])).toEqual([
      1,
      ids[0],
      "created",
      "children",
      "changed",
      "deleted",
      "children",
      ids[1],
    ]);
    const reply = again.received.find((message) => message["id"] === ids[0])!;
    expect(reply).toMatchObject({ resumed: true, sub: 1 });
    expect(reply).not.toHaveProperty("nodes");
    await write({ op: "create", path: "/b" });
    again.received.length = 0;
    await write({ op: "set", path: "/b" });
    expect(await changes(again)).toEqual(["changed /b"]);
    await again.cut();
  });

  it("[U5] reaches back over a restart, and gives the state where the history does not", async () => {
    const limits = { ...defaultLimits, historyChanges: 20 };
    const own = await startHub({ limits, snapshotLogBytes: 2_000 });
    let client = await RawClient.connect(own.url);
    await client.ask({ op: "create", path: "/h" });
    const { zxid: early } = await client.ask({ op: "sync" });
    for (let at = 0; at < 40; at++) await client.ask({ op: "set", path: "/h", data: String(at) });
    const { zxid: late } = await client.ask({ op: "sync" });
    for (let at = 40; at < 45; at++) await client.ask({ op: "set", path: "/h", data: String(at) });
    await own.stop();
    const again = await startHub({ limits }, own.data);
    client = await RawClient.connect(again.url);
    expect(await client.ask({ op: "subscribe", path: "/", scope: "tree", since: late })).toMatchObject({ resumed: true });
    expect(client.events.filter((event) => event["path"] === "/h").map((event) => event["data"])).toEqual(["40", "41", "42", "43", "44"]);
    expect(await client.ask({ op: "subscribe", path: "/", scope: "tree", since: early })).toMatchObject({
      resumed: false,
      nodes: expect.any(Array),
    });
    await client.cut();
    await again.destroy();
  });
});

describe("visibility", () => {
  const digest = { scheme: "digest", credential: "eve:pw" };
  const own = (perms: string[]): Message[] => [{ perms, scheme: "auth", id: "" }];
  const open = { perms: ["read"], scheme: "world", id: "anyone" };

  it("[U7] a parent's ACL decides too, also for a subscription that begins right below it", async () => {
    const all = ["read", "write", "create", "delete", "admin"];
    const eve = await RawClient.connect(hub.url, { auth: [digest] });
    await eve.ask({ op: "create", path: `${top}/dir`, acl: [{ ...open, perms: all }] });
    await eve.ask({ op: "create", path: `${top}/dir/a`, data: "hidden", acl: own(all) });
    const { sub, nodes } = await reader.ask({ op: "subscribe", path: `${top}/dir/a`, scope: "node" });
    expect(nodes).toMatchObject([{ denied: true }]);
    await eve.ask({ op: "setAcl", path: `${top}/dir`, acl: own(all) });
    expect(await reader.until((message) => message["reset"] === true)).toMatchObject({ sub, nodes: [] });
    await eve.cut();
  });

  it("[U7] hides what may not be read, denies data, and begins anew when that changes", async () => {
    const eve = await RawClient.connect(hub.url, { auth: [digest] });
    const all = ["read", "write", "create", "delete", "admin"];
    await eve.ask({ op: "create", path: `${top}/dark`, data: "hidden", acl: own(all) });
    await eve.ask({ op: "create", path: `${top}/dark/deep`, data: "deeper", acl: own(all) });
    const { sub, nodes } = await reader.ask({ op: "subscribe", path: top, scope: "tree" });
    expect(nodes.map((node: Message) => [node["path"].slice(top.length), node["data"], node["denied"]])).toEqual([
      ["", "top", undefined],
      ["/dark", undefined, true],
    ]);
    await eve.ask({ op: "set", path: `${top}/dark`, data: "hidden 2" });
    await eve.ask({ op: "set", path: `${top}/dark/deep`, data: "deeper 2" });
    await reader.ask({ op: "sync" });
    expect(reader.events).toMatchObject([{ sub, change: "changed", path: `${top}/dark`, denied: true }]);
    await eve.ask({ op: "setAcl", path: `${top}/dark`, acl: [...own(all), open] });
    const reset = await reader.until((message) => message["reset"] === true);
    expect(reset["nodes"].map((node: Message) => [node["path"].slice(top.length), node["data"], node["denied"]])).toEqual([
      ["", "top", undefined],
      ["/dark", "hidden 2", undefined],
      ["/dark/deep", undefined, true],
    ]);
    reader.received.length = 0;
    await reader.ask({ op: "auth", ...digest });
    const again = await reader.until((message) => message["reset"] === true);
    expect(again["nodes"].map((node: Message) => node["data"])).toEqual(["top", "hidden 2", "deeper 2"]);
    expect(reader.frames.slice(0, 2).join("")).not.toContain("hidden");
    await eve.ask({ op: "delete", path: `${top}/dark`, recursive: true });
    await eve.cut();
  });
});
