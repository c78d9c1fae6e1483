/**
 * Where to connect next, and how long to wait before. The ensemble says which other members there are.
 *
 * Invariants: the first attempt goes to a random endpoint, the next to the others in turn; the wait grows from
 * `backoffMsMin` to `backoffMsMax` and is always jittered, so that a crowd that lost its server does not return as one.
 */
const backoffMsMin = 50;
const backoffMsMax = 5_000;
/** How long a server may keep a client away. */
const awayMsMax = 60_000;

export interface Endpoint {
  readonly url: string;
  /** The application named it; else a member did. */
  readonly isGiven: boolean;
}

export class Endpoints {
  readonly #given: readonly string[];
  #all: readonly Endpoint[];
  readonly #random: () => number;
  #next: number;
  /** Where the newest attempt went. */
  present: Endpoint;
  #failures = 0;

  /** @param urls ws, wss, http or https URLs; the endpoint's path is added where there is none */
  constructor(urls: readonly string[], random: () => number) {
    if (urls.length === 0) throw new TypeError("connect needs at least one URL");
    this.#given = urls.map(endpointUrl);
    this.#all = this.#given.map(givenEndpoint);
    this.#random = random;
    this.#next = Math.floor(random() * urls.length);
    this.present = this.#all[0]!;
  }

  /**
   * The members say where they are. What is learned over a connection is tried only where it travels as that one did: credentials that
   * went out encrypted, to a host with a valid certificate, never go out in the clear. An address of the member's own machine means
   * another one here, unless this client came by one. And it is tried with the cluster's id, so that a server of another cluster refuses
   * before it is told anything.
   */
  learn(urls: readonly string[], cluster: string): void {
    const { protocol, hostname } = new URL(this.present.url);
    const learned = urls
      .filter((url) => URL.canParse(url))
      .map(endpointUrl)
      .filter((url) => {
        const known = new URL(url);
        // A fragment, or a name and a password, is nothing that a WebSocket connects to.
        const isPlain = known.hash + known.username + known.password === "";
        return isPlain && known.protocol === protocol && (isLocal(hostname) || !isLocal(known.hostname)) && !this.#given.includes(url);
      });
    this.#all = [
      ...this.#given.map(givenEndpoint),
      ...[...new Set(learned)].map((url) => ({ url: ofCluster(url, cluster), isGiven: false })),
    ];
  }

  /** Where the next attempt goes. */
  next(): Endpoint {
    this.present = this.#all[this.#next++ % this.#all.length]!;
    return this.present;
  }

  /**
   * An attempt failed: milliseconds to wait before the next. The first retry of each other endpoint comes at once.
   * @param reason of the close; a server that is full says in it how long to stay away
   */
  failed(reason: string): number {
    this.#failures++;
    if (this.#failures < this.#all.length) return 0;
    const ceilingMs = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(10, this.#failures - this.#all.length));
    const askedMs = Math.min(awayMsMax, Number(reason.replace("retry-after=", "")) || 0);
    return Math.max(ceilingMs * (0.5 + this.#random() / 2), askedMs);
  }

  succeeded(): void {
    this.#failures = 0;
  }
}

function givenEndpoint(url: string): Endpoint {
  return { url, isGiven: true };
}

/** True for a host name that means whichever machine it is said on. */
function isLocal(hostname: string): boolean {
  return /^(localhost$|\[::1?\]$|0\.0\.0\.0$|127\.)/.test(hostname);
}

function ofCluster(url: string, cluster: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set("cluster", cluster);
  return parsed.href;
}

/** Behind a proxy a hub may have a path of its own, before that of the protocol. */
function endpointUrl(url: string): string {
  const parsed = new URL(url);
  parsed.protocol = parsed.protocol === "https:" || parsed.protocol === "wss:" ? "wss:" : "ws:";
  const path = parsed.pathname.replace(/\/+$/, "");
  parsed.pathname = path.endsWith("/v1") ? path : `${path}/v1`;
  return parsed.href;
}
