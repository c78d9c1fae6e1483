/** What a member counts and measures while it runs, for metrics: nothing is decided by it. */
import { type Op, opNames } from "@copse/protocol";

/** Upper bounds of the first buckets, in milliseconds; what is above all of them counts too. */
export const histogramBoundsMs: readonly number[] = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/** How long something took, by how often it took about how long. */
export class Histogram {
  /** By bucket, each without those below it; the last is for what is above all bounds. */
  readonly counts: number[] = new Array<number>(histogramBoundsMs.length + 1).fill(0);
  sumMs = 0;

  note(ms: number): void {
    let at = 0;
    while (at < histogramBoundsMs.length && ms > histogramBoundsMs[at]!) at++;
    this.counts[at]!++;
    this.sumMs += ms;
  }
}

export class Tally {
  /** From a request's arrival until it is answered, by op. */
  readonly requests: ReadonlyMap<Op, Histogram> = new Map(opNames.map((op) => [op, new Histogram()]));
  /** One write of the log, its sync included. */
  readonly syncs: Histogram = new Histogram();
  /** Sessions of the whole ensemble, since this member started. */
  sessionsOpened = 0;
  sessionsExpired = 0;
  /** How often this member has heard of another leader than before, and how often it stood for election itself. */
  leaderChanges = 0;
  elections = 0;
  /** How often another member's tree hashed to something else than this one's, at the same place. */
  hashMismatches = 0;

  /** Is told of each request that was answered; null where nobody listens. */
  listener: ((op: Op, ms: number) => void) | null = null;

  answered(op: Op, ms: number): void {
    this.requests.get(op)?.note(ms);
    this.listener?.(op, ms);
  }
}
