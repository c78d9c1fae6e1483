/**
 * The last ten minutes of this member's figures, one sample a second, from the moment the page is opened.
 *
 * Counters become rates between two samples; the time of a request through a quorum and back is measured here.
 */
import type { MemberStats } from "@copse/client";
import type { Model } from "../model/model.ts";

export interface Sample {
  /** Seconds since the epoch. */
  readonly at: number;
  readonly requests: number;
  /** Milliseconds from the question to the answer, the page's own way included. */
  readonly latencyMs: number;
  readonly events: number;
}

/** Ten minutes. */
const samplesMax = 600;

export class Figures {
  readonly #model: Model;
  readonly samples: Sample[] = [];
  #before: { readonly at: number; readonly requests: number; readonly events: number; readonly member: string } | null = null;

  constructor(model: Model) {
    this.#model = model;
  }

  /** Asks, and keeps a sample. */
  async look(): Promise<MemberStats> {
    const from = performance.now();
    const stats = await this.#model.copse.stats();
    const now = performance.now();
    const requests = Object.values(stats.requests).reduce((sum, count) => sum + count, 0);
    const events = stats.zxid;
    const before = this.#before;
    this.#before = { at: now, requests, events, member: stats.member };
    // Another member has counters of its own.
    if (before !== null && before.member === stats.member && requests >= before.requests) {
      const seconds = (now - before.at) / 1_000;
      this.samples.push({
        at: Date.now() / 1_000,
        requests: (requests - before.requests) / seconds,
        latencyMs: now - from,
        events: (events - before.events) / seconds,
      });
      if (this.samples.length > samplesMax) this.samples.shift();
    }
    return stats;
  }
}
