/**
 * The edges that there are, as far as this member or edge knows: those that follow it, those that follow them, and what others have said.
 *
 * Each says to whom it follows, and to the other members, what is below it, and to those that follow it all it knows; so nothing goes in a
 * circle. Invariants: an edge stands here once; what a link has brought goes with it.
 */
import type { ShownEdge } from "@copse/protocol";
import type { PeerFacts } from "../ensemble/peer-facts.ts";

/** An edge that follows the one that keeps this, and the zxid that it has said. */
export interface FedEdge {
  readonly facts: PeerFacts;
  readonly zxid: number;
}

/** Edges that one message, and this member, may name. */
export const edgesKnownMax = 10_000;
/** How often it is said how far edges are, where nothing else has changed, in milliseconds. */
const zxidsMs = 5_000;

export class KnownEdges {
  readonly #own: string;
  readonly #fed: () => readonly FedEdge[];
  /** What came over each link, by who said it. */
  readonly #said: Map<string, readonly ShownEdge[]> = new Map();
  /** Who was named over each link last, and when. */
  readonly #told: Map<string, { readonly who: string; readonly at: number }> = new Map();
  /** What is known, until something of it changes. */
  #all: readonly ShownEdge[] | null = null;
  #urls: readonly string[] = [];
  /** The edges that those are of. */
  #urlsOf: readonly ShownEdge[] | null = null;
  #turn = 0;

  /** @param own the id of who keeps this; `fed`: those that follow it */
  constructor(own: string, fed: () => readonly FedEdge[]) {
    this.#own = own;
    this.#fed = fed;
  }

  said(by: string, edges: readonly ShownEdge[]): void {
    this.#said.set(by, edges);
    this.#all = null;
  }

  /** The link to a peer, or to an edge, is another one, or gone. */
  relinked(peer: string): void {
    this.#said.delete(peer);
    this.#told.delete(peer);
    this.#all = null;
  }

  /** Those that follow this one may have come further. */
  look(): void {
    this.#all = null;
  }

  /**
   * What a peer is to be told now: all to one that follows, else what is below; null where it knows. That they have come further is told less
   * often than who they are.
   */
  news(peer: string, follows: boolean, now: number): readonly ShownEdge[] | null {
    const edges = follows ? this.all : this.below;
    const told = this.#told.get(peer) ?? { who: "", at: now };
    const who = edges.map(({ id, url, of }) => `${id} ${of} ${url}`).join("\n");
    const canWait = who === "" || now - told.at < zxidsMs;
    if (who === told.who && canWait) return null;
    this.#told.set(peer, { who, at: now });
    return edges;
  }

  /** Those that follow this one, and those that follow them. */
  get below(): readonly ShownEdge[] {
    return this.#fed().flatMap(({ facts: { member: id, url }, zxid }) => [{ id, url, of: this.#own, zxid }, ...(this.#said.get(id) ?? [])]);
  }

  get all(): readonly ShownEdge[] {
    this.#all ??= this.#gathered();
    return this.#all;
  }

  /** Where clients may go, so many at most, each time others, so that no few are told to all. */
  someUrls(most: number): readonly string[] {
    const { urls } = this;
    if (urls.length <= most) return urls;
    this.#turn = (this.#turn + most) % urls.length;
    const chosen = urls.slice(this.#turn, this.#turn + most);
    return [...chosen, ...urls.slice(0, most - chosen.length)];
  }

  /** Where they take clients, each once: the same array until that changes, so that others may keep what they make of it. */
  get urls(): readonly string[] {
    const { all } = this;
    if (all === this.#urlsOf) return this.#urls;
    this.#urlsOf = all;
    const urls = [...new Set(all.map(({ url }) => url))].filter((url) => url !== "");
    const isSame = urls.length === this.#urls.length && urls.every((url, at) => url === this.#urls[at]);
    if (!isSame) this.#urls = urls;
    return this.#urls;
  }

  #gathered(): readonly ShownEdge[] {
    const all = new Map<string, ShownEdge>();
    for (const edge of [...this.below, ...[...this.#said.values()].flat()]) if (!all.has(edge.id)) all.set(edge.id, edge);
    return [...all.values()].slice(0, edgesKnownMax);
  }
}
