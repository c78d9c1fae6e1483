/**
 * Chromium without a driver: tabs of one window, spoken to through the DevTools protocol.
 *
 * A driver makes every page believe that it has the focus, and so no page of its is ever hidden. Here a tab behind another is hidden, its
 * timers are throttled, it can be frozen and put into the back-forward cache, as with a user.
 */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { WebSocket } from "ws";
import { chromiumFlags } from "./chromium.ts";
import { temporaryFolder } from "./hub.ts";

/** After so many seconds in the background, timers fire once a minute; five minutes in a browser as it comes. */
const graceSeconds = 2;
const startMs = 30_000;

export interface Tab {
  readonly id: string;
  /** Runs a function in the page and gives its JSON value. It sees nothing of this file. */
  run<T>(work: () => T | Promise<T>): Promise<T>;
  send(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Waits until a function of the page gives something true. Asks again every 50 ms, from outside: the page's timers may sleep. */
  until(what: string, work: () => boolean): Promise<void>;
}

export interface Window {
  open(url: string): Promise<Tab>;
  /** Brings a tab to the front: all others are hidden. */
  show(tab: Tab): Promise<void>;
  close(): Promise<void>;
}

export async function openWindow(): Promise<Window> {
  const profile = temporaryFolder("chromium");
  // The second is how browsers treat a page with a connection; some versions have it switched off unless they are told.
  const features = `--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/${graceSeconds},DisconnectWebSocketOnBFCache`;
  const args = [...chromiumFlags, features, "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"];
  const child = spawn(process.env["COPSE_CHROMIUM"] ?? "chromium", args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const address = await new Promise<string>((resolve, reject) => {
    let printed = "";
    const late = setTimeout(() => reject(new Error(`Chromium does not start: ${printed}`)), startMs);
    child.stderr.on("data", (chunk) => {
      printed += String(chunk);
      const found = /ws:\/\/\S+/.exec(printed);
      if (found === null) return;
      clearTimeout(late);
      resolve(found[0]);
    });
  });
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const pending = new Map<number, (message: Answer) => void>();
  let last = 0;
  socket.on("message", (text) => {
    const message = JSON.parse(String(text)) as Answer;
    pending.get(message.id)?.(message);
    pending.delete(message.id);
  });
  const send = (method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      pending.set(++last, ({ error, result }) =>
        error === undefined ? resolve(result) : reject(new Error(`${method}: ${error.message}`)),
      );
      socket.send(JSON.stringify({ id: last, method, params, sessionId }));
    });
  return {
    open: async (url) => {
      const { targetId } = (await send("Target.createTarget", { url })) as { targetId: string };
      const { sessionId } = (await send("Target.attachToTarget", { targetId, flatten: true })) as { sessionId: string };
      return tabOf(targetId, (method, params) => send(method, params, sessionId));
    },
    show: async ({ id }) => void (await send("Target.activateTarget", { targetId: id })),
    close: async () => {
      child.kill("SIGKILL");
      socket.terminate();
      await ended;
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

interface Answer {
  readonly id: number;
  readonly error?: { readonly message: string };
  readonly result: Record<string, unknown>;
}

function tabOf(id: string, send: (method: string, params?: object) => Promise<Record<string, unknown>>): Tab {
  const run = async <T>(work: () => T | Promise<T>): Promise<T> => {
    const params = { expression: `(${String(work)})()`, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = (await send("Runtime.evaluate", params)) as unknown as Evaluated<T>;
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  const until = async (what: string, work: () => boolean): Promise<void> => {
    const deadline = performance.now() + startMs;
    for (;;) {
      // While the page is left for another there is nobody to ask.
      if (await run(work).catch(() => false)) return;
      if (performance.now() > deadline) throw new Error(`never ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { id, run, send: (method, params) => send(method, params), until };
}

interface Evaluated<T> {
  readonly result: { readonly value: T };
  readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
}
