/** The last hour of a member's figures, so that who comes after an incident sees it. Only this member's memory holds them, from its start on. */
import type { MemberSample } from "@copse/protocol";
import type { Figures } from "./figures.ts";
import type { Histogram, Tally } from "./tally.ts";

/** Milliseconds between two samples. */
export const sampleEveryMs = 10_000;
const samplesMax = 360;

/** Counters as they stood at the sample before. */
interface Before {
  readonly at: number;
  readonly requests: number;
  readonly requestMs: number;
  readonly syncs: number;
  readonly syncMs: number;
  readonly zxid: number;
}

export class FigureHistory {
  readonly #samples: MemberSample[] = [];
  readonly #tally: Tally;
  #before: Before | null = null;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** True once it is time for another sample. */
  isDue(now: number): boolean {
    return this.#before === null || now - this.#before.at >= sampleEveryMs;
  }

  /** @param now on the member's clock @param time the wall clock, in milliseconds since the epoch */
  note({ connections, sessions, pending, zxid }: Figures, now: number, time: number): void {
    const requests = [...this.#tally.requests.values()];
    const { syncs } = this.#tally;
    const counted = {
      at: now,
      requests: requests.reduce((sum, one) => sum + countOf(one), 0),
      requestMs: requests.reduce((sum, { sumMs }) => sum + sumMs, 0),
      syncs: countOf(syncs),
      syncMs: syncs.sumMs,
      zxid,
    };
    const before = this.#before;
    this.#before = counted;
    if (before === null) return;
    const seconds = (now - before.at) / 1_000;
    const answered = counted.requests - before.requests;
    const synced = counted.syncs - before.syncs;
    this.#samples.push({
      time,
      requests: answered / seconds,
      answerMs: answered === 0 ? 0 : (counted.requestMs - before.requestMs) / answered,
      // A snapshot of another member takes the state ahead at once.
      txns: Math.max(0, counted.zxid - before.zxid) / seconds,
      syncMs: synced === 0 ? 0 : (counted.syncMs - before.syncMs) / synced,
      connections,
      sessions,
      pending,
    });
    if (this.#samples.length > samplesMax) this.#samples.shift();
  }

  /** Those that were taken later, oldest first. */
  after(time: number): readonly MemberSample[] {
    return this.#samples.filter((sample) => sample.time > time);
  }
}

function countOf({ counts }: Histogram): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
