/** When the certificates end that a member serves with: for metrics, so that nobody learns it from clients. */
import { X509Certificate } from "node:crypto";

interface Pair {
  readonly cert: Buffer;
}

export class CertificateEnds {
  readonly #ends: Map<string, number> = new Map();

  /** @param pairs by what they are for; null for none */
  constructor(pairs: Readonly<Record<string, Pair | null>>) {
    for (const [use, pair] of Object.entries(pairs)) if (pair !== null) this.note(use, pair);
  }

  /** In milliseconds since the epoch, by what they are for. */
  get all(): ReadonlyMap<string, number> {
    return this.#ends;
  }

  /** A certificate is used from now on. What is none is refused where it is used, not here. */
  note(use: string, { cert }: Pair): void {
    try {
      this.#ends.set(use, Date.parse(new X509Certificate(cert).validTo));
    } catch {
      this.#ends.delete(use);
    }
  }
}
