/**
 * The member that decides expiry and reaping, as this one knows. Invariant: there is one such object in a member; whatever asks reads it.
 */
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
