/**
 * What consensus must remember besides its entries: the term, the vote, how far is committed.
 *
 * It travels in the log's records beside the entries, so that one sync makes both durable.
 */
export interface HardState {
  readonly term: number;
  /** The member voted for in this term, or "". */
  readonly vote: string;
  readonly commit: number;
}

export const noHardState: HardState = { term: 0, vote: "", commit: 0 };

/** One place in the order. The payload is opaque here, and holds no line break. */
export interface LogEntry {
  readonly index: number;
  readonly term: number;
  readonly payload: string;
}
