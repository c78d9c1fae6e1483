/** Where a connection stands, and what it was granted. */
import type { Allowance } from "./budgets.ts";

export type Phase =
  | { readonly kind: "awaiting-connect"; readonly deadline: number }
  /** Frames are held until the connect, or an auth, is through. */
  | { readonly kind: "holding"; readonly next: "connect" | "auth" }
  | { readonly kind: "ready" }
  /** A close was asked for: what comes after it is not looked at. */
  | { readonly kind: "closing" }
  | { readonly kind: "closed" };

/** A session, and the connection's generation of it. */
export interface SessionHeld {
  readonly id: string;
  readonly generation: number;
}

/** What a connect asks for, as far as it is granted. */
export interface Terms {
  readonly isReadOnly: boolean;
  /** Milliseconds. */
  readonly timeoutMs: number;
  /** What the client calls itself, or "". */
  readonly name: string;
}

export interface Allowances {
  readonly requests: Allowance;
  readonly bytes: Allowance;
}
