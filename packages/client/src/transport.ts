/**
 * The port to a WebSocket, and to the host's time.
 */
export interface Socket {
  send(text: string): void;
  /** Ends the connection now, without waiting for the peer. What follows, if anything, is not listened to. */
  close(): void;
}

export interface SocketEvents {
  opened(): void;
  received(text: string): void;
  /** The last event. `code` is the WebSocket close code, 1006 where there was none; `reason` says why for people, "" where nothing is known. */
  closed(code: number, reason: string): void;
}

/** Opens a connection to a URL. It calls no event from within the call. */
export type Transport = (url: string, events: SocketEvents) => Socket;

/** The time that a client lives in: its host's, or a test's. */
export interface Clock {
  /** Milliseconds on a clock that never jumps. It may stand still while the machine sleeps. */
  readonly now: () => number;
  /** Milliseconds on the wall clock, which counts sleep and may be set; absent where the other counts sleep too. */
  readonly wallNow?: () => number;
  /** Calls `run` after `ms`; gives what cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
}

export interface ClientPorts extends Clock {
  readonly transport: Transport;
  /** In [0, 1). */
  readonly random: () => number;
  /** What the host is called, for a client that says no name of its own. */
  readonly name?: () => string | undefined;
  /** Calls `look` whenever the host may have slept, or has another network; gives what stops that. */
  readonly onWake: (look: () => void) => () => void;
}
