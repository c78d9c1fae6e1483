/** Where a client goes next: what it was given, and of what it learned what is as safe. */
import { describe, expect, it } from "vitest";
import { Endpoints } from "../src/session/endpoints.ts";

/** The URLs that are tried, in turn, once a connection to what was given has taught these. */
function tried(given: readonly string[], learned: readonly string[]): string[] {
  const endpoints = new Endpoints(given, () => 0);
  endpoints.next();
  endpoints.learn(learned, "c");
  return Array.from({ length: 12 }, () => endpoints.next().url)
    .filter((url, at, all) => all.indexOf(url) === at)
    .sort();
}

describe("learned endpoints", () => {
  it("are tried where they travel as the connection did that taught them", () => {
    expect(tried(["wss://a.example.com"], ["wss://b.example.com", "ws://c.example.com"])).toEqual([
      "wss://a.example.com/v1",
      "wss://b.example.com/v1?cluster=c",
    ]);
    expect(tried(["ws://a.example.com"], ["wss://b.example.com", "ws://c.example.com"])).toEqual([
      "ws://a.example.com/v1",
      "ws://c.example.com/v1?cluster=c",
    ]);
    // Given both, what is learned over the first is as safe as that was.
    expect(tried(["wss://a.example.com", "ws://z.example.com"], ["ws://c.example.com"])).toEqual([
      "ws://z.example.com/v1",
      "wss://a.example.com/v1",
    ]);
  });

  it("that mean another machine's own are not tried, unless this client came by one", () => {
    const local = ["ws://127.0.0.1:7181", "ws://localhost:7181", "ws://[::1]:7181", "ws://0.0.0.0:7181"];
    expect(tried(["ws://a.example.com"], local)).toEqual(["ws://a.example.com/v1"]);
    expect(tried(["ws://127.0.0.1:7000"], local)).toHaveLength(5);
  });

  it("that are no URLs, or none that a WebSocket connects to, are nothing", () => {
    const odd = ["", "not a URL", "ws://a.example.com#part", "ws://name:secret@b.example.com"];
    expect(tried(["ws://a.example.com"], odd)).toEqual(["ws://a.example.com/v1"]);
  });

  it("say whose cluster they have to be, where they were learned", () => {
    const endpoints = new Endpoints(["ws://a.example.com"], () => 0);
    expect(endpoints.next()).toEqual({ url: "ws://a.example.com/v1", isGiven: true });
    endpoints.learn(["ws://b.example.com/?token=1", "ws://a.example.com"], "c & d");
    expect([endpoints.next(), endpoints.next()]).toEqual([
      { url: "ws://b.example.com/v1?token=1&cluster=c+%26+d", isGiven: false },
      { url: "ws://a.example.com/v1", isGiven: true },
    ]);
  });
});

describe("a URL", () => {
  it("gets the protocol's path, also after the prefix of a proxy", () => {
    const urlOf = (given: string): string => new Endpoints([given], () => 0).next().url;
    expect(urlOf("https://a.example.com")).toBe("wss://a.example.com/v1");
    expect(urlOf("wss://a.example.com/prefix")).toBe("wss://a.example.com/prefix/v1");
    expect(urlOf("wss://a.example.com/prefix/v1/")).toBe("wss://a.example.com/prefix/v1");
    expect(urlOf("ws://a.example.com/v1?x=1")).toBe("ws://a.example.com/v1?x=1");
  });
});

describe("an attempt that failed", () => {
  it("is followed by others at once, and then by as long a wait as the server asked for", () => {
    const endpoints = new Endpoints(["ws://a.example.com", "ws://b.example.com"], () => 0);
    expect(endpoints.failed("retry-after=7000")).toBe(0);
    expect(endpoints.failed("retry-after=7000")).toBe(7_000);
    expect(endpoints.failed("the connection was closed (1006)")).toBeLessThan(100);
    expect(endpoints.failed("retry-after=99999999"), "no host keeps a client away for longer than a minute").toBe(60_000);
    endpoints.succeeded();
    expect(endpoints.failed("retry-after=7000")).toBe(0);
  });
});
