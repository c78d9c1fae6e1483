/**
 * A request's place in the queue of its connection, and its answer.
 */
import type { Body, CloseCode } from "@copse/protocol";

export interface Answer {
  /** The reply without its id (protocol/replies/reply). */
  readonly body: Body;
  /** Close the connection after the reply. */
  readonly close?: { readonly code: CloseCode; readonly reason: string };
  /** What has to follow the reply before anything else does. */
  readonly after?: () => void;
}

export interface Slot {
  readonly id: number;
  /** A write sent after it may not be proposed before it is answered: it would be seen by a read that was sent first. */
  readonly holdsWrites: boolean;
  /**
   * What is to run at the head of the queue; null once it runs, or where the outcome comes by itself. Two fields rather than one union: a
   * thousand slots may wait for a sync, and each is one object less.
   */
  run: Run | null;
  /** Null until the outcome is there. Invariant: what has an answer runs no more. */
  answer: Answer | null;
}

/** Gives the answer to a slot, or null where that comes later. */
export type Run = (slot: Slot) => Answer | null;
