/**
 * Which pages may connect (SPEC.md, C2): those from a host name that some member or edge advertises, on any port, and
 * those that the configuration names. No Origin at all means no browser; "null" proves nothing.
 *
 * Invariant: a handshake costs the same however many there are; a URL is read once.
 */
export class OriginList {
  readonly #own: () => string;
  readonly #urls: () => readonly string[];
  readonly #origins: ReadonlySet<string>;
  /** The host of each URL that was read, and the URLs that those are. */
  #hosts: ReadonlyMap<string, string | null> = new Map();
  #names: ReadonlySet<string | null> = new Set();
  #read: readonly string[] = [];

  /** @param own what this member advertises, or ""; `urls`: what all do, the same array until one of them changes */
  constructor(own: () => string, urls: () => readonly string[], origins: readonly string[]) {
    this.#own = own;
    this.#urls = urls;
    this.#origins = new Set(origins.map((origin) => origin.replace(/\/$/, "")));
  }

  allows(origin: string | undefined): boolean {
    if (origin === undefined) return true;
    if (this.#origins.has(origin)) return true;
    if (!URL.canParse(origin)) return false;
    const { hostname, protocol } = new URL(origin);
    if (protocol !== "http:" && protocol !== "https:") return false;
    const host = canonicalHost(hostname);
    return host === hostOf(this.#own()) || this.#advertised.has(host);
  }

  get #advertised(): ReadonlySet<string | null> {
    const urls = this.#urls();
    if (urls !== this.#read) {
      const known = this.#hosts;
      this.#hosts = new Map(urls.map((url) => [url, known.get(url) ?? hostOf(url)]));
      this.#names = new Set(this.#hosts.values());
      this.#read = urls;
    }
    return this.#names;
  }
}

/** Null for what is no URL. */
function hostOf(url: string): string | null {
  return URL.canParse(url) ? canonicalHost(new URL(url).hostname) : null;
}

function canonicalHost(host: string): string {
  return host === "127.0.0.1" || host === "[::1]" ? "localhost" : host;
}
