/**
 * Everything that can happen to a member. One queue takes them all, in the order in which they happened.
 */

import type { Proof } from "@copse/tree";
import type { Pressure } from "./connections/growth.ts";
import type { AuthOutcome } from "./connections/proof.ts";
import type { PeerFacts } from "./ensemble/peer-facts.ts";
import type { PeerMessage } from "./ensemble/peer-message.ts";
import type { OrderEvent } from "./order/order.ts";
import type { PolicySettings } from "./sessions/policy.ts";

export type Input =
  | { readonly kind: "opened"; readonly connection: number; readonly address: string; readonly certificate?: Proof | null }
  /** The text of one frame. */
  | { readonly kind: "frame"; readonly connection: number; readonly text: string }
  | { readonly kind: "closed"; readonly connection: number }
  | { readonly kind: "drained"; readonly connection: number }
  | { readonly kind: "authenticated"; readonly connection: number; readonly ticket: number; readonly outcome: AuthOutcome }
  | { readonly kind: "ordered"; readonly event: OrderEvent }
  /** The configuration says otherwise than before whom this member lets in. */
  | { readonly kind: "policy"; readonly settings: PolicySettings }
  /** A link to a peer stands; it has proved who it is. */
  | { readonly kind: "peer-up"; readonly facts: PeerFacts }
  /** An edge has come, to be fed. */
  | { readonly kind: "edge-up"; readonly facts: PeerFacts }
  /** The link to a peer or an edge is gone. */
  | { readonly kind: "peer-down"; readonly member: string }
  /** A peer that has proved who it is says that this member is not of the ensemble, by its table of that version. */
  | { readonly kind: "removed"; readonly version: number }
  | { readonly kind: "peer"; readonly member: string; readonly messages: readonly PeerMessage[] }
  /** Something that the disk was asked for is done: what follows is noted under this number (`completions`). */
  | { readonly kind: "performed"; readonly number: number }
  /** This member stops: where it leads, another is to lead at once. */
  | { readonly kind: "hand-over" }
  /** The heap is nearly full, or has room again. */
  | { readonly kind: "pressure"; readonly of: Pressure; readonly isPressed: boolean }
  | { readonly kind: "tick" };
