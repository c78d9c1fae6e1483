/** What a session is told at its beginning, where it stands, and what it tells. */
import type { CopseError } from "../errors.ts";
import type { Socket } from "../transport.ts";
import type { Moment } from "./liveness.ts";
import type { AskCredentials } from "./renewal.ts";
import type { SessionState } from "./status.ts";

export interface SessionOptions {
  /** Milliseconds after which the server gives the session up; it may clamp it. */
  readonly timeoutMs: number;
  readonly isReadOnly: boolean;
  readonly name: string | undefined;
  /** Another cluster at a URL that was given is taken for a new beginning. */
  readonly allowsClusterChange: boolean;
  /** Asked anew at each connect, and before what was proved ends. */
  readonly auth: AskCredentials;
}

export interface SessionEvents {
  state(state: SessionState): void;
  /** The status is another, the state perhaps not. */
  status(): void;
  /** Connected: bring watches and subscriptions back before anything else is sent. */
  restore(isNewCluster: boolean): void;
  /** An event or subscription message. */
  message(message: Record<string, unknown>): void;
  /** All messages of a frame have been taken. */
  frameEnded(): void;
  /** What the session has proved is another. */
  identities(): void;
  /** The server refuses this client for good: the arguments or credentials of its connect are wrong. */
  refused(error: CopseError): void;
}

export type Phase =
  | { readonly kind: "waiting"; readonly cancel: () => void }
  | { readonly kind: "opening"; readonly socket: Socket }
  /** The application is asked for credentials. */
  | { readonly kind: "asking"; readonly socket: Socket }
  | { readonly kind: "greeting"; readonly socket: Socket; readonly connectId: number; readonly sent: Moment; readonly hasToken: boolean }
  | { readonly kind: "open"; readonly socket: Socket }
  | { readonly kind: "closed" };
