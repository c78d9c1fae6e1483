/** C12: each limit, set small by the configuration: announced, in the metrics, and kept with its own answer. */
import { defaultLimits, type Limits } from "@copse/protocol";
import { describe, expect, it } from "vitest";
import { startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

interface Case {
  readonly value: number;
  /** What is just allowed, and what is just too much. */
  readonly fits: readonly Message[];
  readonly past: Message | readonly Message[];
  /** An error code, or a close code. */
  readonly answer: string | number;
}

const deepest = {
  op: "multi",
  ops: [
    { op: "check", path: "/" },
    { op: "check", path: "/" },
  ],
};
const cases: Readonly<Record<Exclude<keyof Limits, "historyChanges" | "requests">, Case>> = {
  dataBytes: {
    value: 10,
    fits: [{ op: "create", path: "/a", data: "é".repeat(5) }],
    past: { op: "set", path: "/a", data: "é".repeat(5).concat("x") },
    answer: "TOO_LARGE",
  },
  frameBytes: {
    value: 1_000,
    fits: [{ op: "create", path: "/a", data: "x".repeat(900) }],
    past: { op: "set", path: "/a", data: "x".repeat(1_000) },
    answer: 1009,
  },
  pathBytes: {
    value: 10,
    fits: [{ op: "create", path: "/123456789" }],
    past: { op: "create", path: "/12345678é" },
    answer: "BAD_ARGUMENTS",
  },
  pathDepth: {
    value: 2,
    fits: [{ op: "create", path: "/a/b", parents: true }],
    past: { op: "exists", path: "/a/b/c" },
    answer: "BAD_ARGUMENTS",
  },
  receivedBytes: {
    value: 2_097_152,
    fits: [{ op: "create", path: "/a", data: "x".repeat(1_000_000) }],
    past: [1, 2, 3].map((id) => ({ id: 1_000 + id, op: "get", path: "/a", atLeast: 1_000_000, padding: "x".repeat(1_000_000) })),
    answer: 4429,
  },
  unsentBytes: {
    value: 65_536,
    fits: [{ op: "create", path: "/a", data: "x".repeat(1_000_000) }],
    past: Array.from({ length: 100 }, (_, at) => ({ id: 1_000 + at, op: "get", path: "/a" })),
    answer: 4429,
  },
  identities: {
    value: 2,
    fits: [{ op: "auth", scheme: "digest", credential: "ann:1" }],
    past: { op: "auth", scheme: "digest", credential: "bob:1" },
    answer: "QUOTA_EXCEEDED",
  },
  multiOps: { value: 2, fits: [deepest], past: { op: "multi", ops: [...deepest.ops, { op: "check", path: "/" }] }, answer: "TOO_LARGE" },
  recursiveDeletes: {
    value: 2,
    fits: [
      { op: "create", path: "/a/b", parents: true },
      { op: "delete", path: "/a", recursive: true },
      { op: "create", path: "/a/b/c", parents: true },
    ],
    past: { op: "delete", path: "/a", recursive: true },
    answer: "TOO_LARGE",
  },
  ephemerals: {
    value: 1,
    fits: [{ op: "create", path: "/a", ephemeral: true }],
    past: { op: "create", path: "/b", ephemeral: true },
    answer: "QUOTA_EXCEEDED",
  },
  watches: {
    value: 1,
    fits: [{ op: "exists", path: "/a", watch: true }],
    past: { op: "exists", path: "/b", watch: true },
    answer: "QUOTA_EXCEEDED",
  },
  subscriptions: {
    value: 1,
    fits: [{ op: "subscribe", path: "/a", scope: "node" }],
    past: { op: "subscribe", path: "/b", scope: "node" },
    answer: "QUOTA_EXCEEDED",
  },
};

describe("limits", () => {
  for (const [name, { value, fits, past, answer }] of Object.entries(cases)) {
    it(`[C12] ${name}: ${value} is kept, and one more gets ${answer}`, async () => {
      const hub = await startHub({ limits: { ...defaultLimits, [name]: value } });
      const client = await RawClient.connect(hub.url);
      expect(client.session["limits"]).toEqual({ ...defaultLimits, [name]: value });
      const metrics = async (): Promise<string> => (await fetch(`${hub.page}/metrics`)).text();
      expect(await metrics()).toContain(`copse_limit{limit="${name}"} ${value}\n`);
      for (const request of fits) expect((await client.ask(request))["error"]).toBeUndefined();
      if (typeof answer === "number") {
        for (const one of [past].flat() as Message[]) client.send({ id: 1_000, ...one });
        expect((await client.closed).code).toBe(answer);
      } else {
        expect((await client.ask(past as Message))["error"]).toMatchObject({ code: answer });
        expect(await metrics()).toContain(`copse_refusals_total{code="${answer}"} 1\n`);
      }
      await hub.destroy();
    });
  }

  it("[C12] historyChanges: what is older is not replayed", async () => {
    const hub = await startHub({ limits: { ...defaultLimits, historyChanges: 5 } });
    const client = await RawClient.connect(hub.url);
    const { zxid } = await client.ask({ op: "create", path: "/a" });
    for (let at = 0; at < 5; at++) await client.ask({ op: "set", path: "/a" });
    expect(await client.ask({ op: "subscribe", path: "/a", scope: "node", since: zxid })).toMatchObject({ resumed: true });
    await client.ask({ op: "set", path: "/a" });
    expect(await client.ask({ op: "subscribe", path: "/a", scope: "node", since: zxid })).toMatchObject({ resumed: false });
    await hub.destroy();
  });

  it("[C12] that are not positive integers, or have no such name, are refused at start", async () => {
    await expect(startHub({ limits: { ...defaultLimits, watches: 0 } })).rejects.toThrow("limits.watches");
    await expect(startHub({ limits: { ...defaultLimits, nothing: 5 } as Limits })).rejects.toThrow("limits.nothing");
  });
});
