/**
 * Where to connect next, and how long to wait before. The ensemble says who else there is.
 *
 * Invariants: the first attempt goes to a random endpoint, the next to the others in turn; the wait grows from
 * `backoffMsMin` to `backoffMsMax` and is always jittered, so that a crowd that lost its server does not return as one.
 */
const backoffMsMin = 50;
const backoffMsMax = 5_000;

export class Endpoints {
  readonly #given: readonly string[];
  #urls: readonly string[];
  readonly #random: () => number;
  #next: number;
  /** Where the newest attempt went. */
  #present: string;
  #failures = 0;

  /** @param urls ws, wss, http or https URLs; the endpoint's path is added where there is none */
  constructor(urls: readonly string[], random: () => number) {
    if (urls.length === 0) throw new TypeError("connect needs at least one URL");
    this.#given = urls.map(endpointUrl);
    this.#urls = this.#given;
    this.#random = random;
    this.#next = Math.floor(random() * urls.length);
    this.#present = this.#given[0]!;
  }

  /**
   * The members say where they are. What is learned over a connection is tried only where it travels as that one did: credentials that
   * went out encrypted, to a host with a valid certificate, never go out in the clear. An address of the member's own machine means
   * another one here, unless this client came by one.
   */
  learn(urls: readonly string[]): void {
    const { protocol, hostname } = new URL(this.#present);
    const learned = urls
      .filter((url) => URL.canParse(url))
      .map(endpointUrl)
      .filter((url) => {
        const known = new URL(url);
        return known.protocol === protocol && (isLocal(hostname) || !isLocal(known.hostname));
      });
    this.#urls = [...new Set([...this.#given, ...learned])];
  }

  /** The URL of the next attempt. */
  next(): string {
    this.#present = this.#urls[this.#next++ % this.#urls.length]!;
    return this.#present;
  }

  /** An attempt failed: milliseconds to wait before the next. The first retry of each other endpoint comes at once. */
  failed(): number {
    this.#failures++;
    if (this.#failures < this.#urls.length) return 0;
    const ceilingMs = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(10, this.#failures - this.#urls.length));
    return ceilingMs * (0.5 + this.#random() / 2);
  }

  succeeded(): void {
    this.#failures = 0;
  }
}

/** True for a host name that means whichever machine it is said on. */
function isLocal(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || hostname === "[::]" || hostname === "0.0.0.0" || /^127\./.test(hostname);
}

function endpointUrl(url: string): string {
  const parsed = new URL(url);
  parsed.protocol = parsed.protocol === "https:" || parsed.protocol === "wss:" ? "wss:" : "ws:";
  if (parsed.pathname === "/") parsed.pathname = "/v1";
  return parsed.href;
}
