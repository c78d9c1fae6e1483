/** Pages of what operators are shown, and the members that they want. */

export interface Page {
  /** Of all pages. */
  readonly total: number;
  readonly more: boolean;
}

export interface SearchPage {
  /** Of znodes whose names contain the text, in the order of the walk. */
  readonly paths: readonly string[];
  /** Znodes that were looked at for this page. */
  readonly looked: number;
  /** Where the next page begins; null where everything was looked at. */
  readonly after: string | null;
}

/** A member to add, or to give another role or address. */
export interface MemberWanted {
  readonly id: string;
  /** Where its peers reach it, HOST:PORT. */
  readonly peer?: string;
  /** Of no meaning any more: a member says itself what its clients are told. */
  readonly url?: string;
  readonly role?: "voter" | "observer";
}
