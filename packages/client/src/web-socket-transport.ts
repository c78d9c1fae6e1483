/**
 * The one file that touches WebSocket, and the host's timers.
 */
import { WebSocket } from "#web-socket";
import type { ClientPorts, Transport } from "./transport.ts";

const subprotocol = "copse.v1";

const transport: Transport = (url, events) => {
  const socket = new WebSocket(url, subprotocol);
  socket.onopen = () => events.opened();
  socket.onmessage = (event) => events.received(String(event.data));
  socket.onclose = (event) => events.closed(event.code, event.reason);
  // A close event with the code follows; the error itself says nothing.
  socket.onerror = () => {};
  return {
    send: (text) => {
      if (socket.readyState === 1) socket.send(text);
    },
    // Node's can be cut; a browser's close handshake goes on by itself, and nobody listens any more.
    close: () => ("terminate" in socket ? (socket as { terminate(): void }).terminate() : socket.close(1000)),
  };
};

/** What makes a page or worker look at the clock: timers sleep in hidden tabs, these do not. */
function onWake(look: () => void): () => void {
  const pageEvents: [EventTarget | undefined, string][] = [
    [globalThis.document, "visibilitychange"],
    [globalThis.document, "resume"],
    [globalThis.document && globalThis.window, "pageshow"],
    [globalThis.document && globalThis.window, "online"],
  ];
  for (const [target, name] of pageEvents) target?.addEventListener(name, look);
  return () => {
    for (const [target, name] of pageEvents) target?.removeEventListener(name, look);
  };
}

/** A jump of the wall clock against the other that is taken for a sleep, in milliseconds. */
const sleepMsMin = 1_000;
let sleptMs = 0;
let lookedAt = { steady: performance.now(), wall: Date.now() };

/**
 * The steady clock, which on many hosts stands still while the machine sleeps; the wall clock says for how long. A wall clock that is set
 * forward looks like a sleep: a session may be given up early by it, never late.
 */
function wakingNow(): number {
  const [steady, wall] = [performance.now(), Date.now()];
  const ahead = wall - lookedAt.wall - (steady - lookedAt.steady);
  if (ahead >= sleepMsMin) sleptMs += ahead;
  lookedAt = { steady, wall };
  return steady + sleptMs;
}

export const hostPorts: ClientPorts = {
  transport,
  now: wakingNow,
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  onWake,
};
