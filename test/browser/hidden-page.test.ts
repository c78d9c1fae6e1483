/**
 * The client in pages that nobody looks at, in a real Chromium: behind another tab with throttled timers, frozen, offline, put into the
 * back-forward cache. Each test asserts that the page really was in that state.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openWindow, type Tab, type Window } from "../support/devtools.ts";
import { type Hub, startHub } from "../support/hub.ts";
import { type ModulePage, serveModulePage } from "../support/module-page.ts";
import { Relay } from "../support/relay.ts";

const timeoutMs = 4_000;

/** What the page's own script keeps for us to look at. */
interface Page {
  copse: { state: string; sessionId: string; sessionTimeoutMs: number; create(path: string, data: string): Promise<unknown> };
  held: { signal: AbortSignal };
  store: { get(): string };
  ticks: number[];
  log: string[];
  /** Whether the lock's signal had aborted when the page was told that it runs again. */
  toldInTime: boolean[];
}
declare const page: Page;

/** The page's clock is looked at by its own listeners after the client's, as an application would. */
const script = (hub: string): string => `
  import { connect } from "@copse/client";
  import { lock } from "@copse/recipes/lock";
  const log = [], ticks = [], toldInTime = [];
  const note = (what) => log.push(what);
  const copse = await connect(${JSON.stringify(hub)}, { sessionTimeoutMs: ${timeoutMs} });
  copse.onState((state) => note("state " + state));
  const held = await lock(copse, "/locks/" + Math.random());
  const store = copse.store("/value");
  store.subscribe(() => {});
  for (const [target, names] of [[document, ["visibilitychange", "freeze", "resume"]], [window, ["pagehide", "pageshow", "online", "offline"]]]) {
    for (const name of names) target.addEventListener(name, (event) => {
      note(name === "visibilitychange" ? document.visibilityState : event.persisted === true ? name + " persisted" : name);
      if (name === "resume" || name === "pageshow") toldInTime.push(held.signal.aborted);
    });
  }
  setInterval(() => ticks.push(performance.now()), 100);
  window.page = { copse, held, store, ticks, log, toldInTime };
`;

let hub: Hub;
let served: ModulePage;
let window: Window;
let tab: Tab;
let other: Tab;
let relay: Relay;

beforeAll(async () => {
  relay = new Relay();
  const url = `ws://127.0.0.1:${await relay.listen()}`;
  hub = await startHub({ advertise: url });
  relay.to = hub.port;
  served = await serveModulePage(script(url));
  window = await openWindow();
});
afterAll(async () => {
  await window?.close();
  await served?.close();
  await hub?.destroy();
  relay?.close();
});

beforeEach(async () => {
  relay.mend();
  tab = await window.open(`${served.url}/page`);
  await tab.until("held the lock", () => page.copse.state === "connected" && page.held !== undefined);
  other = await window.open("about:blank");
  await window.show(tab);
  await tab.until("was in front", () => document.visibilityState === "visible");
});

/** What the page has noted so far is done with. */
async function forget(): Promise<void> {
  await tab.run(() => {
    page.log.splice(0);
    page.toldInTime.splice(0);
  });
}

async function pass(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

describe("a page", () => {
  it("behind another, its timers asleep, keeps its session and its lock, and hears of changes", async () => {
    const id = await tab.run(() => page.copse.sessionId);
    await window.show(other);
    await tab.until("was hidden", () => document.visibilityState === "hidden");
    await pass(4 * timeoutMs);
    // It is a fact: for longer than the session's timeout no timer has fired. They fire at full minutes, so one may have in between.
    const longestGapMs = await tab.run(() => {
      const times = [...page.ticks, performance.now()];
      return Math.max(...times.slice(1).map((at, index) => at - times[index]!));
    });
    expect(longestGapMs).toBeGreaterThan(timeoutMs);
    expect(await tab.run(() => [page.copse.state, page.copse.sessionId, page.held.signal.aborted])).toEqual(["connected", id, false]);
    await tab.run(async () => void (await page.copse.create("/value", "new")));
    await tab.until("showed the change", () => page.store.get() === "new");
    expect(await tab.run(() => page.log.filter((what) => what.startsWith("state")))).toEqual([]);
  });

  it("that is frozen for a moment goes on; frozen past its deadline it knows so before anything else of it runs", async () => {
    const id = await tab.run(() => page.copse.sessionId);
    const freeze = async (ms: number): Promise<void> => {
      await window.show(other);
      await tab.until("was hidden", () => document.visibilityState === "hidden");
      await tab.send("Page.setWebLifecycleState", { state: "frozen" });
      await pass(ms);
      await tab.send("Page.setWebLifecycleState", { state: "active" });
      await tab.until("ran again", () => page.log.includes("resume"));
    };
    await freeze(timeoutMs / 4);
    expect(await tab.run(() => [page.copse.sessionId, page.held.signal.aborted, page.log.includes("freeze")])).toEqual([id, false, true]);
    await forget();
    await freeze(2 * timeoutMs);
    expect(await tab.run(() => page.toldInTime)).toEqual([true]);
    await tab.until("was connected again", () => page.copse.state === "connected");
    expect(await tab.run(() => page.copse.sessionId)).not.toBe(id);
    expect(await tab.run(() => page.log.includes("state expired"))).toBe(true);
  });

  it("that is offline comes back as soon as it is online, and resumes", async () => {
    const id = await tab.run(() => page.copse.sessionId);
    await tab.send("Network.enable");
    const network = (offline: boolean): Promise<unknown> =>
      tab.send("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    await network(true);
    relay.cut();
    await tab.until("was suspended", () => page.log.includes("offline") && page.copse.state === "suspended");
    await pass(timeoutMs / 3);
    relay.mend();
    await network(false);
    await tab.until("was connected again", () => page.copse.state === "connected");
    expect(await tab.run(() => [page.copse.sessionId, page.held.signal.aborted, page.log.includes("online")])).toEqual([id, false, true]);
  });

  it("that comes back from the back-forward cache goes on, with the truth about its session", async () => {
    const id = await tab.run(() => page.copse.sessionId);
    const leaveFor = async (ms: number): Promise<void> => {
      await tab.send("Page.navigate", { url: `${served.url.replace("127.0.0.1", "localhost")}/suite/nothing.js` });
      await tab.until("was left", () => location.hostname === "localhost");
      await pass(ms);
      // The page may be gone before it can answer.
      await tab.run(() => history.back()).catch(() => {});
      await tab.until("was restored", () => page.log.includes("pageshow persisted"));
    };
    await leaveFor(timeoutMs / 6);
    await tab.until("was connected again", () => page.copse.state === "connected");
    expect(await tab.run(() => [page.copse.sessionId, page.held.signal.aborted])).toEqual([id, false]);
    await forget();
    await leaveFor(2 * timeoutMs);
    expect(await tab.run(() => page.toldInTime.every((isTold) => isTold))).toBe(true);
    await tab.until("was connected again", () => page.copse.state === "connected");
    expect(await tab.run(() => page.copse.sessionId)).not.toBe(id);
  });
});
