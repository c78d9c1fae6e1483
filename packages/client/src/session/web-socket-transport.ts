/**
 * The one file that touches WebSocket, and the host's timers.
 */
import { hostName, WebSocket } from "#web-socket";
import type { ClientPorts, Transport } from "../transport.ts";

const subprotocol = "copse.v1";

const transport: Transport = (url, events) => {
  const socket = new WebSocket(url, subprotocol);
  let failure = "";
  socket.onopen = () => events.opened();
  socket.onmessage = (event) => events.received(String(event.data));
  socket.onclose = (event) => events.closed(event.code, event.reason || failure);
  // A close event with the code follows. Node says here what has failed; a browser tells its console alone.
  socket.onerror = (event) => {
    const { message, error } = event as { message?: string; error?: { code?: string } };
    failure = message || error?.code || "could not connect: the browser's console says why";
  };
  return {
    send: (text) => {
      if (socket.readyState === 1) socket.send(text);
    },
    // Node's can be cut; a browser's close handshake goes on by itself, and nobody listens any more.
    close: () => ("terminate" in socket ? (socket as { terminate(): void }).terminate() : socket.close(1000)),
  };
};

/** What makes a page or worker look at the clock, and at its connection: timers sleep in hidden tabs, these do not. */
function onWake(look: () => void): () => void {
  const pageEvents: [EventTarget | undefined, string][] = [
    [globalThis.document, "visibilitychange"],
    [globalThis.document, "resume"],
    [globalThis.document && globalThis.window, "pageshow"],
    [globalThis.document && globalThis.window, "online"],
    [(globalThis.navigator as { connection?: EventTarget } | undefined)?.connection, "change"],
  ];
  for (const [target, name] of pageEvents) target?.addEventListener(name, look);
  return () => {
    for (const [target, name] of pageEvents) target?.removeEventListener(name, look);
  };
}

/** The longest time that a host's timer can wait, in milliseconds; a longer one would fire at once. */
const timerMsMax = 2 ** 31 - 1;

export const hostPorts: ClientPorts = {
  transport,
  now: () => performance.now(),
  wallNow: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, timerMsMax));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  // A name has at most 128 characters, and none that a terminal would act on.
  name: () =>
    hostName()
      ?.slice(0, 128)
      .replace(/[\p{Cc}\p{Cs}]/gu, " ") || undefined,
  onWake,
};
