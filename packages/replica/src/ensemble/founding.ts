/**
 * Who founds an ensemble, and when.
 *
 * Invariants: a member is founded once; it founds only with others that say they are as empty as it is, and that nobody who may hold data is
 * missing is either seen or an operator's word. Two of three that lost their disks would else found an empty cluster beside the one that
 * has everything.
 */
import type { MemberId } from "@copse/raft";
import type { EnsembleOptions, EnsembleState } from "./ensemble-options.ts";
import type { Peer } from "./peer-facts.ts";

export class Founding {
  readonly #options: EnsembleOptions;
  readonly #state: Pick<EnsembleState, "consensus" | "found">;
  readonly #peers: ReadonlyMap<string, Peer>;
  #hasBegun = false;

  constructor(options: EnsembleOptions, state: Pick<EnsembleState, "consensus" | "found">, peers: ReadonlyMap<string, Peer>) {
    this.#options = options;
    this.#state = state;
    this.#peers = peers;
  }

  get isFounded(): boolean {
    return this.#hasBegun || this.#state.consensus.isFounded;
  }

  /** What this member waits for before there is a cluster, in words; null once it is founded. */
  get waitsFor(): string | null {
    if (this.isFounded) return null;
    const { founding, founders, member, isEdge } = this.#options;
    if (isEdge === true) return this.#state.consensus.relayed.waitsFor ?? "has no state yet: waits for the one that it follows";
    if (founding === "never" || this.#isFoundedElsewhere) return "waits to be taken in by its ensemble";
    const missing = founders.map(({ id }) => id).filter((id) => id !== member && !this.#peers.has(id));
    return `not founded yet: waits for member ${missing.join(", ")}`;
  }

  /** Founds, if it is time to. */
  look(): void {
    const { founding, founders } = this.#options;
    if (founding === "never" || this.isFounded || this.#isFoundedElsewhere) return;
    const linked = this.#peers.size + 1;
    if (founding === "all" ? linked < founders.length : linked * 2 <= founders.length) return;
    this.#hasBegun = true;
    this.#state.found(founders.map(({ id }): MemberId => Number(id)).sort((a, b) => a - b));
  }

  get #isFoundedElsewhere(): boolean {
    return [...this.#peers.values()].some(({ facts }) => facts.isFounded || facts.cluster !== "");
  }
}
