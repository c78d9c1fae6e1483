/**
 * The member that decides expiry and reaping, as this one knows. Invariant: there is one such object in a member; whatever asks reads it.
 */
import type { Trace } from "../trace.ts";

export interface CoordinatorFacts {
  /** Null while there is none. */
  readonly member: string | null;
  readonly isHere: boolean;
  readonly term: number;
}

export class Coordinator implements CoordinatorFacts {
  #facts: CoordinatorFacts = { member: null, isHere: false, term: 0 };

  get member(): string | null {
    return this.#facts.member;
  }

  get isHere(): boolean {
    return this.#facts.isHere;
  }

  get term(): number {
    return this.#facts.term;
  }

  /** True while this member coordinates in the term in which it decided something. */
  isHereIn(term: number): boolean {
    return this.isHere && this.term === term;
  }

  /** @returns true if it is another member, or in another term, than the one before */
  become(facts: CoordinatorFacts): boolean {
    const { member, term } = this.#facts;
    this.#facts = facts;
    return facts.member !== null && (facts.member !== member || facts.term !== term);
  }
}

/** Says that another member coordinates than before, or none. */
export function traceCoordinator(trace: Trace | null, before: Coordinator, now: CoordinatorFacts): void {
  if (trace === null) return;
  const { member, isHere, term } = now;
  if (before.isHere && !isHere) trace.tell({ kind: "stepped-down", term });
  if (isHere) {
    if (!before.isHereIn(term)) trace.tell({ kind: "elected", term });
  } else if (member === null) {
    if (before.member !== null) trace.tell({ kind: "quorum-lost", term });
  } else if (member !== before.member || term !== before.term) trace.tell({ kind: "following", leader: member, term });
}
