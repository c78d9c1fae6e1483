/**
 * Everything that can happen to a member. One queue takes them all, in the order in which they happened.
 */
import type { Identity, RawMessage } from "@copse/protocol";
import type { OrderEvent } from "./order.ts";

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
  | { readonly kind: "tick" };
