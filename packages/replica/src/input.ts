/**
 * Everything that can happen to a member. One queue takes them all, in the order in which they happened.
 */
import type { Identity, RawMessage } from "@copse/protocol";
import type { PeerFacts } from "./ensemble.ts";
import type { OrderEvent } from "./order.ts";
import type { PeerMessage } from "./peer-message.ts";

export type Input =
  | { readonly kind: "opened"; readonly connection: number; readonly address: string }
  /** One frame, decoded; `fault` says why the connection must close behind its messages. */
  | { readonly kind: "frame"; readonly connection: number; readonly messages: readonly RawMessage[]; readonly fault: string | null }
  | { readonly kind: "closed"; readonly connection: number }
  | { readonly kind: "drained"; readonly connection: number }
  /** Identities are null where a credential was wrong. */
  | {
      readonly kind: "authenticated";
      readonly connection: number;
      readonly ticket: number;
      readonly identities: readonly Identity[] | null;
    }
  | { readonly kind: "ordered"; readonly event: OrderEvent }
  /** A link to a peer stands; it has proved who it is. */
  | { readonly kind: "peer-up"; readonly facts: PeerFacts }
  | { readonly kind: "peer-down"; readonly member: string }
  | { readonly kind: "peer"; readonly member: string; readonly messages: readonly PeerMessage[] }
  /** Something that the disk was asked for is done. */
  | { readonly kind: "performed"; readonly next: () => void }
  | { readonly kind: "tick" };
