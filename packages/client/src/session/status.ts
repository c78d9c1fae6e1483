/**
 * What a client is waiting for, in words.
 */

export type SessionState = "connecting" | "connected" | "suspended" | "expired" | "closed";

export interface ClientStatus {
  readonly state: SessionState;
  /** Where the newest attempt at a connection went. */
  readonly endpoint: string;
  /** Attempts since there was a connection last, the present one included; 0 while there is one. */
  readonly attempt: number;
  /** Why the newest attempt or connection has ended, for people; null while there is a connection and before anything has failed. */
  readonly reason: string | null;
  /** Milliseconds to wait before the next attempt, as it was decided when the newest ended; null while one is under way. */
  readonly nextTryMs: number | null;
}

/** The client's state has changed ("state"), or more of its status ("status"). */
export class SessionEvent extends Event {
  readonly state: SessionState;
  readonly status: ClientStatus;

  constructor(type: "state" | "status", status: ClientStatus) {
    super(type);
    this.state = status.state;
    this.status = status;
  }
}
