/**
 * The last hour of the figures of the member that answers: they come from the member, so that who opens the page after an incident sees it.
 *
 * Invariant: the samples are those of one member; another member's begin anew.
 */
import type { MemberSample, MemberStats } from "@copse/client";
import type { Model } from "../model/model.ts";

/** Samples of an hour. */
const samplesMax = 360;

export class Figures {
  readonly #model: Model;
  #samples: readonly MemberSample[] = [];
  #member = "";

  constructor(model: Model) {
    this.#model = model;
  }

  /** Oldest first. */
  get samples(): readonly MemberSample[] {
    return this.#samples;
  }

  /** Asks for the figures, and for the samples that are not known yet. */
  async look(): Promise<MemberStats> {
    const last = this.#samples[this.#samples.length - 1];
    const { stats, history } = await this.#model.copse.recent({ history: last?.time ?? 0 });
    if (stats.member !== this.#member && this.#member !== "") {
      this.#member = "";
      this.#samples = [];
      return this.look();
    }
    this.#member = stats.member;
    const fresh = history?.samples ?? [];
    if (fresh.length > 0) this.#samples = [...this.#samples, ...fresh].slice(-samplesMax);
    return stats;
  }
}
