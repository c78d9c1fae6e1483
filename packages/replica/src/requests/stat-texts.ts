/**
 * Stats as text, of the znodes that were read last.
 *
 * A few znodes are read by many clients, and writing a stat costs a fifth of a read. Invariant: what is kept is values alone, no znode: a path
 * with the same czxid, mzxid, pzxid and aversion has the same stat, as no change leaves all four as they were.
 */
import { encodeStat, flat } from "@copse/protocol";
import { statOf, type Znode } from "@copse/tree";

interface StatText {
  readonly czxid: number;
  readonly mzxid: number;
  readonly pzxid: number;
  readonly aversion: number;
  readonly text: string;
}

/** Stats that are kept: about a megabyte. Past them all are forgotten. */
export const statTextsMax = 2_048;

export class StatTexts {
  readonly #texts: Map<string, StatText> = new Map();

  get size(): number {
    return this.#texts.size;
  }

  /** The stat of the znode at `path`, as `encodeStat` gives it. */
  of(path: string, znode: Znode): string {
    const kept = this.#texts.get(path);
    const { czxid, mzxid, pzxid, aversion } = znode;
    const isFresh =
      kept !== undefined && kept.mzxid === mzxid && kept.pzxid === pzxid && kept.aversion === aversion && kept.czxid === czxid;
    if (isFresh) return kept.text;
    if (this.#texts.size >= statTextsMax) this.#texts.clear();
    const text = flat(encodeStat(statOf(znode)));
    this.#texts.set(path, { czxid, mzxid, pzxid, aversion, text });
    return text;
  }
}
