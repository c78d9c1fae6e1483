/**
 * Which pages may connect (SPEC.md, C2): those from a host name that some member advertises, on any port, and
 * those that the configuration names. No Origin at all means no browser; "null" proves nothing.
 */
export class OriginList {
  readonly #urls: () => readonly string[];
  readonly #origins: ReadonlySet<string>;

  /** @param urls what the members advertise */
  constructor(urls: () => readonly string[], origins: readonly string[]) {
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
    return this.#urls().some((url) => URL.canParse(url) && canonicalHost(new URL(url).hostname) === host);
  }
}

function canonicalHost(host: string): string {
  return host === "127.0.0.1" || host === "[::1]" ? "localhost" : host;
}
