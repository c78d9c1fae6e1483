/**
 * What a member wants done, collected over one turn of the loop and performed at its end.
 *
 * Invariant: the effects of one connection are performed in the order in which they were asked for.
 */
import type { Chunk, CloseCode, Credential, Identity } from "@copse/protocol";

export type Effect =
  | { readonly kind: "send"; readonly connection: number; readonly chunk: Chunk }
  | { readonly kind: "close"; readonly connection: number; readonly code: CloseCode; readonly reason: string }
  | {
      readonly kind: "authenticate";
      readonly connection: number;
      readonly ticket: number;
      readonly credentials: readonly Credential[];
      /** What the session that comes back has proved before; null where none does. */
      readonly proved: readonly Identity[] | null;
    };

/** The effects of the present turn. */
export class Effects {
  #effects: Effect[] = [];

  get isEmpty(): boolean {
    return this.#effects.length === 0;
  }

  add(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** Takes what was collected, and begins anew. */
  take(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
